# SPDX-License-Identifier: Apache-2.0
"""The one error tree. The exit code is the class's; the text is one sentence and what to do next.

LabctlError                1  something that was asked for failed
├── UsageError             2  the command line asks for what is not there
│   └── ConfigError        2  a file is wrong: names file, line, key
│       └── ConfigErrors   2  several things are wrong
├── UnreachableError       3  no connection to a host
│   ├── UnknownHostKey     3  known_hosts has no key for the host
│   ├── ChangedHostKey     3  known_hosts has another key for the host, or revokes it
│   ├── ConnectionRefused  3
│   ├── ConnectionTimeout  3
│   ├── AddressNotFound    3  the name does not resolve, or there is no route
│   ├── LoginRefused       3  user, key or password not accepted
│   └── ConnectionLost     3  it was there, and is gone
├── HostError              1  a host was reached, and what was asked of it failed
├── LabError               1  making or removing local hosts failed
├── BuildError             1  an artifact could not be made
├── RunError               1  a run could not be started, continued or read
├── ResultError            1  a result file is missing, torn, or of another schema version
│   └── DiskFull           1  there is no room for it: the same may go well later
├── GateFailed             4  a comparison's gate was not met
└── Interrupted          130  the user said stop
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.model.text import escape, printable


class LabctlError(Exception):
    """``message`` is one sentence that names what and where; ``hint`` says what to do next.

    Both may quote a host, whose text is made safe for a terminal here: no caller needs to remember it.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = printable(message)
        self.hint = hint if hint is None else printable(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


LONGEST = 1000
"""A sentence with more characters quotes something that nobody reads to its end."""


def one_line(text: str) -> str:
    """What a file says, quoted, neither breaks the line nor speaks to the terminal nor fills it: control characters are escaped."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST * 2 // 3]} ... {text[-LONGEST // 3 :]}"
    return "".join(character if character.isprintable() else escape(character) for character in short)


class UsageError(LabctlError):
    exit_code = 2


class ConfigError(UsageError):
    """A file is wrong. ``line`` and ``column`` count from 1; ``key`` is the dotted path in the file."""

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        column: int | None = None,
        key: str | None = None,
        hint: str | None = None,
    ) -> None:
        where = ":".join(str(part) for part in (file, line, column) if part is not None)
        what = f"{key}: {message}" if key else message
        super().__init__(one_line(f"{where}: {what}" if where else what), hint)
        self.file, self.line, self.column, self.key = file, line, column, key


class ConfigErrors(ConfigError):
    """Several things that are wrong, at least two: the message has a line for each, the place is that of the first."""

    def __init__(self, errors: tuple[ConfigError, ...]) -> None:
        first = errors[0]
        super().__init__(first.message, hint=first.hint)
        self.errors = errors
        self.file, self.line, self.column, self.key = first.file, first.line, first.column, first.key
        self.message, self.hint = "\n".join(map(str, errors)), None


class UnreachableError(LabctlError):
    exit_code = 3

    def __init__(self, host: str, message: str, hint: str | None = None) -> None:
        super().__init__(f"{host}: {message}", hint)
        self.host = host


class UnknownHostKey(UnreachableError):
    pass


class ChangedHostKey(UnreachableError):
    pass


class ConnectionRefused(UnreachableError):
    pass


class ConnectionTimeout(UnreachableError):
    pass


class AddressNotFound(UnreachableError):
    pass


class LoginRefused(UnreachableError):
    pass


class ConnectionLost(UnreachableError):
    pass


class HostError(LabctlError):
    def __init__(self, host: str, message: str, hint: str | None = None) -> None:
        super().__init__(f"{host}: {message}", hint)
        self.host = host


class LabError(LabctlError):
    pass


class BuildError(LabctlError):
    pass


class RunError(LabctlError):
    pass


class ResultError(LabctlError):
    pass


class DiskFull(ResultError):
    pass


class GateFailed(LabctlError):
    exit_code = 4


class Interrupted(LabctlError):
    exit_code = 130
