# SPDX-License-Identifier: Apache-2.0
"""The net below all verbs: what is written to standard output and standard error cannot drive the terminal."""

from __future__ import annotations

import ast
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator
from orchestrator.cli.streams import GuardedStream, exact_output, guard, without_control
from tests.pseudo_terminal import raw_sequences

HOSTILE = "\x1b]0;title\x07 \x1b[2J \x1b[10;10H \x1bc \x1b[?1049h \x9b31m \u202e \x1b(0 \x1bP+q\x1b\\ \x1b[5n"
"""Title, erase, move, reset, another screen, C1, an override, another character set, a device's string, a report."""


def stream(terminal: bool = False) -> tuple[io.BytesIO, io.TextIOWrapper]:
    below = io.BytesIO()
    below.isatty = lambda: terminal  # type: ignore[method-assign]
    return below, io.TextIOWrapper(below, encoding="utf-8")


def test_nothing_but_labctls_own_sequences_passes() -> None:
    shown = without_control(HOSTILE)
    assert shown.isascii()
    assert shown.isprintable()
    own = "\x1b[1;31mred\x1b[0m \r\x1b[K \x1b[1A\x1b[2K \x1b[?25l\x1b[?25h\n\t"
    assert without_control(own) == own


def test_a_sequence_in_two_writes_is_no_sequence() -> None:
    below, text = stream()
    guarded = guard(text)
    for part in ("\x1b", "[2J", "\x1b[", "31m"):
        guarded.write(part)
    guarded.flush()
    assert below.getvalue() == rb"\u001b[2J\u001b[31m"


def test_data_is_exact_in_a_pipe_and_guarded_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal, written in ((False, "\x1b[31m\x1b[2J\n"), (True, "\\u001b[31m\\u001b[2J\n")):
        below, text = stream(terminal)
        monkeypatch.setattr(sys, "stdout", guard(text))
        with exact_output() as data:
            data.write("\x1b[31m\x1b[2J\n")
        sys.stdout.write("\x1b[31m\x1b[2J\n")
        sys.stdout.flush()
        assert below.getvalue().decode() == f"{written}\x1b[31m\\u001b[2J\n"


def test_what_no_encoding_has_is_written_all_the_same() -> None:
    below = io.BytesIO()
    guarded = guard(io.TextIOWrapper(below, encoding="latin-1"))
    guarded.write("5 µs – \udce9\n")
    guarded.flush()
    assert below.getvalue() == b"5 \xb5s \\u2013 \\udce9\n"
    ascii_below = io.BytesIO()
    ascii_guard = guard(io.TextIOWrapper(ascii_below, encoding="ascii"))
    assert ascii_guard.encoding == "utf-8", "click goes around a stream in ASCII, to the bytes below"
    assert isinstance(ascii_guard, GuardedStream)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_command_guards_both_streams_before_any_verb(tmp_path: Path, encoding: str) -> None:
    """On a terminal, where the bytes are read as they arrive."""
    script = (
        "import sys, click\nfrom orchestrator.cli import main\n"
        f"def verb():\n    click.echo({HOSTILE!r})\n    click.echo({HOSTILE!r}, err=True)\n"
        f"    print({HOSTILE!r}, file=sys.stderr)\n    raise ValueError({HOSTILE!r})\n"
        "main.run = verb\nmain.main()\n"
    )
    out, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=terminal, stderr=terminal, env=environment
    ) as process:
        os.close(terminal)
        arrived = read_all(out)
        process.wait(30)
    assert arrived.count(rb"\u001b]0;title\u0007") >= 4, arrived
    assert raw_sequences(arrived) == [], "colours are Python's own: 3.13 has them in tracebacks"


def read_all(descriptor: int) -> bytes:
    arrived = b""
    try:
        while data := os.read(descriptor, 65536):
            arrived += data
    except OSError:  # Linux says that the other side is closed in this way
        pass
    finally:
        os.close(descriptor)
    return arrived


def test_every_console_of_rich_is_made_where_markup_is_off() -> None:
    """`[red]` and `[link=...]` in a host's text are text. Nobody makes a console, or reads markup, anywhere else."""
    modules = set()
    for path in Path(orchestrator.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Console":
                off = {word.arg for word in node.keywords if getattr(word.value, "value", True) is False}
                assert {"markup", "highlight", "emoji"} <= off, f"{path}:{node.lineno}"
                modules.add(path.name)
            assert not (isinstance(node, ast.Attribute) and node.attr == "from_markup"), (
                f"{path}:{node.lineno}"
            )
    assert modules == {"console.py", "terminal.py"}
