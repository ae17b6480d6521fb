# SPDX-License-Identifier: Apache-2.0
"""Everything that is done on one host: facts, then its plays, over one channel; what became of it as a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.load.language import Language, TemplateFailed
from orchestrator.load.roles import read_vars_file
from orchestrator.load.search import candidates, find_file, tried
from orchestrator.model.errors import ConfigError, LabctlError, UnreachableError
from orchestrator.model.inventory import Host, Inventory
from orchestrator.model.playbook import Play, Written
from orchestrator.provision import channel, python
from orchestrator.provision.channel import Channel, PythonMissing
from orchestrator.provision.compile import Options
from orchestrator.provision.engine import Counts, HostRun, HostStopped
from orchestrator.provision.events import Event, EventSink, HostReport, Kind
from orchestrator.provision.files import Blobs
from orchestrator.provision.python import install_python
from orchestrator.provision.scope import Known, Variables
from orchestrator.provision.selection import Tags
from orchestrator.provision.throttles import Throttles
from remote_agent.contract.bootstrap import SETUP
from remote_agent.contract.steps import Status


class Connection(channel.Connection, python.Connection, Protocol):
    """What is needed of a connection to a host (orchestrator.ssh.Connection)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The same for every host. ``extra`` are the variables of the command line. ``known`` is what hosts find out and set."""

    language: Language
    inventory: Inventory
    files: Blobs = field(default_factory=Blobs)
    extra: Mapping[str, Any] = field(default_factory=dict)
    tags: Tags = field(default_factory=Tags)
    check: bool = False
    diff: bool = False
    throttles: Throttles = field(default_factory=Throttles)
    known: Known = field(default_factory=Known)
    command: Mapping[str, Any] = field(default_factory=dict)
    """Special variables that the command line decides."""


class Visit:
    """One host, from its first play to its last, over one channel. A task that fails, a lost runner and a lost connection end
    it, and are in the report. One thread at a time uses it.

    ``reach`` connects, ``plays`` are the host's own, in order.
    """

    def __init__(
        self,
        host: Host,
        plays: Sequence[Play],
        settings: Settings,
        sink: EventSink,
        reach: Callable[[], AbstractContextManager[Connection]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.report: HostReport | None = None
        """When it has ended, what became of it."""
        self._host, self._plays, self._settings, self._sink = host, plays, settings, sink
        self._reach, self._clock = reach, clock
        self._began: float | None = None
        self._counts = Counts()
        self._stack = ExitStack()
        self._runner: Channel | None = None
        self._run: HostRun
        self._variables: Variables

    def takes_part_in(self, play: Play) -> bool:
        """Is the play its own, and is it there to see it?"""
        return self.report is None and self.is_of(play)

    def is_of(self, play: Play) -> bool:
        """Is the play its own, whether it is there to see it or not?"""
        return any(own is play for own in self._plays)

    def carry_out(self, play: Play, company: tuple[Sequence[str], Sequence[str]] | None = None) -> None:
        """One of its plays; after the last one nothing is left open. Does nothing once it has ended.

        ``company`` are the play's hosts: all, and those that have come so far.
        """
        if self.report is not None:
            return
        try:
            runner = self._runner or self._begin()
            self._variables.company = company or self._variables.company
            if play.gather_facts:
                self._variables.learn(runner.facts())
            files = _vars_files(play, self._variables, self._settings.language)
            self._run.run(play, files, self._settings.tags)
            if play is self._plays[-1]:
                runner.end()
                self._end(report_of(self._host.name, self._counts, self._seconds()))
        except HostStopped as stopped:
            self._end(report_of(self._host.name, self._counts, self._seconds(), stopped.message, failed=1))
        except LabctlError as lost:
            self._end(report_of_error(self._host.name, lost, self._seconds(), self._counts))

    def break_off(self, why: str) -> None:
        """Go no further, for a reason that is not the host's."""
        if self.report is None:
            self._end(report_of(self._host.name, self._counts, self._seconds(), why))

    def _begin(self) -> Channel:
        settings, self._began = self._settings, self._clock()
        connection = self._stack.enter_context(self._reach())
        runner = self._runner = _runner(connection, self._plays, settings, self._sink, self._stack)
        self._sink.emit(Event(Kind.CONNECTED, self._host.name, seconds=self._seconds()))
        variables = self._variables = Variables(
            settings.language,
            settings.inventory,
            self._host,
            settings.extra,
            settings.check,
            settings.known,
            {"ansible_diff_mode": settings.diff, **settings.command},
        )
        options = Options(
            settings.language, settings.files, Path(), settings.check, settings.diff, settings.throttles
        )
        total = sum(settings.tags.select(task) for play in self._plays for task in play.tasks)
        self._run = HostRun(runner, variables, options, self._sink.emit, total)
        self._counts = self._run.counts
        return runner

    def _seconds(self) -> float:
        return 0.0 if self._began is None else self._clock() - self._began

    def _end(self, report: HostReport) -> None:
        self.report = report
        self._stack.close()
        self._sink.emit(_ended(report))


def carry_out_plays(
    plays: Sequence[Play],
    visits: Mapping[str, Visit],
    at_once: Callable[[Sequence[str], Callable[[str], None]], object],
) -> None:
    """As Ansible does: a play begins when the one before it has ended on all of its hosts, and if it fails on all of them, none
    follows. Within a play each host goes its own way.

    ``at_once(names, work)`` does the work for every host, and returns when all is done.
    """
    for play in plays:
        names = [name for name, visit in visits.items() if visit.takes_part_in(play)]
        company = ([name for name, visit in visits.items() if visit.is_of(play)], names)
        at_once(names, lambda name, play=play, company=company: visits[name].carry_out(play, company))  # type: ignore[misc]
        reports = [visits[name].report for name in names]
        if reports and all(report is not None and report.error for report in reports):
            for visit in visits.values():
                visit.break_off(f"the play '{play.name}' failed on every host, so no other followed.")
            return


def _runner(
    connection: Connection, plays: Sequence[Play], settings: Settings, sink: EventSink, stack: ExitStack
) -> Channel:
    """The channel to a runner that has answered; python3 is installed first where it is missing (a prediction does not)."""
    modules = {task.module for play in plays for task in (*play.tasks, *play.handlers)}
    modules |= {SETUP} if any(play.gather_facts for play in plays) else set()
    try:
        return stack.enter_context(Channel(connection, modules)).greeted()
    except PythonMissing:
        if settings.check:
            raise
    host = str(connection.endpoint.host)
    told = "python3 is missing here: installing it first (apt-get install python3)"
    sink.emit(Event(Kind.PROGRESS, host, task="Install python3", msg=told))
    install_python(connection)
    sink.emit(Event(Kind.RESULT, host, task="Install python3", module="raw", status=Status.CHANGED, msg=told))
    return stack.enter_context(Channel(connection, modules)).greeted()


def report_of(
    host: str, counts: Counts, seconds: float, error: str | None = None, failed: int = 0
) -> HostReport:
    """The report of a host that was reached to its end, or to the task that failed."""
    numbers = {**asdict(counts), "failed": max(counts.failed, failed)}
    return HostReport(host, **numbers, error=error, exit_code=1 if error else 0, seconds=seconds)


def report_of_error(
    host: str, error: LabctlError, seconds: float, counts: Counts | None = None
) -> HostReport:
    """The report of a host that was not reached, or lost on the way."""
    numbers = asdict(counts or Counts())
    unreachable = isinstance(error, UnreachableError)
    return HostReport(
        host,
        **{**numbers, "failed": numbers["failed"] if unreachable else max(1, numbers["failed"])},
        unreachable=int(unreachable),
        error=error.message.removeprefix(f"{host}: "),
        hint=error.hint,
        exit_code=error.exit_code,
        seconds=seconds,
    )


def _ended(report: HostReport) -> Event:
    return Event(Kind.ENDED, report.host, msg=report.error or "", seconds=report.seconds)


def _vars_files(play: Play, variables: Variables, language: Language) -> list[dict[str, Any]]:
    """The play's vars_files, in order; a later one's name may be made of an earlier one's variables. Raises ConfigError."""
    found: list[dict[str, Any]] = []
    for written in play.vars_files:
        scope = variables.for_play(play, found).scope()
        try:
            name = str(scope.render(written.value))
        except TemplateFailed as error:
            raise _vars_error(written, str(error)) from error
        path = find_file("vars", name, None, play.directory)
        if path is None:
            looked_for = tried(candidates("vars", name, None, play.directory))
            raise _vars_error(written, f"there is no file '{name}' (looked for: {looked_for}).")
        found.append(read_vars_file(path, language))
    return found


def _vars_error(written: Written, message: str) -> ConfigError:
    origin = written.origin
    return ConfigError(message, file=origin.file, line=origin.line, column=origin.column, key="vars_files")
