# SPDX-License-Identifier: Apache-2.0
"""What builds for the releases of one architecture: the builder and Debian's packages, each begun when it is first needed."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from orchestrator.build.builder import Builder
from orchestrator.build.debian import Apt, run_tool
from orchestrator.build.recipe import DEBIAN_NAMES
from orchestrator.model.artifact import Target, oldest
from orchestrator.pipeline.builders import Choice, builder_for
from orchestrator.pipeline.images import package_sources


class Workshop:
    """A context manager: leaving it ends the builder.

    ``architecture`` is as `uname -m` prints it, ``releases`` are code names of Debian. ``work`` is a folder on the controller for the time
    of the build. ``say(who, text)`` is told what goes on.
    """

    def __init__(
        self,
        choice: Choice,
        inventory: Path | None,
        say: Callable[[str, str], None],
        architecture: str,
        releases: tuple[str, ...],
        work: Path,
    ) -> None:
        self.architecture, self.releases, self.work = architecture, releases, work
        self._choice, self._inventory, self._say = choice, inventory, say
        self._stack = ExitStack()
        self._builder: Builder | None = None
        self._apts: dict[str, Apt] = {}

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def builder(self) -> Builder:
        """Raises NoBuilder, and what `builder_for` raises."""
        if self._builder is None:
            target = Target(self.architecture, oldest(self.releases))
            context = builder_for(
                self._choice, self._inventory, lambda text: self._say("builder", text), target
            )
            self._builder = self._stack.enter_context(context)
        return self._builder

    def target(self) -> Target:
        """Return what the builder is. A lab host is of this machine's architecture: to know that, it need not be up."""
        if self._choice == "lab" and self.architecture == platform.machine():
            return Target(self.architecture, oldest(self.releases))
        return Target(self.builder.architecture, self.builder.release)

    def apt(self, release: str) -> Apt:
        """Return an apt that has fetched the package lists of ``release`` for this architecture. Raises BuildError."""
        if release not in self._apts:
            self._say("debian", f"fetching the package lists of Debian {release}")
            name = DEBIAN_NAMES.get(self.architecture, self.architecture)
            apt = Apt(self.work / f"apt-{release}-{name}", run_tool, name)
            apt.update(package_sources(release))
            self._apts[release] = apt
        return self._apts[release]
