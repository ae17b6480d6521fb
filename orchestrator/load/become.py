# SPDX-License-Identifier: Apache-2.0
"""The password for sudo that is given for one call of labctl: asked once, read from a file, or taken from the environment.

It is for hosts whose inventory names none (as with Ansible, a variable wins). It is kept in this process's memory and nowhere
else: no command line has it, and no process that is started inherits it; the conductor of a run gets it through a pipe.
"""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from collections.abc import Callable, MutableMapping
from pathlib import Path

from orchestrator.model.errors import ConfigError, UsageError

VARIABLE = "LABCTL_BECOME_PASSWORD"
FROM_STDIN = Path("-")


class BecomePassword:
    """Holds what was given; shows it to nobody who prints it."""

    def __init__(self) -> None:
        self._given: str | None = None

    def __repr__(self) -> str:
        return "BecomePassword(...)"

    @property
    def given(self) -> str | None:
        return self._given

    def take(self, password: str) -> None:
        self._given = password or None

    def take_from_environment(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Out of the environment, so that nothing that labctl starts inherits it, and `ps e` shows it no longer."""
        if environ is os.environ:
            _wipe(VARIABLE)
        password = environ.pop(VARIABLE, None)
        if password:
            self._given = password

    def take_from_file(self, path: Path) -> None:
        """The first line of a file; ``-`` is standard input. Raises ConfigError: unreadable, a program, empty."""
        try:
            if path != FROM_STDIN and path.is_file() and os.access(path, os.X_OK):
                hint = f"Let it write to standard output: {path} | labctl ... --become-password-file -"
                raise ConfigError("is a program, which Ansible would run.", file=path, hint=hint)
            text = sys.stdin.readline() if path == FROM_STDIN else path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(
                f"cannot be read: {reason}.", file=path, hint="Correct --become-password-file."
            ) from error
        self._given = (text.splitlines() or [""])[0] or self._missing(
            f"{path} has no password in its first line."
        )

    def ask(self, prompt: Callable[[str], str] = getpass.getpass) -> None:
        """Once, without an echo. Raises UsageError where there is no terminal to ask at."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would go on, and show what is typed
            try:
                self._given = prompt("BECOME password: ") or self._missing("The password is empty.")
            except (getpass.GetPassWarning, EOFError, OSError) as error:
                raise UsageError(
                    "There is no terminal to ask for a password at.",
                    f"Give it with --become-password-file FILE, or in the environment variable {VARIABLE}.",
                ) from error

    @staticmethod
    def _missing(message: str) -> str:
        raise UsageError(message, "For sudo without a password, leave the option out.")


def _wipe(variable: str) -> None:
    """Zeroes where the kernel keeps the value: what is only unset stays in /proc/PID/environ as long as the process lives."""
    if variable not in os.environ:
        return
    import ctypes  # 10 ms that only those wait for who have something to wipe

    libc = ctypes.CDLL(None)
    libc.getenv.restype, libc.getenv.argtypes = ctypes.c_void_p, (ctypes.c_char_p,)
    libc.strlen.restype, libc.strlen.argtypes = ctypes.c_size_t, (ctypes.c_void_p,)
    address = libc.getenv(variable.encode())
    if address:
        ctypes.memset(address, 0, libc.strlen(address))


OF_THIS_CALL = BecomePassword()
"""A call of labctl is one process: the verb fills it before any host is reached."""
