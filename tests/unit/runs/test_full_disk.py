# SPDX-License-Identifier: Apache-2.0
"""The controller's disk is full: the conductor waits, says so, and has lost nothing when there is room again."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator import files
from orchestrator.model.errors import DiskFull, ResultError
from orchestrator.model.run import RunHost, RunSpec, RunStatus
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs import conductor, events, journal, process
from orchestrator.runs.conductor import conduct
from orchestrator.runs.events import EventLog, Phase, read_events
from orchestrator.runs.journal import JournalCopy
from orchestrator.runs.process import owned, owning
from orchestrator.runs.session import Link, Patience

if TYPE_CHECKING:
    from tests.unit.runs.conftest import FakeAgent

QUICK = Patience(lost=5, heartbeat=0.3, settle=0.02, first_pause=0.05, longest_pause=0.1, losses=4)
LINE = b'{"type": "trial", "block": 0}\n'


class Disk:
    """This machine's, as the modules that write a run's files see it: full while it is told so."""

    def __init__(self) -> None:
        self.full = False
        self.refused = 0
        self.room = 7
        self._real = os

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def _refuse(self) -> None:
        self.refused += 1
        raise OSError(errno.ENOSPC, "No space left on device")

    def write(self, descriptor: int, data: bytes) -> int:
        """Some bytes still fit, as on real disks."""
        if self.full and not self.room:
            self._refuse()
        written = self._real.write(descriptor, data[: self.room] if self.full else data)
        self.room -= written if self.full else 0
        return written

    def fsync(self, descriptor: int) -> None:
        if self.full:
            self._refuse()
        self._real.fsync(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    for module in (files, events, journal, process):
        monkeypatch.setattr(module, "os", made)
    monkeypatch.setattr(conductor, "ROOM_PAUSE", 0.05)
    return made


def test_a_copy_that_cannot_grow_says_so_and_grows_later(tmp_path: Path, disk: Disk) -> None:
    with JournalCopy(tmp_path / "j") as copy:
        copy.append(0, LINE)
        disk.full = True
        with pytest.raises(DiskFull, match=r"j: cannot be written: No space left on device\."):
            copy.append(copy.size, LINE + LINE[:4])
        copy.forget_tail()
        assert (tmp_path / "j").read_bytes() == LINE
        disk.full = False
        assert copy.append(copy.size, LINE + LINE) == [json.loads(LINE)] * 2
    assert (tmp_path / "j").read_bytes() == LINE * 3


def test_what_else_goes_wrong_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with JournalCopy(tmp_path / "j") as copy, pytest.raises(ResultError) as caught:
        copy.append(0, LINE)
    assert not isinstance(caught.value, DiskFull)


def test_events_that_do_not_fit_come_later_each_once(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write("one")
    disk.full = True
    log.write("two")
    log.write("three")
    assert [event["type"] for event in read_events(path)[0]] == ["one"]
    disk.full = False
    log.write("four")
    assert [event["type"] for event in read_events(path)[0]] == ["one", "two", "three", "four"]


def test_a_run_can_be_owned_without_room_for_its_owners_name(tmp_path: Path, disk: Disk) -> None:
    disk.full = True
    with owning(tmp_path / "lock") as mine:
        assert mine
        assert owned(tmp_path / "lock")


@pytest.fixture
def folder(tmp_path: Path, spec: RunSpec) -> RunFolder:
    return RunStore(tmp_path / "runs").create(spec)


def _reach(agents: Mapping[str, FakeAgent]) -> Callable[[RunHost, Callable[[Phase], None]], Any]:
    @contextmanager
    def reach(host: RunHost, say: Callable[[Phase], None]) -> Iterator[Link]:
        yield Link(agents[host.name].socket, {"containerd": "/run/containerd/containerd.sock"})

    return reach


def test_a_conductor_waits_for_room_and_then_has_everything(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent], disk: Disk
) -> None:
    for agent in agents.values():
        agent.trial_seconds = 0.05

    def fill_and_free() -> None:
        _until(lambda: folder.journal("c").exists() and folder.journal("c").stat().st_size > 0)
        disk.full = True
        _until(lambda: disk.refused > 20)
        time.sleep(0.5)
        disk.full = False

    filling = threading.Thread(target=fill_and_free)
    filling.start()
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 0
    filling.join()
    assert disk.refused > 20
    for name, agent in agents.items():
        assert folder.journal(name).read_bytes() == agent.journal.read_bytes()
    told, _ = read_events(folder.events)
    assert any("No space left" in event.get("message", "") for event in told)
    assert told[-1]["type"] == "end"
    trials = [(e["host"], e["benchmark"], e["block"], e["combination"]) for e in told if e["type"] == "trial"]
    assert len(trials) == len(set(trials)) == 24
    state = folder.read_state()
    assert state is not None
    assert (state.status, state.exit_code) == (RunStatus.COMPLETE, 0)


def test_a_disk_that_stays_full_ends_the_wait(
    spec: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent], disk: Disk
) -> None:
    disk.full = True
    begun = time.monotonic()
    with pytest.raises(DiskFull, match=r"state\.json"):
        conduct(spec, folder, _reach(agents), lambda: None, replace(QUICK, stalled=0.5))
    assert time.monotonic() - begun < 10
    disk.full = False
    assert conduct(spec, folder, _reach(agents), lambda: None, QUICK) == 0, "and it is taken up later"
    for name, agent in agents.items():
        assert folder.journal(name).read_bytes() == agent.journal.read_bytes()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
