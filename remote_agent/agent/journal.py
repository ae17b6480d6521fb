# SPDX-License-Identifier: Apache-2.0
"""The journal's file: one writer appends whole lines and syncs them; readers get what is synced, in whole lines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

CHUNK = 256 * 1024
"""Bytes given at once, about: a chunk ends with a line."""


class OffsetError(Exception):
    """No line begins at the offset that was asked for; the text is one sentence."""


class Journal:
    """Opened, it cuts off what a crash left torn: nobody has seen those bytes, because only synced lines are served."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self.path = path
        self._descriptor: int | None = None
        path.touch(mode=0o600)
        self.torn = self._recover()
        self.size = path.stat().st_size
        """Bytes that are on the disk and end with a line."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record and sync it. Raises OSError: then nothing of it stays, and it may be appended again."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            _write(self._opened(), line)
        except OSError:
            self.close()
            with suppress(OSError):  # what cannot be cut off now is cut off before the next append
                os.truncate(self.path, self.size)
            raise
        self.size += len(line)

    def records(self) -> Iterator[Mapping[str, Any]]:
        """Every record, from the first."""
        with self.path.open("rb") as file:
            for line in file:
                yield json.loads(line)

    def read(self, offset: int, limit: int = CHUNK) -> bytes:
        """Whole lines from ``offset`` on, at least one if there is one, about ``limit`` bytes; empty at the end.

        Raises OffsetError.
        """
        size = self.size
        if offset < 0 or offset > size:
            raise OffsetError(f"The journal has {size} bytes; there is nothing at {offset}.")
        with self.path.open("rb") as file:
            if offset:
                file.seek(offset - 1)
                if file.read(1) != b"\n":
                    raise OffsetError(f"No line of the journal begins at byte {offset}.")
            data = file.read(min(limit, size - offset))
            if len(data) < size - offset and not data.endswith(b"\n"):
                data += file.readline()
        return data

    def close(self) -> None:
        """An append opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        """What is behind ``size`` is the torn rest of an append that failed. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            os.ftruncate(self._descriptor, self.size)
        return self._descriptor

    def _recover(self) -> int:
        """Cut off a last line that is unfinished or no record; the number of bytes that went."""
        content = self.path.read_bytes()
        keep = content.rfind(b"\n") + 1
        last = content[content.rfind(b"\n", 0, max(keep - 1, 0)) + 1 : keep]
        if last and not _is_record(last):
            keep -= len(last)
        if keep < len(content):
            with self.path.open("rb+") as file:
                file.truncate(keep)
                os.fsync(file.fileno())
        return len(content) - keep


def _write(descriptor: int, line: bytes) -> None:
    """All of it, past every cache. Raises OSError."""
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _is_record(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and "type" in record
