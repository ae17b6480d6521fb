# SPDX-License-Identifier: Apache-2.0
"""Everything that is done on one host: facts, then its plays, over one channel; what became of it as a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.load.language import Language, TemplateFailed
from orchestrator.load.roles import read_vars_file
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
from orchestrator.provision.scope import Variables
from orchestrator.provision.selection import Tags
from orchestrator.provision.throttles import Throttles
from remote_agent.contract.bootstrap import SETUP
from remote_agent.contract.steps import Status


class Connection(channel.Connection, python.Connection, Protocol):
    """What is needed of a connection to a host (orchestrator.ssh.Connection)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The same for every host. ``extra`` are the variables of the command line, ``moving`` the names that tasks of the playbook set."""

    language: Language
    inventory: Inventory
    files: Blobs = field(default_factory=Blobs)
    extra: Mapping[str, Any] = field(default_factory=dict)
    tags: Tags = field(default_factory=Tags)
    check: bool = False
    diff: bool = False
    throttles: Throttles = field(default_factory=Throttles)
    moving: frozenset[str] = frozenset()


def provision_host(
    connection: Connection,
    host: Host,
    plays: Sequence[Play],
    settings: Settings,
    sink: EventSink,
    clock: Callable[[], float] = time.monotonic,
    began: float | None = None,
) -> HostReport:
    """Carry out ``plays`` on ``host``. A task that fails, a lost runner and a lost connection are in the report.

    ``began`` is when the host's turn began, by ``clock``, for its total time.
    """
    start = clock() if began is None else began
    counts, error = Counts(), None
    try:
        with ExitStack() as stack:
            runner = _runner(connection, plays, settings, sink, stack)
            sink.emit(Event(Kind.CONNECTED, host.name, seconds=clock() - start))
            variables = Variables(
                settings.language,
                settings.inventory,
                host,
                settings.extra,
                {},
                settings.check,
                settings.moving,
            )
            options = Options(
                settings.language,
                settings.files,
                Path(),
                settings.check,
                settings.diff,
                settings.throttles,
            )
            total = sum(settings.tags.select(task) for play in plays for task in play.tasks)
            run = HostRun(runner, variables, options, sink.emit, total)
            counts = run.counts
            for play in plays:
                if play.gather_facts:
                    variables.learn(runner.facts())
                run.run(play, _vars_files(play, variables, settings.language), settings.tags)
            runner.end()
    except HostStopped as stopped:
        report = report_of(host.name, counts, clock() - start, stopped.message, failed=1)
        sink.emit(_ended(report))
        return report
    except LabctlError as lost:
        error = lost
    report = (
        report_of_error(host.name, error, clock() - start, counts)
        if error
        else report_of(host.name, counts, clock() - start)
    )
    sink.emit(_ended(report))
    return report


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
            path = play.directory / str(scope.render(written.value))
        except TemplateFailed as error:
            raise _vars_error(written, str(error)) from error
        if not path.is_file():
            raise _vars_error(written, f"there is no file {path}.")
        found.append(read_vars_file(path, language))
    return found


def _vars_error(written: Written, message: str) -> ConfigError:
    origin = written.origin
    return ConfigError(message, file=origin.file, line=origin.line, column=origin.column, key="vars_files")
