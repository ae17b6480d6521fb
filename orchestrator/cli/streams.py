# SPDX-License-Identifier: Apache-2.0
"""Standard output and standard error of the command: whatever is written there, no text drives the terminal.

Text of hosts is escaped where it enters labctl (`orchestrator.model.text`). This is the net below, for a text that some
path forgot: of escape sequences only those pass that labctl's own output has (colours, and what rewrites a line).
"""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from orchestrator.model.text import UNSAFE, escape, printable

OWN = r"\x1b\[[0-9;]*m|\x1b\[[0-9]*[AK]|\x1b\[\?25[hl]|\r"
"""What click and rich write for labctl: colours; cursor up, erase in line; cursor hidden or shown; carriage return."""
_SEQUENCE = re.compile(f"({OWN})|[{UNSAFE}]")


def without_control(text: str) -> str:
    """``text`` with every control sequence escaped that is not labctl's own."""
    return _SEQUENCE.sub(lambda match: match[1] or escape(match[0]), text)


class GuardedStream(io.TextIOWrapper):
    """A text stream that passes everything through ``filter``."""

    def __init__(self, original: io.TextIOWrapper) -> None:
        original.flush()
        super().__init__(
            original.buffer,
            encoding=_encoding(original.encoding),
            errors="backslashreplace",
            newline="",
            line_buffering=original.line_buffering,
            write_through=original.write_through,
        )
        self.filter: Callable[[str], str] = without_control
        self._original = original  # which closes the bytes below when it is gone

    def write(self, text: str) -> int:
        super().write(self.filter(text))
        return len(text)


def guard(stream: TextIO) -> TextIO:
    """``stream`` guarded, on the same bytes; itself where there are none below it (a closed one's, a test's)."""
    if isinstance(stream, GuardedStream) or not isinstance(stream, io.TextIOWrapper):
        return stream
    return GuardedStream(stream)


def guard_streams() -> None:
    """Guard the process's own streams."""
    sys.stdout, sys.stderr = guard(sys.stdout), guard(sys.stderr)


@contextmanager
def exact_output() -> Iterator[TextIO]:
    """Standard output for data in another program's format: exact in a pipe or a file.

    Data has no sequence of labctl's own: on a terminal every one is escaped.
    """
    stream = sys.stdout
    if not isinstance(stream, GuardedStream):
        yield stream
        return
    stream.filter = printable if stream.isatty() else str
    try:
        yield stream
    finally:
        stream.filter = without_control


def _encoding(name: str) -> str:
    """Not ASCII: click would go around a stream that has it, to the bytes below."""
    return "utf-8" if codecs.lookup(name).name == "ascii" else name
