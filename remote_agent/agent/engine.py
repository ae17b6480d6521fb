# SPDX-License-Identifier: Apache-2.0
"""The run engine: one worker executes granted steps, one after another; everybody else asks, grants and cancels.

Nothing polls: the worker sleeps on a condition until something is granted.

What can go wrong below it, and what it does (contract/journal.py has how each is told):
killed, or the host restarted    the next agent's first step finds the attempt that was under way, says that it is torn, removes
                                 by label what it left, and redoes it
a runtime's daemon goes away     the executor says Torn: redone, up to MAX_ATTEMPTS; one that stays away fails its trials
the disk is full                 nothing is lost: the worker waits where it is with what it has to write, says so in its status,
                                 and goes on when there is room; a trial that failed meanwhile is torn
the wall clock is set            nothing depends on it; it is noted at the next block's boundary
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from remote_agent.agent import VERSION
from remote_agent.agent.journal import Journal
from remote_agent.agent.schedule import CloseBlock, DoTrial, Finish, OpenBlock, Progress, Step, next_step
from remote_agent.agent.spec import RunSpec, SpecError
from remote_agent.agent.store import FULL, Grants, RunFolder, Store, StoreError
from remote_agent.agent.trial import FORGOTTEN, Executor, Torn
from remote_agent.benchmarks.reach import Cancelled
from remote_agent.contract.journal import Leak, Trial, TrialKey, record
from remote_agent.host.clocks import Clocks, jumps, read_clocks
from remote_agent.host.noise import Counters, between

MAX_ATTEMPTS = 5
"""A trial that was torn so often is recorded as failed: it would kill the agent, or a runtime, for ever."""

ROOM_PAUSE_S = 2.0
"""A full disk is tried again so often."""

PLACE = ("benchmark", "block", "position", "combination", "attempt")
"""What names an attempt in the journal."""


class UnknownRun(Exception):
    """No run of that id is on this host; the text is one sentence."""


class Refused(Exception):
    """It is asked for what does not fit the run as it is known; the text is one sentence."""


class _Closing(Exception):
    """The agent ends while it waits for room on the disk: what it has to write is lost with it, and so is redone."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """``state``: idle, executing, complete, cancelled. ``trial`` is what is under way, in words; ``problem`` is a sentence on
    what keeps it from going on.
    """

    run_id: str
    state: str
    granted: Mapping[str, int]
    done: Mapping[str, int]
    trial: str
    journal_size: int
    problem: str = ""


@dataclass(slots=True)
class Run:
    """A run that this agent has in its hands. The worker alone writes the journal."""

    spec: RunSpec
    folder: RunFolder
    journal: Journal
    progress: Progress
    grants: Grants
    begun: bool = False
    trial: str = ""
    problem: str = ""
    noise: Counters | None = field(default=None, repr=False)


class Engine:
    """``execute`` is the worker's thread; every other method may be called from any thread and returns at once."""

    def __init__(
        self,
        store: Store,
        executor: Callable[[], Executor],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        boot_id: Path = Path("/proc/sys/kernel/random/boot_id"),
        clocks: Callable[[], Clocks] = read_clocks,
        room_pause_s: float = ROOM_PAUSE_S,
    ) -> None:
        """Takes up every run of the store's. ``executor`` is called once, when there is something to execute. ``broken`` maps a run's
        folder that cannot be read to the reason.
        """
        self._store = store
        self._make_executor = executor
        self._now = now
        self._boot_id = boot_id.read_text().strip()
        self._clocks, self._clocks_before = clocks, clocks()
        self._room_pause_s = room_pause_s
        self._changed = threading.Condition(threading.RLock())
        self._listeners: list[Callable[[], None]] = []
        self._closing = False
        self._runs: dict[str, Run] = {}
        self.broken: dict[str, str] = {}
        for folder in store.runs():
            try:
                self._take(folder)
            except (StoreError, SpecError, OSError) as error:
                self.broken[folder.path.name] = str(error)

    @property
    def boot_id(self) -> str:
        return self._boot_id

    @property
    def idle(self) -> bool:
        """Every run of this host's has ended, and nobody follows one."""
        with self._changed:
            return not self._listeners and all(run.progress.ended for run in self._runs.values())

    @cached_property
    def _executor(self) -> Executor:
        return self._make_executor()

    def start(self, spec: RunSpec) -> RunStatus:
        """Make the run known; the same again changes nothing.

        Raises SpecError: it cannot be executed; Refused: another run has that id; StoreError, OSError: it cannot be kept.
        """
        spec.check()
        with self._changed:
            try:
                known = self._run(spec.run_id)
            except UnknownRun:
                self._take(self._store.create(spec))
            else:
                if known.spec != spec:
                    raise Refused(f"Run {spec.run_id} is known here with another spec.")
            return self.status(spec.run_id)

    def grant(self, run_id: str, until: Mapping[str, int], last: bool) -> RunStatus:
        """Allow each benchmark's blocks below ``until``. Never shrinks. Raises UnknownRun, Refused."""
        with self._changed:
            run = self._run(run_id)
            unknown = until.keys() - {item.name for item in run.spec.benchmarks}
            if unknown:
                raise Refused(f"Run {run_id} has no benchmark {', '.join(sorted(unknown))}.")
            self._allow(run, run.grants.extended(until, last))
            return self.status(run_id)

    def cancel(self, run_id: str) -> RunStatus:
        """The run is to end, cleaned up; it has when its state says so. Raises UnknownRun."""
        with self._changed:
            run = self._run(run_id)
            self._allow(run, Grants(run.grants.until, run.grants.last, cancel=True))
            return self.status(run_id)

    def status(self, run_id: str = "") -> RunStatus:
        """Of that run, or of the newest. Raises UnknownRun."""
        with self._changed:
            run = self._run(run_id or self._newest())
            until = {item.name: run.grants.until.get(item.name, 0) for item in run.spec.benchmarks}
            done = {item.name: run.progress.blocks_done(item.name) for item in run.spec.benchmarks}
            return RunStatus(run.spec.run_id, _state(run), until, done, run.trial, run.journal.size,
                             run.problem)  # fmt: skip

    def read(self, run_id: str, offset: int) -> bytes:
        """Whole lines of the run's journal. Raises UnknownRun, OffsetError."""
        with self._changed:
            journal = self._run(run_id).journal
        return journal.read(offset)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """``listener`` is called, in the worker's thread, when a journal grew or a status changed; the way to end that."""
        with self._changed:
            self._listeners.append(listener)
        return lambda: self._unsubscribe(listener)

    def close(self) -> None:
        """The worker ends after the call that is under way; its trial is torn, and redone by the next agent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def execute(self) -> None:
        """The worker: returns after `close`. Raises OSError (the journal cannot be written; a full disk is waited out), StoreError."""
        while (due := self._wait()) is not None:
            run, step = due
            try:
                if run.begun:
                    self._do(run, step)
                else:
                    self._begin(run)
            except _Closing:
                return

    def _wait(self) -> tuple[Run, Step] | None:
        """The next step, of the run that was started first among those that have one."""
        with self._changed:
            while not self._closing:
                for run in self._runs.values():
                    if step := next_step(run.spec, run.grants, run.progress):
                        return run, step
                self._changed.wait()
        return None

    def _begin(self, run: Run) -> None:
        """Before this agent's first step of the run: what an agent before it left is removed, and said."""
        before = run.progress
        resumed = {"resumed": True} if before.starts else {}
        restarted = bool(before.starts) and before.boot_id != self._boot_id
        self._append(
            run,
            record("run", run=run.spec.run_id, host=run.spec.host, seed=run.spec.seed, agent=VERSION,
                   boot_id=self._boot_id, time=self._time(), spec=run.spec.to_json(), **resumed),
        )  # fmt: skip
        if restarted:
            self._note(
                run, "warning", "The host was restarted during the run.", "Look at the order over time."
            )
        for begun in list(run.progress.begun.values()):
            reason = "The host was restarted in it." if restarted else "The agent ended in it."
            self._append(run, record("torn", **{name: begun[name] for name in PLACE}, reason=reason))
        if run.journal.torn:
            self._note(run, "info", f"{run.journal.torn} bytes of a torn line were cut off the journal.", "")
        found = self._executor.clean(run.spec, lambda *words: self._note(run, *words))
        if found:
            self._note(
                run, "info", f"{found} leftover pods and containers were removed before the first trial.", ""
            )
        self._against_baseline(run)
        if not run.progress.fingerprinted:
            facts = self._executor.fingerprint(run.spec)
            self._append(run, record("fingerprint", when="before", facts=facts))
        run.begun = True

    def _against_baseline(self, run: Run) -> None:
        """The leak audit of a trial that a crash interrupted: against what was there before the run."""
        baseline = run.folder.baseline()
        if baseline is None:
            before = self._executor.snapshot(run.spec)
            found = sorted((leak.kind, leak.what) for leak in before)
            self._when_there_is_room(run, lambda: run.folder.save_baseline(found))
            return
        for leak in self._executor.leaks(run.spec, frozenset(Leak(kind, what) for kind, what in baseline)):
            self._note(run, "warning", f"An interrupted trial left the {leak.kind} {leak.what}.", FORGOTTEN)

    def _do(self, run: Run, step: Step) -> None:
        match step:
            case OpenBlock(benchmark, block, warmup, order):
                self._look_at_clocks(run)
                run.noise = self._executor.counters()
                self._append(
                    run, record("block", benchmark=benchmark, block=block, warmup=warmup, order=list(order))
                )
            case DoTrial():
                self._trial(run, step)
            case CloseBlock(benchmark, block):
                noise = self._noise(run)
                self._append(run, record("block_ended", benchmark=benchmark, block=block, noise=noise))
                self._look_at_clocks(run)
            case Finish(status):
                self._finish(run, status)

    def _trial(self, run: Run, due: DoTrial) -> None:
        warmup = ", warm-up" if due.warmup else ""
        words = f"{due.benchmark}, block {due.block}{warmup}: {due.combination}"
        self._append(run, record("trial_started", **_place(due)), words)
        try:
            self._append(run, self._attempt(run, due).to_json())
        except Cancelled:
            return
        except Torn as torn:
            self._append(run, record("torn", **_place(due), reason=str(torn)))

    def _attempt(self, run: Run, due: DoTrial) -> Trial:
        """Raises Cancelled, Torn."""
        if due.attempt > MAX_ATTEMPTS:
            return _given_up(due, run.progress)
        trial = self._executor.trial(
            run.spec, due, lambda: self._checkpoint(run), lambda *words: self._note(run, *words)
        )
        if trial.status == "failed" and run.folder.full():
            raise Torn(f"The disk was full when it failed: {trial.reason}")
        return trial

    def _checkpoint(self, run: Run) -> None:
        if self._closing or run.grants.cancel:
            raise Cancelled

    def _look_at_clocks(self, run: Run) -> None:
        """Since the last look; what an agent before this one saw is not known any more."""
        before, self._clocks_before = self._clocks_before, self._clocks()
        for jump in jumps(before, self._clocks_before):
            self._note(
                run, "warning", jump, "Durations are not touched by that; times of day in the journal are."
            )

    def _noise(self, run: Run) -> dict[str, Any]:
        before, run.noise = run.noise, None
        if before is None:
            return {"missing": {"block": "the agent was started again in this block"}}
        return between(before, self._executor.counters())

    def _finish(self, run: Run, status: str) -> None:
        if status == "complete":
            facts = self._executor.fingerprint(run.spec)
            self._append(run, record("fingerprint", when="after", facts=facts))
        self._executor.finish(run.spec)
        self._append(run, record("ended", status=status, time=self._time()))
        run.journal.close()

    def _append(self, run: Run, line: Mapping[str, Any], trial: str = "") -> None:
        """Journal it, on the disk; then it counts. ``trial`` is what is under way from here on. Raises OSError, _Closing."""
        waited = self._when_there_is_room(run, lambda: run.journal.append(line))
        with self._changed:
            run.progress.apply(line)
            run.trial = trial
            self._tell()
        if waited:
            self._note(run, "warning", f"The disk was full, and the run stood still for {waited:.0f} s.", "")

    def _when_there_is_room(self, run: Run, write: Callable[[], None]) -> float:
        """Do ``write``, again and again while its disk is full; the seconds of waiting. Raises OSError, _Closing."""
        begun = None
        while True:
            try:
                write()
            except OSError as error:
                if error.errno not in FULL:
                    raise
                begun = begun or self._clocks().monotonic
                self._wait_for_room(run)
            else:
                run.problem = ""
                return (self._clocks().monotonic - begun) / 1e9 if begun else 0.0

    def _wait_for_room(self, run: Run) -> None:
        with self._changed:
            if self._closing:
                raise _Closing
            if not run.problem:
                run.problem = (
                    f"The disk of {run.folder.path} is full: the run stands still until there is room."
                )
                self._tell()
            self._changed.wait(self._room_pause_s)

    def _note(self, run: Run, level: str, message: str, hint: str) -> None:
        self._append(run, record("note", level=level, message=message, hint=hint or None), run.trial)

    def _allow(self, run: Run, grants: Grants) -> None:
        if grants != run.grants and not run.progress.ended:
            try:
                run.folder.save_grants(grants)
            except OSError as error:
                if error.errno not in FULL:
                    raise
                # Known here all the same; an agent after this one is granted it again, by whoever follows the run.
            run.grants = grants
            self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        for listener in self._listeners:
            listener()

    def _unsubscribe(self, listener: Callable[[], None]) -> None:
        with self._changed:
            self._listeners.remove(listener)

    def _run(self, run_id: str) -> Run:
        if run_id not in self._runs:
            raise UnknownRun(f"No run {run_id!r} is on this host." if run_id else "No run is on this host.")
        return self._runs[run_id]

    def _newest(self) -> str:
        return next(reversed(self._runs), "")

    def _take(self, folder: RunFolder) -> None:
        spec = folder.spec()
        journal = Journal(folder.journal)
        try:
            progress = Progress.of(journal.records())
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{folder.journal}: not a journal of this agent's ({error}).") from error
        if not progress.ended:
            spec.check()
        self._runs[spec.run_id] = Run(spec, folder, journal, progress, folder.grants())
        with self._changed:
            self._tell()

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")


def _state(run: Run) -> str:
    if run.progress.ended:
        return run.progress.ended
    return "executing" if next_step(run.spec, run.grants, run.progress) else "idle"


def _place(due: DoTrial) -> dict[str, Any]:
    return {name: getattr(due, name) for name in PLACE}


def _given_up(due: DoTrial, progress: Progress) -> Trial:
    last = progress.torn.get(TrialKey(due.benchmark, due.block, due.combination), "no reason was recorded")
    reason = f"It was torn {MAX_ATTEMPTS} times, the last time so: {last}"
    return Trial(due.benchmark, due.block, due.position, due.combination, due.attempt, due.warmup, "failed", reason,
                 (), time.monotonic_ns(), 0, 0, ())  # fmt: skip
