# SPDX-License-Identifier: Apache-2.0
"""The controller's copy of a host's journal: byte for byte what the host wrote, up to the last whole line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from orchestrator.files import FULL
from orchestrator.model.errors import DiskFull, ResultError


class JournalCopy:
    """Appends what is pulled, whole lines only, fsynced. ``size`` is what is safely here, and where to pull on from."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the copy; a line that a kill left torn is cut off. Raises ResultError."""
        self.path = path
        self._tail = b""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab+", buffering=0)
            self.size = self._cut_torn_line()
        except OSError as error:
            raise ResultError(f"{path}: cannot be written: {error.strerror}.") from error

    def append(self, offset: int, data: bytes) -> list[Mapping[str, Any]]:
        """Take over a chunk that begins at ``offset`` of the host's journal; gives the records that it completes.

        What is here already is passed over. Raises ResultError: a gap, a line that is no record; DiskFull. Then nothing of the
        chunk is kept, and it may be pulled again.
        """
        have = self.size + len(self._tail)
        if offset > have:
            raise ResultError(f"{self.path}: the host sent byte {offset}, but only {have} are here.")
        data = self._tail + data[have - offset :]
        cut = data.rfind(b"\n") + 1
        whole, self._tail = data[:cut], data[cut:]
        records = [_record(self.path, line) for line in whole.splitlines()]
        if whole:
            self._write(whole)
        return records

    def forget_tail(self) -> None:
        """Drop what came behind the last whole line: it will be pulled again."""
        self._tail = b""

    def records(self) -> Iterator[Mapping[str, Any]]:
        """Every record that is here. Raises ResultError."""
        with self.path.open("rb") as file:
            for line in file:
                yield _record(self.path, line)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> JournalCopy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, whole: bytes) -> None:
        """All of it, or nothing."""
        rest = memoryview(whole)
        try:
            self._file.truncate(self.size)  # what an attempt that failed has left is behind that
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self.size)
            kind = DiskFull if error.errno in FULL else ResultError
            hint = "Make room; what is missing is pulled then." if kind is DiskFull else None
            raise kind(f"{self.path}: cannot be written: {error.strerror}.", hint) from error
        self.size += len(whole)

    def _cut_torn_line(self) -> int:
        with self.path.open("rb") as file:
            size = sum(len(line) for line in file if line.endswith(b"\n"))
        self._file.truncate(size)
        return size


def _record(path: Path, line: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ResultError(f"{path}: a line is not JSON: {line[:60]!r}.") from error
    if not isinstance(record, dict) or "type" not in record:
        raise ResultError(f"{path}: a line is not a record: {line[:60]!r}.")
    return record
