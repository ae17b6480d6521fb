# SPDX-License-Identifier: Apache-2.0
"""events.jsonl: what the conductor tells the terminals that follow a run. One JSON object a line, appended and never edited.

Every event has ``type`` and ``time`` (UTC, ISO 8601). Counts are totals so far, so that a lost event loses no count.

    conductor  pid, resumed                                         a conductor has taken the run
    phase      host, phase, message                                 what a host is at (`Phase`); message may be empty
    trial      host, benchmark, block, combination, status, reason, leaks, trials, failed, leaked
    block      host, benchmark, block, warmup, seconds, so_far      a block is done; seconds on the host's clock, or null;
                                                                    so_far: the estimate (`sofar.so_far`), or null
    goal       host, until {benchmark: blocks}, open                where a stopping rule decides: how far the host may go now;
                                                                    open: more may follow
    stop       host, benchmark, reason, reached, blocks             a benchmark has enough counted blocks (`StopReason`);
                                                                    reached: the widest half-width as a share, or null
    note       host (or null), level ("info" | "warning"), message, hint
    end        status, exit_code, message                           nothing comes behind it
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchestrator.files import FULL
from orchestrator.model.text import printable_line, printable_value


class Phase(StrEnum):
    CONNECTING = "connecting"
    DEPLOYING = "deploying"
    PREFLIGHT = "preflight"
    WAITING = "waiting"
    EXECUTING = "executing"
    RECONNECTING = "reconnecting"
    CANCELLING = "cancelling"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EventLog:
    """Appends events, one owner at a time. What a full disk does not take is kept here, and comes with the next event."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now
        # A writer that was killed in the middle of a line must not swallow our first.
        self._rest = b"\n" if _is_torn(path) else b""

    def write(self, kind: str, **fields: Any) -> None:
        """Raises OSError, but for a full disk."""
        event = {"type": kind, "time": self._now().isoformat(timespec="milliseconds"), **fields}
        self._rest += json.dumps(event, separators=(",", ":")).encode() + b"\n"
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                while self._rest:
                    self._rest = self._rest[os.write(descriptor, self._rest) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in FULL:
                raise


def read_events(path: Path, offset: int = 0) -> tuple[list[Mapping[str, Any]], int]:
    """The whole lines from ``offset`` on, and where to read on. A line that is not JSON (torn by a kill) is left out."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    events = [event for line in whole.splitlines() if (event := _parse(line)) is not None]
    return events, offset + len(whole)


def follow(
    path: Path,
    alive: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
    interval: float = 0.1,
) -> Iterator[Mapping[str, Any] | None]:
    """All events, old ones first, then as they come; None each time there was nothing new (time to redraw).

    Ends behind an ``end`` event, or when nothing is new and ``alive`` says that nobody is writing any more.
    """
    offset = 0
    while True:
        living = alive()  # asked first: what a dying writer wrote is still read
        events, offset = read_events(path, offset)
        yield from events
        if any(event["type"] == "end" for event in events[-1:]) or (not events and not living):
            return
        if not events:
            yield None
            sleep(interval)


def _parse(line: bytes) -> Mapping[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or "type" not in event:
        return None
    return {key: _printable(value) for key, value in event.items()}


def _printable(value: Any) -> Any:
    """Terminals follow a run by lines: what events quote from hosts neither drives the terminal nor breaks a line."""
    return printable_line(value) if isinstance(value, str) else printable_value(value)


def _is_torn(path: Path) -> bool:
    """Does the last line lack its end?"""
    try:
        with path.open("rb") as file:
            return file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
    except FileNotFoundError:
        return False
