# SPDX-License-Identifier: Apache-2.0
"""One host's way through its plays: compile a task, send its steps ahead, wait only where something depends on an answer.

What waits: a task that looks at a result which is still on its way (Pending), handlers (they need to know what changed), a loop, a
failed_when or a fetch (the controller judges whether to go on), a name that is registered again, a throttled task. Everything else is
in flight at the same time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from orchestrator.load.language import Pending
from orchestrator.model.playbook import Play, Task
from orchestrator.provision.channel import Channel
from orchestrator.provision.compile import Compiled, Options, Unit, compile_task, problem_of
from orchestrator.provision.events import TAIL_LINES, Event, Kind
from orchestrator.provision.fetched import Incoming
from orchestrator.provision.judge import aggregated, judged, result_of, status_of
from orchestrator.provision.scope import PENDING, PlayVariables, Scope, ValueProblem, Variables
from orchestrator.provision.selection import Tags
from remote_agent.contract.steps import UNFORESEEN, Outcome, Status

WITHHELD = "The task failed; what it said is withheld (no_log)."
_IDS_A_TASK = 1_000_000


class HostStopped(Exception):
    """A task of this host failed: no more of its tasks."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(slots=True)
class Counts:
    """Tasks by how they ended; filled while the host's tasks go on."""

    ok: int = 0
    changed: int = 0
    skipped: int = 0
    failed: int = 0
    ignored: int = 0

    def add(self, status: Status, ignored: bool) -> None:
        if status is Status.FAILED and not ignored:
            self.failed += 1
        elif status is Status.SKIPPED:
            self.skipped += 1
        else:
            self.ok += 1
            self.changed += status is Status.CHANGED
            self.ignored += ignored


@dataclass(slots=True)
class _InFlight:
    """A task whose steps were sent, with the results that have come back so far."""

    compiled: Compiled
    number: int
    results: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    diffs: list[str] = field(default_factory=list)


class HostRun:
    """Carries out plays on one host. ``run`` raises HostStopped, or what the channel raises; ``counts`` hold either way."""

    def __init__(
        self,
        channel: Channel,
        variables: Variables,
        options: Options,
        emit: Callable[[Event], None],
        total: int = 0,
    ) -> None:
        self._channel, self._variables, self._options, self._emit, self._total = (
            channel,
            variables,
            options,
            emit,
            total,
        )
        self.counts = Counts()
        self._play: Play
        self._scopes: PlayVariables
        self._queue: deque[_InFlight] = deque()
        self._ids = count()
        self._number = 0
        self._notified: set[int] = set()

    def run(self, play: Play, vars_files: Sequence[Mapping[str, Any]], tags: Tags) -> None:
        """One play: its sections, the handlers after each. ``tags`` select the tasks."""
        self._play, self._scopes = play, self._variables.for_play(play, vars_files)
        self._options = replace(self._options, directory=play.directory)
        self._emit(Event(Kind.PLAY, self._channel.host, play=play.name))
        for section in play.sections:
            for task in section:
                if tags.select(task):
                    self._number += 1
                    self._task(task)
            if tags.flush:
                self._flush_handlers()
        self._drain()
        self._notified.clear()

    def _task(self, task: Task) -> None:
        if task.register in self._variables.live:
            self._drain()
        compiled = self._compiled(task)
        if compiled.local and any((unit.result or {}).get("failed") for unit in compiled.units):
            self._drain()  # what was sent before comes first, and may fail itself
        if compiled.facts.keys() & self._variables.live.keys():
            self._drain()  # what is under way is judged by the old value
        self._begin(_InFlight(compiled, self._number))
        while self._queue and self._queue[0].compiled.local:
            self._advance()
        if task.loop is not None or task.failed_when is not None or task.module == "fetch":
            self._drain()
        if (
            task.module == "meta"
            and task.args["action"] == "flush_handlers"
            and not (compiled.units[0].result or {}).get("skipped")
        ):
            self._flush_handlers()

    def _begin(self, entry: _InFlight) -> None:
        """Send the task's steps; where it is throttled, as soon as it is this host's turn, and wait for their end."""
        task = entry.compiled.task
        if not task.throttle or entry.compiled.local:
            self._send(entry)
            return
        self._drain()
        with self._options.throttles.turn(task):
            self._send(entry)
            self._drain()

    def _send(self, entry: _InFlight) -> None:
        for unit in entry.compiled.units:
            if unit.step is not None:
                self._channel.send(unit.step)
        self._expect(entry)
        self._queue.append(entry)

    def _compiled(self, task: Task) -> Compiled:
        """Compile; where a result is missing, take outcomes until it is there, and compile again."""
        scope = self._scopes.scope(task)
        while True:
            try:
                return compile_task(task, scope, self._options, next(self._ids) * _IDS_A_TASK)
            except Pending as pending:
                self._wait_for(pending.name)
            except ValueProblem as problem:
                unit = _failed(task, scope, str(problem))
                return Compiled(task, task.title, (unit,), ())

    def _expect(self, entry: _InFlight) -> None:
        """Make known at once what is known: facts that were set, a result that needs no host; else that it will come."""
        compiled, live = entry.compiled, self._variables.live
        live.update(compiled.facts)
        if compiled.task.register is not None:
            live[compiled.task.register] = PENDING

    def _wait_for(self, name: str) -> None:
        while self._variables.live.get(name) is PENDING:
            self._advance()

    def _drain(self) -> None:
        while self._queue:
            self._advance()

    def _advance(self) -> None:
        """Take the outcomes of the task whose turn it is, and settle it. Raises HostStopped."""
        entry = self._queue.popleft()
        task = entry.compiled.task
        self._tell(entry, Kind.TASK)
        for unit in entry.compiled.units:
            outcome = self._outcome(entry, unit)
            result = judged(
                task, unit, result_of(outcome) if unit.step is not None else dict(unit.result or {})
            )
            entry.results.append(result)
            entry.seconds += outcome.seconds
            if outcome.diff:
                entry.diffs.append(outcome.diff)
            if entry.compiled.looped:
                self._tell(entry, Kind.ITEM, result, unit, outcome)
        self._settle(entry)

    def _outcome(self, entry: _InFlight, unit: Unit) -> Outcome:
        if unit.step is None:
            return Outcome(-1, Status.OK)
        if unit.step.module == "fetch":
            with Incoming(unit.step.args) as incoming:
                return incoming.settle(self._answer(entry, take=incoming.take), unit.step.check)
        return self._answer(entry)

    def _answer(self, entry: _InFlight, **brought: Callable[[bytes], None]) -> Outcome:
        files = self._options.files
        return self._channel.outcome(files, lambda _, message: self._progress(entry, message), **brought)

    def _settle(self, entry: _InFlight) -> None:
        task, units = entry.compiled.task, entry.compiled.units
        result = aggregated(units, entry.results) if entry.compiled.looped else entry.results[0]
        status = status_of(result)
        ignored = status is Status.FAILED and task.ignore_errors
        if task.register is not None:
            self._variables.live[task.register] = result
        if status is Status.CHANGED:
            self._notify(entry.compiled)
        self.counts.add(status, ignored)
        self._tell(entry, Kind.RESULT, result)
        if status is Status.FAILED and not ignored:
            raise HostStopped(f"{entry.compiled.name}: {self._message(task, result)}")

    def _notify(self, compiled: Compiled) -> None:
        for name in compiled.notify:
            found = _answering(self._play.handlers, name)
            if not found:
                handler = "such handler as it notifies" if compiled.task.no_log else f"handler '{name}'"
                raise HostStopped(f"{compiled.name}: there is no {handler} in the play '{self._play.name}'.")
            self._notified |= found

    def _flush_handlers(self) -> None:
        """Each handler that was notified, once, in the order in which handlers are defined.

        One that a handler notifies is carried out in its turn; if its turn is over, when handlers are flushed the next time.
        """
        self._drain()
        for number, handler in enumerate(self._play.handlers):
            if number in self._notified:
                self._notified.discard(number)
                self._task(handler)
                self._drain()

    def _progress(self, entry: _InFlight, message: str) -> None:
        if not entry.compiled.task.no_log:
            self._emit(replace(self._event(entry, Kind.PROGRESS), msg=message))

    def _tell(
        self,
        entry: _InFlight,
        kind: Kind,
        result: Mapping[str, Any] | None = None,
        unit: Unit | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        event = self._event(entry, kind)
        if result is not None:
            task, status = entry.compiled.task, status_of(result)
            diff = outcome.diff if outcome else "".join(entry.diffs) or None
            event = replace(
                event,
                status=status,
                ignored=status is Status.FAILED and task.ignore_errors,
                label=unit.label if unit else None,
                items=len(entry.results) if entry.compiled.looped and unit is None else 0,
                msg=self._message(task, result),
                detail=_detail(task, result),
                diff=None if task.no_log or (entry.compiled.looped and unit is None) else diff,
                seconds=outcome.seconds if outcome else entry.seconds,
            )
        self._emit(event)

    def _event(self, entry: _InFlight, kind: Kind) -> Event:
        task = entry.compiled.task
        return Event(
            kind,
            self._channel.host,
            play=self._play.name,
            task=entry.compiled.name,
            module=task.module,
            place=f"{task.origin.file}:{task.origin.line}",
            number=entry.number,
            total=self._total,
        )

    def _message(self, task: Task, result: Mapping[str, Any]) -> str:
        if task.no_log:
            # That a command would have run is no secret.
            return WITHHELD if result.get("failed") else UNFORESEEN if result.get("msg") == UNFORESEEN else ""
        if task.loop is not None and result.get("failed") and "results" in result:
            first = next(entry for entry in result["results"] if entry.get("failed"))
            return str(first.get("msg", result["msg"]))
        if task.module == "debug" and "msg" not in result:
            return "\n".join(
                f"{name}: {value}" for name, value in result.items() if name not in ("changed", "failed")
            )
        return str(result.get("msg", ""))


def _answering(handlers: Sequence[Task], name: str) -> set[int]:
    """Handlers that are called ``name`` or listen to it; of those of one name the last, as in Ansible."""
    called = [number for number, handler in enumerate(handlers) if name in (handler.name, handler.title)]
    listening = {
        handler.name if "name" in handler.places else number: number
        for number, handler in enumerate(handlers)
        if name in handler.listen
    }
    return {*called[-1:], *listening.values()}


def _failed(task: Task, scope: Scope, message: str) -> Unit:
    return Unit(scope, result=problem_of(task, message))


def _detail(task: Task, result: Mapping[str, Any]) -> str:
    """The end of what a failed command said; nothing of a task whose log is withheld."""
    if task.no_log or not result.get("failed"):
        return ""
    said = str(result.get("stderr") or result.get("stdout") or "").rstrip()
    return "\n".join(said.splitlines()[-TAIL_LINES:])
