# SPDX-License-Identifier: Apache-2.0
"""The engine while everything around it breaks: nothing is lost, nothing is done twice, and the journal says what happened."""

from __future__ import annotations

import errno
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from remote_agent.agent.engine import MAX_ATTEMPTS, Engine
from remote_agent.agent.schedule import DoTrial
from remote_agent.agent.spec import RunSpec
from remote_agent.agent.store import RunFolder, Store
from remote_agent.agent.trial import Torn
from remote_agent.contract.journal import Leak
from remote_agent.host.clocks import Clocks

FIRST, SECOND = "operations.container.lifecycle", "scalability.runtime.5"
S = 10**9


def lines_of(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "runs/run-1/journal.jsonl").read_text().splitlines()]


def of_type(root: Path, kind: str) -> list[dict[str, Any]]:
    return [line for line in lines_of(root) if line["type"] == kind]


def assert_once(root: Path, blocks: int) -> None:
    trials = Counter((line["block"], line["combination"]) for line in of_type(root, "trial"))
    names = ("containerd/runc", "containerd/crun")
    assert trials == {(block, name): 1 for block in range(blocks) for name in names}


def test_a_trial_in_which_a_daemon_went_away_is_redone_and_says_why(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path
) -> None:
    def once(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        if len(host.trials) == 2:
            raise Torn("containerd's daemon went away in it.")
        return None

    host.script = once
    running = run_engine(host)
    running.engine.start(spec)
    running.engine.grant("run-1", {FIRST: 2}, last=True)
    running.until_state("run-1", "complete")
    assert_once(tmp_path, 2)
    (torn,) = of_type(tmp_path, "torn")
    assert (torn["attempt"], torn["reason"]) == (1, "containerd's daemon went away in it.")
    redone = [line for line in of_type(tmp_path, "trial") if line["attempt"] > 1]
    assert [(line["block"], line["combination"], line["attempt"]) for line in redone] == [
        (torn["block"], torn["combination"], 2)
    ]
    kinds = [line["type"] for line in lines_of(tmp_path)]
    assert kinds[kinds.index("torn") - 1 :][:4] == ["trial_started", "torn", "trial_started", "trial"]


def test_a_trial_that_is_torn_again_and_again_fails_with_the_last_reason(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path
) -> None:
    def always(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        if "crun" in due.combination:
            raise Torn("containerd's daemon went away in it.")
        return None

    host.script = always
    running = run_engine(host)
    running.engine.start(spec)
    running.engine.grant("run-1", {FIRST: 1}, last=True)
    running.until_state("run-1", "complete")
    assert_once(tmp_path, 1)
    (bad,) = [line for line in of_type(tmp_path, "trial") if line["status"] == "failed"]
    assert (
        bad["reason"]
        == f"It was torn {MAX_ATTEMPTS} times, the last time so: containerd's daemon went away in it."
    )
    assert len(of_type(tmp_path, "torn")) == MAX_ATTEMPTS
    assert sum("crun" in due.combination for due in host.trials) == MAX_ATTEMPTS


def test_an_agent_that_was_killed_and_a_host_that_was_restarted_are_told_apart(
    spec: RunSpec, host: Any, run_engine: Any, killed: type[BaseException], tmp_path: Path
) -> None:
    def die(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        raise killed

    host.script = die
    first = run_engine(host)
    first.engine.start(spec)
    first.engine.grant("run-1", {FIRST: 1}, last=True)
    first.died()
    run_engine(host).died()
    _restarted(tmp_path)
    host.script = lambda due, checkpoint: None
    run_engine(host).until_state("run-1", "complete")
    assert_once(tmp_path, 1)
    torn = [(line["attempt"], line["reason"]) for line in of_type(tmp_path, "torn")]
    assert torn == [(1, "The agent ended in it."), (2, "The host was restarted in it.")]
    notes = [line["message"] for line in of_type(tmp_path, "note") if line["level"] == "warning"]
    assert notes == ["The host was restarted during the run."]
    (ended,) = of_type(tmp_path, "block_ended")
    assert ended["noise"] == {"missing": {"block": "the agent was started again in this block"}}


def _restarted(root: Path) -> None:
    """What the journal says of the host's boot is of another one now."""
    path = root / "runs/run-1/journal.jsonl"
    path.write_text(path.read_text().replace('"boot_id":"', '"boot_id":"another-'))


@pytest.mark.parametrize("room", [0, 1, 50, 400])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_waited_out_with_nothing_lost_and_nothing_halved(
    spec: RunSpec, host: Any, tmp_path: Path, disk: Any, room: int, code: int
) -> None:
    def fill(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        if len(host.trials) == 2:
            disk.room, disk.code = room, code
        return None

    host.script = fill
    engine = Engine(Store(tmp_path / "runs"), lambda: host, room_pause_s=0.01)
    worker = threading.Thread(target=engine.execute, daemon=True)
    worker.start()
    engine.start(spec)
    engine.grant("run-1", {FIRST: 3}, last=True)
    assert disk.refused.wait(10)
    _until(lambda: bool(engine.status("run-1").problem))
    status = engine.status("run-1")
    assert status.state == "executing"
    assert status.problem == (
        f"The disk of {tmp_path}/runs/run-1 is full: the run stands still until there is room."
    )
    read = engine.read("run-1", 0)
    assert [json.loads(line)["type"] for line in read.splitlines()][-1]
    assert (tmp_path / "runs/run-1/journal.jsonl").read_bytes() == read, "nothing half-written stays"
    assert len(host.trials) == 2, "no trial is begun that cannot be written down"
    disk.room = None
    _until(lambda: engine.status("run-1").state == "complete")
    engine.close()
    worker.join(10)
    assert engine.status("run-1").problem == ""
    assert_once(tmp_path, 3)
    assert len(host.trials) == 6, "the trial that was done is not done again"
    (note,) = of_type(tmp_path, "note")
    assert note["message"].startswith("The disk was full, and the run stood still for ")


def test_grants_and_a_cancel_are_taken_on_a_full_disk(
    spec: RunSpec, host: Any, run_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    running = run_engine(host)
    running.engine.start(spec)
    monkeypatch.setattr(RunFolder, "save_grants", no_room)
    running.engine.grant("run-1", {FIRST: 1}, last=False)
    running.until(lambda: running.engine.status("run-1").done[FIRST] == 1)
    running.engine.cancel("run-1")
    running.until_state("run-1", "cancelled")


def test_an_agent_that_ends_on_a_full_disk_ends_well_and_the_next_one_redoes_the_trial(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path, disk: Any
) -> None:
    def fill(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        disk.room = 10
        return None

    host.script = fill
    first = run_engine(host)
    first.engine.start(spec)
    first.engine.grant("run-1", {FIRST: 1}, last=True)
    assert disk.refused.wait(10)
    first.close()
    assert first.error is None
    assert lines_of(tmp_path)[-1]["type"] == "trial_started"
    disk.room, host.script = None, lambda due, checkpoint: None
    run_engine(host).until_state("run-1", "complete")
    assert_once(tmp_path, 1)
    assert [line["reason"] for line in of_type(tmp_path, "torn")] == ["The agent ended in it."]


def test_a_trial_that_fails_on_a_full_disk_is_torn(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunFolder, "full", lambda folder: len(host.trials) in (1, 3))
    host.script = lambda due, checkpoint: "RunPodSandbox: no space left" if len(host.trials) < 3 else None
    running = run_engine(host)
    running.engine.start(spec)
    running.engine.grant("run-1", {FIRST: 1}, last=True)
    running.until_state("run-1", "complete")
    assert_once(tmp_path, 1)
    (torn,) = of_type(tmp_path, "torn")
    assert torn["reason"] == "The disk was full when it failed: RunPodSandbox: no space left"
    assert Counter(line["status"] for line in of_type(tmp_path, "trial")) == {"failed": 1, "ok": 1}, (
        "one that fails with room on the disk has failed, and one that went well on a full disk went well"
    )


def test_other_trouble_with_the_journal_ends_the_agent(
    spec: RunSpec, host: Any, tmp_path: Path, disk: Any
) -> None:
    engine = Engine(Store(tmp_path / "runs"), lambda: host)
    engine.start(spec)
    engine.grant("run-1", {FIRST: 1}, last=True)
    disk.room, disk.code = 5, errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        engine.execute()


def _clock(*jumps: tuple[int, Clocks]) -> Callable[[], Clocks]:
    """A second goes by with each reading; from the reading of that number on, the clocks are apart by that much."""
    numbers = count()

    def read() -> Clocks:
        number = next(numbers)
        now = Clocks(1_000 * S + number * S, number * S, number * S)
        for at, apart in jumps:
            if number >= at:
                now = replace(
                    now,
                    wall=now.wall + apart.wall,
                    boot=now.boot + apart.boot,
                    monotonic=now.monotonic + apart.monotonic,
                )
        return now

    return read


@pytest.mark.parametrize(
    ("apart", "says"),
    [
        (Clocks(3600 * S, 0, 0), ["The wall clock was set forward by 3600.0 s."]),
        (Clocks(-90 * S, 0, 0), ["The wall clock was set back by 90.0 s."]),
        (Clocks(30 * S, 30 * S, 0), ["The host was suspended for 30.0 s."]),
        (Clocks(S // 10, 0, 0), []),
    ],
)
def test_a_wall_clock_that_is_set_is_noted_and_touches_nothing(
    spec: RunSpec, host: Any, tmp_path: Path, apart: Clocks, says: list[str]
) -> None:
    engine = Engine(Store(tmp_path / "runs"), lambda: host, clocks=_clock((2, apart)))
    engine.start(spec)
    engine.grant("run-1", {FIRST: 2}, last=True)
    with _executing(engine):
        _until(lambda: engine.status("run-1").state == "complete")
    assert_once(tmp_path, 2)
    assert [line["message"] for line in of_type(tmp_path, "note")] == says
    kinds = [line["type"] for line in lines_of(tmp_path)]
    if says:
        assert kinds[kinds.index("note") - 1] == "block_ended", "it happened in the first block"


def test_a_foreign_leak_and_a_torn_trial_do_not_hide_each_other(
    spec: RunSpec, host: Any, run_engine: Any, killed: type[BaseException], tmp_path: Path
) -> None:
    def die(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        raise killed

    host.script, host.present = die, frozenset({Leak("process", "containerd-shim 7")})
    first = run_engine(host)
    first.engine.start(spec)
    first.engine.grant("run-1", {FIRST: 1}, last=True)
    first.died()
    host.script = lambda due, checkpoint: None
    run_engine(host).until_state("run-1", "complete")
    assert of_type(tmp_path, "note") == [], "what was there before the run is nobody's leak"


class _executing:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._worker = threading.Thread(target=engine.execute, daemon=True)

    def __enter__(self) -> None:
        self._worker.start()

    def __exit__(self, *_: object) -> None:
        self._engine.close()
        self._worker.join(10)


def _until(wanted: Callable[[], bool]) -> None:
    for _ in _ticks():
        if wanted():
            return
    pytest.fail("it did not happen in time")


def _ticks() -> Iterator[None]:
    for _ in range(2000):
        yield
        threading.Event().wait(0.005)
