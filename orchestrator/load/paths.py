# SPDX-License-Identifier: Apache-2.0
"""Is there such a file? Asked of a name that somebody wrote: no, and no error, where no file can have it (too long, a loop)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_VAULT = b"$ANSIBLE_VAULT;"
NO_VAULTS = "Vaults are not supported; take the value from the environment: \"{{ lookup('env', 'NAME') }}\"."


def exists(path: Path) -> bool:
    return _answer(path.exists)


def is_file(path: Path) -> bool:
    return _answer(path.is_file)


def is_dir(path: Path) -> bool:
    return _answer(path.is_dir)


def is_vault(path: Path) -> bool:
    """Has ansible-vault encrypted it as a whole? Ansible would decrypt it on its way to a host."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_VAULT)) == _VAULT
    except OSError:
        return False


def _answer(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:
        return False
