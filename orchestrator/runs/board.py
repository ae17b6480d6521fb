# SPDX-License-Identifier: Apache-2.0
"""What the conductor's threads know together: how each host stands, whose turn it is, and what is told to the outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from orchestrator.model.errors import LabctlError, UnreachableError
from orchestrator.model.run import HostState, RunHost, RunSpec, RunState, RunStatus
from orchestrator.model.stopping import Goal
from orchestrator.runs.agent import AgentStatus
from orchestrator.runs.events import EventLog, Phase, read_events
from orchestrator.runs.history import History
from orchestrator.runs.sofar import so_far
from orchestrator.runs.tally import Tally
from orchestrator.runs.turns import Grant, HostProgress, next_grant
from orchestrator.stats.stopping import goal
from remote_agent.contract.benchmark import Metric


class RunFiles(Protocol):
    """Where a run's files stand (`orchestrator.results.store.RunFolder`)."""

    @property
    def events(self) -> Path: ...

    @property
    def cancel(self) -> Path: ...

    def journal(self, host: str) -> Path: ...

    def write_state(self, state: RunState) -> None: ...


@dataclass(slots=True)
class HostRecord:
    """One host as the board knows it. ``result`` None: not over.

    ``contact``: when it last gave a sign, ``moved``: when it last ended a trial or got a grant; both on the board's clock.
    ``known``: it has begun this run, now or under an earlier conductor; ``met``: under this one.
    ``goal`` is what follows from its journal as far as ``goal_of`` (the blocks done) says; None: nothing known yet.
    """

    host: RunHost
    contact: float
    moved: float
    history: History
    goal: Goal | None = None
    goal_of: Mapping[str, int] | None = None
    phase: Phase = Phase.CONNECTING
    tally: Tally = field(default_factory=Tally)
    granted: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    reachable: bool = False
    closed: bool = False
    known: bool = False
    met: bool = False
    problem: str = ""
    result: RunStatus | None = None
    error: LabctlError | None = None

    @property
    def busy(self) -> bool:
        return self.progress().busy

    @property
    def behind(self) -> bool:
        """Its journal has not yet told of all the blocks that it has done."""
        return any(self.history.blocks(name) < count for name, count in self.done.items())

    def progress(self, goal: Goal | None = None) -> HostProgress:
        return HostProgress(
            name=self.host.name,
            goal=goal,
            granted=self.granted,
            done=self.done,
            met=self.met,
            reachable=self.reachable,
            finished=self.result is not None,
            closed=self.closed,
        )

    def state(self) -> HostState:
        return HostState(
            name=self.host.name,
            status=self.result or RunStatus.RUNNING,
            trials_done=self.tally.done,
            trials_failed=self.tally.failed,
            leaks=self.tally.leaked,
            error=self.error.message if self.error else None,
        )


class Board:
    """Every method may be called from every thread; ``changed`` is notified when something is new."""

    def __init__(
        self,
        spec: RunSpec,
        files: RunFiles,
        settle: float,
        primaries: Mapping[str, Metric] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``primaries``: benchmark to its primary metric, which stopping rules and estimates so far are about."""
        self.spec = spec
        self.changed = threading.Condition(threading.RLock())
        self.cancelling = False
        self.dirty = True
        self._settle = settle
        self._clock = clock
        self._log = EventLog(files.events)
        self._free_at: dict[str, float] = {}
        self._primaries = primaries or {}
        names = {benchmark: metric.name for benchmark, metric in self._primaries.items()}
        self._hosts = {
            host.name: HostRecord(host, clock(), clock(), History(spec, names)) for host in spec.hosts
        }
        self._warmups = {plan.name: plan.warmup for plan in spec.benchmarks}
        self._start = goal(spec, {})
        self._told = _stops_told(files.events)

    def __getitem__(self, name: str) -> HostRecord:
        return self._hosts[name]

    def tell(self, kind: str, **fields: Any) -> None:
        """Append an event."""
        with self.changed:
            self._log.write(kind, **fields)

    def phase(self, name: str, phase: Phase, message: str = "") -> None:
        with self.changed:
            record = self._hosts[name]
            if record.phase != phase or message:
                record.phase = phase
                self.tell("phase", host=name, phase=phase, message=message)
                self._touch()

    def recall(self, name: str, records: Iterable[Mapping[str, Any]]) -> None:
        """What an earlier conductor has pulled: counted, and not told again."""
        with self.changed:
            record = self._hosts[name]
            for entry in records:
                record.tally.add(entry)
                record.history.add(entry)
            record.known = record.tally.done > 0

    def connected(self, name: str, status: AgentStatus) -> None:
        """A connection begins: what the agent says of grants replaces what was believed."""
        with self.changed:
            record = self._hosts[name]
            record.known = record.met = record.reachable = True
            record.closed = False
            record.granted = dict(status.granted)
            record.done = dict(status.done)
            record.moved = self._clock()
            self.phase(name, Phase.EXECUTING if record.busy else Phase.WAITING)
            self.heard(name)

    def lost(self, name: str, error: LabctlError) -> None:
        with self.changed:
            self._hosts[name].reachable = False
            self.phase(name, Phase.RECONNECTING, error.message)

    def heard(self, name: str) -> None:
        with self.changed:
            self._hosts[name].contact = self._clock()
            self._touch()

    def silence(self, name: str) -> float:
        """Seconds since the host last gave a sign."""
        return self._clock() - self._hosts[name].contact

    def standstill(self, name: str) -> float:
        """Seconds for which the host has been at work without ending a trial; 0 where nothing is granted to it."""
        record = self._hosts[name]
        return self._clock() - record.moved if record.busy else 0.0

    def take_status(self, name: str, status: AgentStatus) -> None:
        with self.changed:
            record = self._hosts[name]
            busy = record.busy
            for benchmark, until in status.done.items():
                record.done[benchmark] = max(until, record.done.get(benchmark, 0))
            if status.problem and status.problem != record.problem:
                hint = "It goes on by itself when that is over."
                self.tell("note", host=name, level="warning", message=status.problem, hint=hint)
            record.problem = status.problem
            if busy and not record.busy:
                self._free_at[record.host.turns_on] = self._clock() + self._settle
                self.phase(name, Phase.WAITING)
            self.heard(name)

    def take_records(self, name: str, records: Iterable[Mapping[str, Any]]) -> None:
        """New records of the host's journal: count and tell them."""
        with self.changed:
            record = self._hosts[name]
            for entry in records:
                record.tally.add(entry)
                ended = record.history.add(entry)
                if entry["type"] == "trial":
                    record.moved = self._clock()
                self._tell_record(record, entry)
                if ended is not None:
                    self._tell_block(record, str(entry["benchmark"]), ended)
            self.heard(name)

    def take_turn(self, name: str) -> Grant | None:
        """The grant that is due to this host now; taken, it counts as given, and its neighbours wait."""
        with self.changed:
            mine = self._hosts[name]
            seat = mine.host.turns_on
            if self.cancelling or self.pause(name) > 0:
                return None
            there = [record for record in self._hosts.values() if record.host.turns_on == seat]
            grant = next_grant([record.progress(self._goal(record)) for record in there])
            if grant is None or grant.host != name:
                return None
            mine.granted, mine.closed = dict(grant.until), grant.last
            mine.moved = self._clock()
            if mine.busy:
                self.phase(name, Phase.EXECUTING)
            self._touch()
            return grant

    def pause(self, name: str) -> float:
        """Seconds for which the host's machine still has to settle."""
        return max(0.0, self._free_at.get(self._hosts[name].host.turns_on, 0.0) - self._clock())

    def finish(self, name: str, result: RunStatus, error: LabctlError | None = None) -> None:
        """The host's part is over; its neighbours need not wait for it any more."""
        with self.changed:
            record = self._hosts[name]
            record.result, record.error, record.reachable = result, error, False
            if result is RunStatus.COMPLETE:
                self._tell_stops(record, goal(self.spec, record.history.standings()))
            self.phase(name, Phase(result.value), str(error) if error else "")
            self._touch()

    def cancel(self) -> None:
        with self.changed:
            if not self.cancelling:
                self.cancelling = True
                self._touch()

    @property
    def over(self) -> bool:
        with self.changed:
            return all(record.result is not None for record in self._hosts.values())

    def verdict(self) -> tuple[RunStatus, int]:
        """The run's status and exit code (DESIGN.md), once every host's part is over."""
        records = self._hosts.values()
        results = {record.result for record in records}
        if RunStatus.CANCELLED in results:
            return RunStatus.CANCELLED, 130
        status = RunStatus.FAILED if RunStatus.FAILED in results else RunStatus.COMPLETE
        if any(isinstance(record.error, UnreachableError) for record in records):
            return status, 3
        failed = status is RunStatus.FAILED or any(record.tally.failed for record in records)
        return status, 1 if failed else 0

    def state(self, status: RunStatus, exit_code: int | None) -> RunState:
        with self.changed:
            hosts = tuple(record.state() for record in self._hosts.values())
        return RunState(
            self.spec.id, status, hosts, datetime.now(UTC).isoformat(timespec="seconds"), exit_code
        )

    def _goal(self, record: HostRecord) -> Goal | None:
        """How far the host may go; looked at anew when it has done what was granted and its journal has told all of it."""
        if self._start.firm:
            return self._start
        if not record.met or record.busy or record.behind:
            return None
        if record.goal_of != record.done:
            record.goal, record.goal_of = goal(self.spec, record.history.standings()), dict(record.done)
            self._tell_goal(record, record.goal)
        return record.goal

    def _tell_goal(self, record: HostRecord, found: Goal) -> None:
        self.tell("goal", host=record.host.name, until=found.until, open=not found.final)
        self._tell_stops(record, found)

    def _tell_stops(self, record: HostRecord, found: Goal) -> None:
        """Each once, also over several conductors."""
        name = record.host.name
        for benchmark, halt in found.halts.items():
            if (name, benchmark) not in self._told:
                self._told.add((name, benchmark))
                counted = max(0, found.until[benchmark] - self._warmups[benchmark])
                fields = {"benchmark": benchmark, "reason": halt.reason, "reached": halt.reached}
                self.tell("stop", host=name, **fields, blocks=counted)

    def _tell_block(self, record: HostRecord, benchmark: str, block: int) -> None:
        self.tell(
            "block",
            host=record.host.name,
            benchmark=benchmark,
            block=block,
            warmup=block < self._warmups[benchmark],
            seconds=record.tally.block_seconds(benchmark, block),
            so_far=self._so_far(record, benchmark),
        )

    def _so_far(self, record: HostRecord, benchmark: str) -> Mapping[str, Any] | None:
        metric = self._primaries.get(benchmark)
        if metric is None:
            return None
        return so_far(metric, self.spec.baseline, record.history.standing(benchmark))

    def _tell_record(self, record: HostRecord, entry: Mapping[str, Any]) -> None:
        if entry["type"] == "trial":
            fields = {key: entry[key] for key in ("benchmark", "block", "combination", "status", "reason")}
            tally = record.tally
            counts = {"trials": tally.done, "failed": tally.failed, "leaked": tally.leaked}
            self.tell("trial", host=record.host.name, **fields, leaks=entry["leaks"], **counts)
        elif entry["type"] == "note":
            fields = {key: entry.get(key) for key in ("level", "message", "hint")}
            self.tell("note", host=record.host.name, **fields)
        elif entry["type"] == "torn":
            what = f"{entry['combination']} in block {entry['block']} of {entry['benchmark']} is redone"
            self.tell(
                "note", host=record.host.name, level="info", message=f"{what}: {entry['reason']}", hint=None
            )

    def _touch(self) -> None:
        self.dirty = True
        self.changed.notify_all()


def _stops_told(events: Path) -> set[tuple[str, str]]:
    """Host and benchmark of what earlier conductors have told."""
    return {
        (event["host"], event["benchmark"]) for event in read_events(events)[0] if event["type"] == "stop"
    }
