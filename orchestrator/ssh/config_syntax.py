# SPDX-License-Identifier: Apache-2.0
"""The lines of ssh_config(5) files: keywords with their words, and in place of an Include the lines of the files that it names."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model.errors import ConfigError

SYSTEM_FOLDER = Path("/etc/ssh")
MOST_LEVELS = 16
"""Deeper inclusion is an error, as with OpenSSH."""
_KEYWORD = re.compile(r"\s*([^\s=]+)(?:\s*=\s*|\s+|$)(.*)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Statement:
    """``keyword`` in lower case; ``rest`` is the line behind it as written. ``included``: of an Include, file by file."""

    file: Path
    line: int
    keyword: str
    words: tuple[str, ...]
    rest: str
    included: tuple[tuple[Statement, ...], ...] = ()

    def error(self, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(message, file=self.file, line=self.line, hint=hint)


def read_config(file: Path, environ: Mapping[str, str] = os.environ, level: int = 0) -> tuple[Statement, ...]:
    """The statements of a file; none where it is missing. Raises ConfigError with file and line."""
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}.", file=file) from error
    return tuple(_statements(text, file, environ, level))


def _statements(text: str, file: Path, environ: Mapping[str, str], level: int) -> Iterator[Statement]:
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        found = _KEYWORD.match(stripped)
        if not found or stripped.startswith("#"):
            continue
        keyword, rest = found[1].lower(), found[2]
        words = split_words(rest)
        if words is None and keyword not in {"proxycommand", "localcommand", "remotecommand"}:
            raise ConfigError("has a quote without its end.", file=file, line=number)
        statement = Statement(file, number, keyword, words or (), rest)
        if not (words or rest):
            raise statement.error(f"{found[1]} has no value.")
        yield _with_included(statement, environ, level) if keyword == "include" else statement


def _with_included(statement: Statement, environ: Mapping[str, str], level: int) -> Statement:
    if level >= MOST_LEVELS:
        raise statement.error(
            f"includes files more than {MOST_LEVELS} levels deep.", "Does a file include itself?"
        )
    files: list[tuple[Statement, ...]] = []
    for word in statement.words:
        pattern = Path(replace_variables(word, statement, environ)).expanduser()
        if not pattern.is_absolute():
            is_of_system = statement.file.is_relative_to(SYSTEM_FOLDER)
            pattern = (SYSTEM_FOLDER if is_of_system else Path("~/.ssh").expanduser()) / pattern
        files += [read_config(Path(name), environ, level + 1) for name in sorted(glob.glob(str(pattern)))]  # noqa: PTH207 (an absolute pattern)
    return Statement(
        statement.file, statement.line, statement.keyword, statement.words, statement.rest, tuple(files)
    )


def replace_variables(word: str, statement: Statement, environ: Mapping[str, str]) -> str:
    """``${NAME}`` replaced. Raises ConfigError where there is no such variable."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in environ:
            raise statement.error(f"the environment has no variable {found[1]}.")
        return environ[found[1]]

    return _ENVIRONMENT.sub(value, word)


def split_words(text: str) -> tuple[str, ...] | None:
    """Words as OpenSSH splits them: both quotes, a backslash before a quote, a comment to the end; None: a quote without its end.

    >>> split_words('a "b c" # d')
    ('a', 'b c')
    """
    words: list[str] = []
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text) or text[at] == "#":
            return tuple(words)
        word, at, is_whole = _word(text, at)
        if not is_whole:
            return None
        words.append(word)


def _word(text: str, at: int) -> tuple[str, int, bool]:
    """The word that begins at ``at``, where it ends, and whether its quotes are closed."""
    word, quote = "", ""
    while at < len(text) and (quote or not text[at].isspace()):
        letter = text[at]
        escaped = text[at + 1 : at + 2] if letter == "\\" else ""
        if escaped and (escaped in "'\"\\" or (escaped == " " and not quote)):
            word += escaped
            at += 1
        elif letter == quote:
            quote = ""
        elif letter in "'\"" and not quote:
            quote = letter
        else:
            word += letter
        at += 1
    return word, at, not quote
