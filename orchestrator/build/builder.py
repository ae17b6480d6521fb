# SPDX-License-Identifier: Apache-2.0
"""Where components are built: a machine with a shell and files. The network of downloads is the controller's, never a builder's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Say = Callable[[str], None]
"""Told what goes on, a short text at a time."""


@dataclass(frozen=True, slots=True)
class GoPlaces:
    """Absolute paths on a builder: of the toolchain (GOROOT), the modules and the build cache; ``proxy`` is the GOPROXY to use."""

    root: str
    modules: str
    cache: str
    proxy: str = "off"


class Builder(Protocol):
    """All methods raise BuildError (what was done failed), HostError and UnreachableError."""

    @property
    def name(self) -> str:
        """For provenance and messages: ``a lab host``, ``node7``, ``this machine``."""
        ...

    @property
    def architecture(self) -> str:
        """As `uname -m` says it."""
        ...

    @property
    def release(self) -> str:
        """The code name of its Debian release, as ``trixie``; what it is otherwise where it is not Debian."""
        ...

    @property
    def work(self) -> str:
        """An absolute path of a folder for this build alone; it goes when the builder is left."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """What its inventory adds to the environment of build commands (`labctl_environment`)."""
        ...

    def install(self, packages: Sequence[str], say: Say) -> dict[str, str]:
        """See that Debian packages are there; their versions. Where one may not install, says which are missing."""
        ...

    def go(self, toolchain: Path, archive: Path, modules: Path, cache: Path, say: Say) -> GoPlaces:
        """See that the toolchain (unpacked: ``toolchain``; its zip: ``archive``) and the controller's modules are there."""
        ...

    def run(self, script: str, environment: Mapping[str, str], say: Say, seconds: float) -> None:
        """Run shell text (sh -eu) with this environment alone; what it prints is said line by line.

        Raises BuildError with the last lines where it fails. It ends with the connection, and never outlives the caller.
        """
        ...

    def ask(self, script: str, seconds: float = 60.0) -> str:
        """What a short shell text prints. Raises BuildError where it fails."""
        ...

    def put(self, local: Path, remote: str) -> None:
        """A file. Checked by its sha256 at both ends."""
        ...

    def get(self, remote: str, local: Path) -> None:
        """A folder with all below it, into ``local``, which is made. Checked by sha256 at both ends."""
        ...
