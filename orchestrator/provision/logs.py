# SPDX-License-Identifier: Apache-2.0
"""A log a host: every event, as a line with its time, in a folder. The log of the time before is replaced.

People read logs in a terminal (cat, less -R): control characters of hosts are escaped.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO

from orchestrator.provision.events import Event, EventSink, Kind


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class HostLogs:
    """A context manager, and a sink for events of many hosts."""

    def __init__(self, folder: Path, now: Callable[[], str] = _now) -> None:
        self._folder, self._now = folder, now
        self._lock = threading.Lock()
        self._files: dict[str, IO[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> HostLogs:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._stack.close()
            self._files.clear()

    def path(self, host: str) -> Path:
        """Where the log of a host is."""
        return self._folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', host)}.log"

    def emit(self, event: Event) -> None:
        lines = [f"{self._now()} {line}" for line in _lines(event.printable())]
        with self._lock:
            stream = self._files.get(event.host)
            if stream is None:
                stream = self._files[event.host] = self._stack.enter_context(
                    self.path(event.host).open("wb", buffering=0)
                )
            stream.write("".join(f"{line}\n" for line in lines).encode(errors="replace"))


class Several:
    """Tells every sink."""

    def __init__(self, sinks: Sequence[EventSink]) -> None:
        self._sinks = tuple(sinks)

    def emit(self, event: Event) -> None:
        for sink in self._sinks:
            sink.emit(event)


def _lines(event: Event) -> list[str]:
    if event.kind is Kind.CONNECTED:
        return [f"connected ({event.seconds:.3f} s)"]
    if event.kind is Kind.PLAY:
        return [f"play {event.play}"]
    if event.kind is Kind.TASK:
        return [f"task {event.task} ({event.module}, {event.place})"]
    if event.kind is Kind.PROGRESS:
        return [f"  ... {event.msg}"]
    if event.kind is Kind.ENDED:
        return [f"ended after {event.seconds:.3f} s{f': {event.msg}' if event.msg else ''}"]
    status = f"{event.status}{' (ignored)' if event.ignored else ''}"
    label = f" [{event.label}]" if event.label is not None else ""
    first = f"  {status}{label} {event.seconds:.3f} s{f': {event.msg}' if event.msg else ''}"
    rest = [f"  | {line}" for text in (event.detail, event.diff or "") for line in text.splitlines()]
    return [*first.splitlines(), *rest]
