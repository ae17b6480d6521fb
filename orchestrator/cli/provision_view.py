# SPDX-License-Identifier: Apache-2.0
"""How provisioning looks on a terminal: what changed and what failed as lines, what is going on in one line that is rewritten."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from orchestrator.provision.events import Event, HostReport, Kind
from remote_agent.contract.steps import Status

if TYPE_CHECKING:
    from orchestrator.pipeline.provision import Recap

_COLOURS = {Status.CHANGED: "yellow", Status.FAILED: "red", Status.OK: "green", Status.SKIPPED: "cyan"}
_REDRAW_SECONDS = 0.1
_ERASE = "\r\x1b[K"


class JsonLines:
    """An event a line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def emit(self, event: Event) -> None:
        with self._lock:
            click.echo(json.dumps(event.to_json(), default=str))


class Terminal:
    """Results on standard output, if wanted; the line that is rewritten on standard error, where that is a terminal."""

    def __init__(self, verbose: bool = False, check: bool = False, results: bool = True) -> None:
        self._verbose, self._check, self._results = verbose, check, results
        self._lock = threading.Lock()
        self._live = sys.stderr.isatty()
        self._now: dict[str, Event] = {}
        self._drawn = 0.0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._erase()

    def emit(self, event: Event) -> None:
        event = event.printable()
        with self._lock:
            if self._results and event.kind in (Kind.RESULT, Kind.ITEM):
                self._result(event)
            self._follow(event)

    def _result(self, event: Event) -> None:
        if event.items or event.status is None:  # its items have said it
            return
        debug = event.module == "debug" and event.status is Status.OK
        if not (self._verbose or debug or event.status in (Status.CHANGED, Status.FAILED)):
            return
        self._erase()
        failed = event.status is Status.FAILED
        title = f"{event.task} [{event.label}]" if event.label is not None else event.task
        unpacked = (
            event.module == "unarchive" and event.status is Status.CHANGED
        )  # may say what had been spoilt
        said = f": {event.msg}" if event.msg and (failed or debug or unpacked) else ""
        click.echo(
            f"{event.host}  {click.style(self._word(event), fg=_COLOURS[event.status])}  {title}{said}"
        )
        if failed and not event.ignored:
            click.echo(f"    at {event.place}")
        for line in event.detail.splitlines():
            click.echo(f"    {line}")
        for line in (event.diff or "").splitlines():
            click.echo(click.style(f"    {line}", fg={"+": "green", "-": "red"}.get(line[:1])))

    def _word(self, event: Event) -> str:
        if event.ignored:
            return "ignored"
        return "would change" if self._check and event.status is Status.CHANGED else str(event.status)

    def _follow(self, event: Event) -> None:
        if not self._live:
            return
        if event.kind is Kind.ENDED:
            self._now.pop(event.host, None)
        elif event.kind in (Kind.TASK, Kind.PROGRESS):
            self._now[event.host] = event
        if time.monotonic() - self._drawn >= _REDRAW_SECONDS and self._now:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        behind = min(self._now.values(), key=lambda event: event.number)
        more = f" and {len(self._now) - 1} more" if len(self._now) > 1 else ""
        doing = f" ({behind.msg})" if behind.kind is Kind.PROGRESS else ""
        line = f"{behind.host}{more}: {behind.number}/{behind.total} {behind.task}{doing}"
        sys.stderr.write(f"{_ERASE}{line[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()

    def _erase(self) -> None:
        if self._live:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
            self._drawn = 0.0

    @staticmethod
    def recap(recap: Recap, logs: Mapping[str, Path]) -> None:
        """A line a host, as Ansible's recap, and what went wrong where."""
        reports = [report.printable() for report in recap.hosts]
        width = max((len(report.host) for report in reports), default=0)
        for report in reports:
            click.echo(f"{report.host:<{width}}  {_numbers(report)}  {report.seconds:.1f} s")
        for report in reports:
            if report.error:
                word = "unreachable" if report.unreachable else "failed"
                click.echo(
                    f"{click.style(report.host, fg='red')} {word}: {report.error}{f' {report.hint}' if report.hint else ''}",
                    err=True,
                )
                click.echo(f"    log: {logs[report.host]}", err=True)
        click.echo(f"{len(recap.hosts)} host{'s' if len(recap.hosts) != 1 else ''} in {recap.seconds:.1f} s")


def _numbers(report: HostReport) -> str:
    numbers = {
        "ok": (report.ok, "green"),
        "changed": (report.changed, "yellow"),
        "skipped": (report.skipped, "cyan"),
        "failed": (report.failed, "red"),
        "ignored": (report.ignored, "cyan"),
        "unreachable": (report.unreachable, "red"),
    }
    return " ".join(
        click.style(f"{name}={number}", fg=colour if number else None)
        for name, (number, colour) in numbers.items()
    )
