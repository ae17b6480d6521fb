# SPDX-License-Identifier: Apache-2.0
"""`labctl` on a pseudo-terminal, the bytes that arrive there, and texts as a hostile host would send them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LABCTL = [sys.executable, "-m", "orchestrator.cli.main"]
REPOSITORY = Path(__file__).parent.parent
ROWS, COLUMNS = 50, 160
OWN = re.compile(r"\x1b\[(?!8;31m)[0-9;]*m|\x1b\[(?!77A)[0-9]*[AK]|\x1b\[\?25[hl]|\r")
"""What labctl itself may send: colours, and what rewrites a line. Of each kind, what `hostile` has is no part of it."""
REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def hostile(tag: str) -> str:
    """Conceals, sets the title, goes up, erases, asks for an answer (C1), reorders, and is markup of rich's."""
    return f"{tag}\x1b[8;31m\x1b]0;{tag}\x07\x1b[77A\x1b[2J\x9b5n\u202e\u2066[/red][link=http://{tag}]"


def escaped_form(tag: str) -> str:
    """How the beginning of `hostile` must look."""
    return rf"{tag}\u001b[8;31m\u001b]0;{tag}\u0007"


def raw_sequences(output: bytes) -> list[str]:
    """Everything in ``output`` that could drive a terminal and is not labctl's own, with what stands before it."""
    text = OWN.sub("", output.decode("utf-8", "replace"))
    return [repr(text[max(0, at - 40) : at + 20]) for at, character in enumerate(text) if _drives(character)]


def _drives(character: str) -> bool:
    control = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in "\n\t"
    return control or unicodedata.bidirectional(character) in REORDERING or character == "\ufffd"


@dataclass(frozen=True)
class CommandResult:
    """A command that has ended: its exit code, and all the bytes that its terminal, or its two pipes, got."""

    code: int
    output: bytes

    @property
    def text(self) -> str:
        """Without labctl's own sequences, and without the ends of lines, which a table may have put into a word."""
        return "".join(OWN.sub("", self.output.decode("utf-8", "replace")).split())

    def has(self, words: str) -> bool:
        return "".join(words.split()) in self.text


def on_terminal(
    words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, seconds: float = 300
) -> CommandResult:
    """Type ``labctl WORDS`` in ``folder``, at a terminal for input, output and errors."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")
    }
    whole = {**inherited, "TERM": "xterm-256color", "PYTHONPATH": str(REPOSITORY), **(environment or {})}
    with subprocess.Popen(
        [*LABCTL, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=whole,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        late = threading.Timer(seconds, process.kill)
        late.start()
        output = _read_all(ours)
        code = process.wait()
        late.cancel()
    return CommandResult(code, output)


def through_pipes(words: Sequence[str], folder: Path, seconds: float = 300) -> CommandResult:
    """The same without a terminal: standard output, then standard error."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [*LABCTL, *words], capture_output=True, cwd=folder, env=environment, timeout=seconds, check=False
    )
    return CommandResult(done.returncode, done.stdout + done.stderr)


def _read_all(descriptor: int) -> bytes:
    arrived = b""
    try:
        while data := os.read(descriptor, 65536):
            arrived += data
    except OSError:  # in this way Linux says that nobody has the other side open any more
        pass
    finally:
        os.close(descriptor)
    return arrived
