# SPDX-License-Identifier: Apache-2.0
"""A fake host for the engine, and a fake CRI runtime behind real gRPC on a Unix socket."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from remote_agent.agent import journal
from remote_agent.agent.engine import Engine
from remote_agent.agent.schedule import DoTrial
from remote_agent.agent.spec import BenchmarkSpec, Combination, RunSpec
from remote_agent.agent.store import Store
from remote_agent.agent.trial import Note
from remote_agent.contract.journal import Leak, Sample, Trial
from remote_agent.host.noise import Counters


@dataclass
class FakeHost:
    """Executes nothing. ``script`` is called in each trial and may raise, block or tell a reason for failure."""

    script: Callable[[DoTrial, Callable[[], None]], str | None] = lambda due, checkpoint: None
    trials: list[DoTrial] = field(default_factory=list)
    leftovers: int = 0
    cleaned: int = 0
    present: frozenset[Leak] = frozenset()
    finished: int = 0

    def clean(self, spec: RunSpec, note: Note) -> int:
        found, self.leftovers = self.leftovers, 0
        self.cleaned += 1
        return found

    def snapshot(self, spec: RunSpec) -> frozenset[Leak]:
        return self.present

    def leaks(self, spec: RunSpec, before: frozenset[Leak]) -> tuple[Leak, ...]:
        return tuple(self.present - before)

    def fingerprint(self, spec: RunSpec) -> Mapping[str, Any]:
        return {"hostname": spec.host}

    def counters(self) -> Counters:
        return Counters({"ctxt": 10.0 * len(self.trials)}, None, {})

    def finish(self, spec: RunSpec) -> None:
        self.finished += 1

    def trial(self, spec: RunSpec, due: DoTrial, checkpoint: Callable[[], None], note: Note) -> Trial:
        self.trials.append(due)
        reason = self.script(due, checkpoint)
        samples = () if reason else (Sample("CreateAndRun", 0.1, "s"),)
        return Trial(due.benchmark, due.block, due.position, due.combination, due.attempt, due.warmup,
                     "failed" if reason else "ok", reason, samples, 1, 2, 3, ())  # fmt: skip


class Running:
    """An engine whose worker runs in a thread, on a store that outlives it."""

    def __init__(self, root: Path, host: FakeHost) -> None:
        self.host = host
        self.engine = Engine(Store(root), lambda: host)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._execute, daemon=True)
        self._thread.start()

    def _execute(self) -> None:
        try:
            self.engine.execute()
        except Killed as error:
            self.error = error

    def until(self, wanted: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait for a state of the engine's. Fails after ``timeout_s``."""
        changed = threading.Event()
        end = self.engine.subscribe(changed.set)
        try:
            for _ in range(10_000):
                changed.clear()
                if wanted():
                    return
                assert changed.wait(timeout_s), "the engine does not get there"
        finally:
            end()

    def until_state(self, run_id: str, state: str) -> None:
        self.until(lambda: self.engine.status(run_id).state == state)

    def close(self) -> None:
        self.engine.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def died(self) -> None:
        """The worker has met Killed."""
        self._thread.join(10)
        assert isinstance(self.error, Killed)


class Killed(BaseException):
    """As SIGKILL: nothing of the agent's runs behind it."""


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def spec() -> RunSpec:
    combinations = tuple(
        Combination("containerd", handler, "/run/containerd/containerd.sock") for handler in ("runc", "crun")
    )
    benchmarks = (
        BenchmarkSpec("operations.container.lifecycle", warmup=1),
        BenchmarkSpec("scalability.runtime.5", warmup=1),
    )
    return RunSpec("run-1", "m1", 7, combinations, benchmarks)


Starter = Callable[[FakeHost], Running]


@pytest.fixture
def run_engine(tmp_path: Path) -> Iterator[Starter]:
    running: list[Running] = []

    def start(host: FakeHost) -> Running:
        running.append(Running(tmp_path / "runs", host))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def killed() -> type[BaseException]:
    return Killed


class Disk:
    """One that is full after ``room`` bytes more: a write that does not fit is done in part, then refused, as disks do."""

    def __init__(self) -> None:
        self.room: int | None = None
        self.refused = threading.Event()
        self.code = errno.ENOSPC
        self._write = os.write

    def write(self, descriptor: int, data: bytes) -> int:
        if self.room is None:
            return self._write(descriptor, data)
        if self.room == 0:
            self.refused.set()
            raise OSError(self.code, os.strerror(self.code))
        written = self._write(descriptor, data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Under every journal of the test's."""
    made = Disk()
    seen = SimpleNamespace(**{name: getattr(os, name) for name in dir(os)})
    seen.write = made.write
    monkeypatch.setattr(journal, "os", seen)
    return made
