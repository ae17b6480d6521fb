# SPDX-License-Identifier: Apache-2.0
"""Reading what a host tells of itself. What it does not tell is Absent, with the reason; it is never zero."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

COMMAND_DEADLINE_S = 10.0


class Absent(Exception):
    """There is no such fact here; the text says why."""


def text(path: Path) -> str:
    """The file's text, stripped. Raises Absent."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError as error:
        raise Absent(f"{path}: {error.strerror or error}") from error


def number(path: Path) -> int:
    """The whole number that the file holds. Raises Absent."""
    content = text(path)
    try:
        return int(content)
    except ValueError as error:
        raise Absent(f"{path}: not a number: {content[:40]!r}") from error


def table(path: Path, separator: str) -> dict[str, str]:
    """Lines of ``name SEPARATOR value``; of a name that stands there twice, the first. Raises Absent."""
    found: dict[str, str] = {}
    for line in text(path).splitlines():
        name, found_separator, value = line.partition(separator)
        if found_separator:
            found.setdefault(name.strip(), value.strip())
    return found


def entry(values: Mapping[str, str], name: str, where: Path) -> str:
    """``values[name]``. Raises Absent."""
    if name not in values:
        raise Absent(f"{where} has no {name}")
    return values[name]


def command(argv: Sequence[str], *, ok: Sequence[int] = (0,)) -> str:
    """What the command prints, stripped. Raises Absent: not there, failed, or too slow."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(f"{argv[0]}: {getattr(error, 'strerror', None) or error}") from error
    if done.returncode not in ok:
        raise Absent(f"{argv[0]} failed ({done.returncode}): {done.stderr.strip()[:120]}")
    return done.stdout.strip()


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits. Raises Absent."""
    import hashlib  # a waiting agent does without

    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Absent(f"{path}: {error.strerror or error}") from error


def gather(
    probes: Mapping[str, Callable[[], Any]], missing: dict[str, str], prefix: str = ""
) -> dict[str, Any]:
    """Each probe's answer by name; None for what is absent, whose reason goes into ``missing`` under its full name."""
    found: dict[str, Any] = {}
    for name, probe in probes.items():
        try:
            found[name] = probe()
        except Absent as reason:
            found[name] = None
            missing[f"{prefix}{name}"] = str(reason)
    return found
