# SPDX-License-Identifier: Apache-2.0
"""The conductor against agents over real sockets: complete, in turns, across losses, kills and a cancel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.model.errors import ConnectionRefused, ResultError, UnknownHostKey
from orchestrator.model.run import BenchmarkPlan, RunHost, RunSpec, RunStatus
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs.conductor import conduct
from orchestrator.runs.events import Phase, read_events
from orchestrator.runs.process import owned
from orchestrator.runs.session import Link, Patience
from remote_agent.gen.labctl.agent.v1 import agent_pb2 as pb

if TYPE_CHECKING:
    from tests.unit.runs.conftest import FakeAgent

QUICK = Patience(
    lost=1.5, cancel=1.0, heartbeat=0.3, settle=0.02, first_pause=0.05, longest_pause=0.1, losses=4
)
Reached = Callable[[RunHost, Callable[[Phase], None]], Any]


def _reach(agents: Mapping[str, FakeAgent]) -> Reached:
    @contextmanager
    def reach(host: RunHost, say: Callable[[Phase], None]) -> Iterator[Link]:
        if host.name not in agents:
            raise ConnectionRefused(host.name, "refused the connection.")
        say(Phase.DEPLOYING)
        yield Link(agents[host.name].socket, {"containerd": "/run/containerd/containerd.sock"})

    return reach


@pytest.fixture
def folder(tmp_path: Path, spec: RunSpec) -> RunFolder:
    return RunStore(tmp_path / "runs").create(spec)


def _trials(path: Path) -> Counter[tuple[str, int, str]]:
    with path.open() as file:
        records = [json.loads(line) for line in file]
    return Counter((r["benchmark"], r["block"], r["combination"]) for r in records if r["type"] == "trial")


def _wanted(spec: RunSpec) -> set[tuple[str, int, str]]:
    return {
        (plan.name, block, combination.name)
        for plan in spec.benchmarks
        for block in range(plan.warmup + plan.blocks)
        for combination in spec.combinations
    }


def _assert_complete(spec: RunSpec, folder: RunFolder, agents: Mapping[str, FakeAgent]) -> None:
    for host in spec.hosts:
        assert folder.journal(host.name).read_bytes() == agents[host.name].journal.read_bytes()
        trials = _trials(folder.journal(host.name))
        assert set(trials) == _wanted(spec)
        assert set(trials.values()) == {1}


def _overlap(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> bool:
    return any(a < d and c < b for a, b in one for c, d in other)


def test_a_run_is_executed_pulled_and_told(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    digested: list[str] = []
    assert conduct(spec, folder, _reach(agents), lambda: digested.append("once"), QUICK) == 0
    _assert_complete(spec, folder, agents)
    assert digested == ["once"]
    state = folder.read_state()
    assert state is not None
    assert (state.status, state.exit_code) == (RunStatus.COMPLETE, 0)
    assert [(host.status, host.trials_done, host.error) for host in state.hosts] == [
        (RunStatus.COMPLETE, 8, None)
    ] * 3
    events, _ = read_events(folder.events)
    assert (events[0]["type"], events[-1]["type"], events[-1]["exit_code"]) == ("conductor", "end", 0)
    blocks = [(e["host"], e["benchmark"], e["block"], e["warmup"]) for e in events if e["type"] == "block"]
    assert len(blocks) == len(set(blocks)) == 3 * 4
    assert ("a", "operations.x.y", 0, True) in blocks
    assert ("a", "operations.x.y", 1, False) in blocks
    assert sum(event["type"] == "trial" for event in events) == 24


def test_neighbours_take_turns_block_by_block_and_a_lone_host_does_not_wait(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    for agent in agents.values():
        agent.trial_seconds = 0.02
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 0
    assert not _overlap(agents["a"].spans, agents["b"].spans)
    turns = sorted(
        [(begin, "a") for begin, _ in agents["a"].spans] + [(begin, "b") for begin, _ in agents["b"].spans]
    )
    assert "".join(name for _, name in turns) == "abababab"
    assert _overlap(agents["c"].spans, agents["a"].spans + agents["b"].spans)


def test_a_lost_connection_loses_nothing(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    agents["a"].trial_seconds = agents["c"].trial_seconds = 0.05
    for name in "ac":
        agents[name].break_streams.set()
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 0
    _assert_complete(spec, folder, agents)
    assert agents["a"].starts == agents["c"].starts == 2
    phases = {e["phase"] for e in read_events(folder.events)[0] if e["type"] == "phase" and e["host"] == "a"}
    assert "reconnecting" in phases


def test_a_grant_that_got_lost_is_given_again(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    for name in "bc":
        agents[name].lose_grants = 2
    assert conduct(spec, folder, _reach(agents), lambda: None, replace(QUICK, stalled=5)) == 0
    _assert_complete(spec, folder, agents)
    assert not _overlap(agents["a"].spans, agents["b"].spans)


def test_a_host_that_is_gone_for_good_is_given_up_and_the_others_finish(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    agents["a"].trial_seconds = 0.3
    timer = threading.Timer(0.5, agents["a"].down)
    timer.start()
    begin = time.monotonic()
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 3
    assert time.monotonic() - begin > 0.5 + QUICK.lost - QUICK.heartbeat
    timer.join()
    state = folder.read_state()
    assert state is not None
    assert [host.status for host in state.hosts] == [RunStatus.FAILED, RunStatus.COMPLETE, RunStatus.COMPLETE]
    assert "does not answer" in str(state.hosts[0].error)
    assert set(_trials(folder.journal("b"))) == _wanted(spec)


def test_an_agent_that_is_lost_again_and_again_is_given_up(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    agents["c"].trial_seconds = 60
    agents["c"].break_always = True
    assert conduct(spec, folder, _reach(agents), lambda: None, replace(QUICK, lost=60)) == 3
    state = folder.read_state()
    assert state is not None
    assert "lost 4 times in a row" in str(state.hosts[2].error)


def test_a_host_that_stands_still_is_given_up(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    agents["c"].trial_seconds = 60
    assert conduct(spec, folder, _reach(agents), lambda: None, replace(QUICK, stalled=1.0)) == 1
    state = folder.read_state()
    assert state is not None
    assert "not finished a trial for 1 s" in str(state.hosts[2].error)
    assert [host.trials_done for host in state.hosts] == [8, 8, 0]


def test_a_host_that_never_answered_is_not_waited_for(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    del agents["b"]
    begin = time.monotonic()
    assert conduct(spec, folder, _reach(agents), lambda: None, replace(QUICK, lost=60)) == 3
    assert time.monotonic() - begin < 10
    state = folder.read_state()
    assert state is not None
    assert state.hosts[1].error == "b: refused the connection."
    assert [host.trials_done for host in state.hosts] == [8, 0, 8]


def test_a_host_that_is_not_ready_fails_with_the_checks_sentence(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    agents["b"].checks = [
        pb.Check(
            combination="containerd/crun",
            name="handler",
            ok=False,
            message="no handler crun.",
            hint="Provision.",
        ),
        pb.Check(name="image", ok=False, message="no image."),
    ]
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 1
    state = folder.read_state()
    assert state is not None
    assert state.hosts[1].error == "b: cannot run this suite: containerd/crun: no handler crun. (and 1 more)"
    assert not agents["b"].journal.exists()
    assert [host.status for host in state.hosts] == [RunStatus.COMPLETE, RunStatus.FAILED, RunStatus.COMPLETE]


def test_a_failed_trial_makes_the_exit_code_and_ends_nothing(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    agents["c"].failing = {"containerd/crun"}
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 1
    state = folder.read_state()
    assert state is not None
    assert (state.status, state.hosts[2].trials_failed) == (RunStatus.COMPLETE, 4)
    _assert_complete(spec, folder, agents)


def test_a_digest_that_fails_is_told_and_the_run_is_complete(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    def digest() -> None:
        raise ResultError("samples cannot be made.")

    assert conduct(spec, folder, _reach(agents), digest, QUICK) == 0
    assert read_events(folder.events)[0][-1]["message"] == "samples cannot be made."


def test_a_host_key_is_not_tried_twice(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    calls: list[str] = []

    @contextmanager
    def reach(host: RunHost, say: Callable[[Phase], None]) -> Iterator[Link]:
        calls.append(host.name)
        raise UnknownHostKey(host.name, "has no key in known_hosts.")
        yield

    folder.journal("a").write_bytes(b'{"type": "run"}\n')
    assert conduct(spec, folder, reach, lambda: None, QUICK) == 3
    assert sorted(calls) == ["a", "b", "c"]


def test_a_cancel_ends_the_run_and_says_so(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    for agent in agents.values():
        agent.trial_seconds = 0.2
    timer = threading.Timer(0.5, folder.ask_to_cancel)
    timer.start()
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 130
    timer.join()
    state = folder.read_state()
    assert state is not None
    assert state.status is RunStatus.CANCELLED
    for name in "abc":
        assert agents[name].records()[-1] == {"v": 1, "type": "ended", "status": "cancelled"}
        assert folder.journal(name).read_bytes() == agents[name].journal.read_bytes()


def test_a_run_that_is_cancelled_before_it_began_begins_nowhere(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    folder.ask_to_cancel()
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 130
    assert [agent.starts for agent in agents.values()] == [0, 0, 0]


@pytest.mark.parametrize("kills", [3])
def test_a_killed_conductor_is_taken_up_and_nothing_is_lost_or_done_twice(
    tmp_path: Path, spec: RunSpec, agents: dict[str, FakeAgent], kills: int
) -> None:
    spec = replace(
        spec, benchmarks=(BenchmarkPlan("operations.x.y", 12, 1), BenchmarkPlan("scalability.x.5", 3, 0))
    )
    folder = RunStore(tmp_path / "runs").create(spec)
    for agent in agents.values():
        agent.trial_seconds = 0.03
    command = [
        sys.executable,
        str(Path(__file__).with_name("conductor_process.py")),
        str(folder.path),
        str(tmp_path),
    ]
    for killed in range(kills):
        process = subprocess.Popen(command)
        before = agents["a"].journal.stat().st_size if agents["a"].journal.exists() else 0
        deadline = time.monotonic() + 20
        while (
            _conductors(folder) <= killed
            or not agents["a"].journal.exists()
            or agents["a"].journal.stat().st_size < before + 300
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert owned(folder.lock)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        assert not owned(folder.lock)
        state = folder.read_state()
        assert state is None or state.exit_code is None
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    _assert_complete(spec, folder, agents)
    assert not _overlap(agents["a"].spans, agents["b"].spans)
    events, _ = read_events(folder.events)
    assert [event["resumed"] for event in events if event["type"] == "conductor"] == [False] + [True] * kills


def _conductors(folder: RunFolder) -> int:
    """So many have begun."""
    return sum(event["type"] == "conductor" for event in read_events(folder.events)[0])


def test_a_second_conductor_leaves_the_run_alone(
    tmp_path: Path, spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    for agent in agents.values():
        agent.trial_seconds = 0.15
    command = [
        sys.executable,
        str(Path(__file__).with_name("conductor_process.py")),
        str(folder.path),
        str(tmp_path),
    ]
    first = subprocess.Popen(command)
    deadline = time.monotonic() + 20
    while not folder.events.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
    assert [e["type"] for e in read_events(folder.events)[0]].count("conductor") == 1
    assert first.wait(30) == 0
