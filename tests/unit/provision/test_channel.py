# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between controller and host is one sentence, and the host's own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import ConnectionLost, HostError
from orchestrator.model.inventory import Host
from orchestrator.provision import channel
from orchestrator.provision.apply import apply_steps, gather_facts
from orchestrator.provision.files import Blobs
from orchestrator.provision.host import report_of_error
from remote_agent.contract.bootstrap import Program
from remote_agent.contract.steps import Outcome, Status, Step

ECHO = "- hosts: all\n  tasks:\n    - {name: one, command: echo}\n"


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("echo 'labctl: python3 is missing on this host: install it.' >&2; exit 127", "python3 is missing on this host, and so is apt-get"),
        ("echo This account is not available.; exit 1", "not available"),
        ("printf 'labctl-runner-1\\n{\"type\":\"hello\",\"python\":\"3\"}\\n'; exec sleep 0", "ended before"),
        ("printf 'labctl-runner-1\\n{\"type\":\"hello\",\"python\":\"3\"}\\nnonsense\\n'; exec cat >/dev/null", "not a frame"),
    ],
    ids=["no python", "no shell", "ends early", "speaks nonsense"],
)  # fmt: skip
def test_a_runner_that_does_not_come_up(play: Any, program: str, says: str) -> None:
    done = play(ECHO, program=program)
    assert says in str(done.report.error) + str(done.report.hint)
    assert (done.report.failed, done.report.unreachable, done.report.exit_code) == (1, 0, 1)


def test_hosts_that_are_reached_at_once_share_one_packed_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[str] = []

    def slowly(modules: frozenset[str]) -> Program:
        packed.append(threading.current_thread().name)
        time.sleep(0.1)
        return Program({}, {})

    monkeypatch.setattr(channel, "program", slowly)
    channel.packed_runner.cache_clear()
    try:
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(lambda _: channel.runner_payload(frozenset()), range(8)))) == 1
    finally:
        channel.packed_runner.cache_clear()
    assert len(packed) == 1


def test_a_lost_connection_is_unreachable() -> None:
    report = report_of_error("h1", ConnectionLost("h1", "the connection broke.", "Again."), 1.5)
    assert (report.unreachable, report.failed, report.exit_code) == (1, 0, 3)
    assert (report.error, report.hint) == ("the connection broke.", "Again.")


def test_facts_and_steps_without_a_playbook(folder: Path, local_connection: Any) -> None:
    assert gather_facts(local_connection)["system"] == "Linux"
    source = folder / "blob"
    source.write_bytes(b"x" * 100_000)
    blobs = Blobs()
    ref = blobs.add(source).to_json()
    told: list[Status] = []

    class Sink:
        def progress(self, step: Step, message: str) -> None: ...

        def outcome(self, step: Step, outcome: Outcome) -> None:
            told.append(outcome.status)

    steps = [
        Step(1, "copy", "copy", {"src": ref, "dest": str(folder / "out" / "b")}),
        Step(2, "wrong", "command", {"cmd": "false"}),
        Step(3, "never", "command", {"cmd": f"touch {folder}/out/never"}),
    ]
    outcomes = apply_steps(local_connection, steps, blobs, Sink())
    assert [outcome.status for outcome in outcomes] == told == [Status.CHANGED, Status.FAILED]
    assert [path.name for path in (folder / "out").iterdir()] == ["b"]
    assert (folder / "out" / "b").read_bytes() == source.read_bytes()


def test_a_blob_that_nobody_has_fails_its_step(folder: Path, local_connection: Any) -> None:
    steps = [
        Step(1, "copy", "copy", {"src": {"$blob": "0" * 64, "size": 3}, "dest": str(folder / "out" / "b")})
    ]
    (outcome,) = apply_steps(local_connection, steps, Blobs())
    assert outcome.status is Status.FAILED
    assert "has no file with the content 000000000000" in outcome.msg


def test_a_host_error_is_a_failure_not_unreachable() -> None:
    report = report_of_error(Host("h", (), {}).name, HostError("h", "no."), 0.0)
    assert (report.failed, report.unreachable) == (1, 0)
