# SPDX-License-Identifier: Apache-2.0
"""Where components are built: a machine with a shell, files, and nothing that a build leaves behind for the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

Say = Callable[[str], None]
"""Told what goes on, a short text at a time."""


class Builder(Protocol):
    """All methods raise BuildError (what was done failed) and UnreachableError."""

    @property
    def name(self) -> str:
        """For provenance and messages: ``the lab host build-1``, ``node7``, ``this machine``."""
        ...

    @property
    def architecture(self) -> str:
        """As `uname -m` says it."""
        ...

    @property
    def folder(self) -> str:
        """An absolute path on the builder, for the build's files; the builder's own caches are below it."""
        ...

    def install(self, packages: Sequence[str], say: Say) -> None:
        """See that Debian packages are there. Where one may not install (``--local`` without root), says which are missing."""
        ...

    def run(self, script: str, environment: Mapping[str, str], say: Say, timeout: float) -> str:
        """Run shell text (sh -eu); each line of standard error is said; gives standard output.

        Raises BuildError with the last lines where it fails. It ends with the connection, and never outlives the caller.
        """
        ...

    def put(self, local: Path, remote: str) -> None:
        """A file, or a folder with all below it; sent only where the builder lacks it."""
        ...

    def get(self, remote: str, local: Path) -> None:
        """A folder with all below it, into the folder ``local``, which is made."""
        ...
