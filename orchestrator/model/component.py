# SPDX-License-Identifier: Apache-2.0
"""A component: a part of a runtime stack that is built, or taken as it is, and pinned in playbooks/components/NAME/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path


class Source(StrEnum):
    """Where a component's files come from."""

    MODULE = "module"
    """Built from the Go module that go.mod and go.sum lock."""
    CHECKOUT = "checkout"
    """Built from a local work tree: a runtime developer's own commit."""
    PREBUILT = "prebuilt"
    """Files of one's own, each with its sha256."""
    DEBIAN = "debian"
    """Debian's packages, version and sha256 locked."""


@dataclass(frozen=True, slots=True)
class GoTarget:
    """``package`` is a Go package (in a checkout: a path that begins with ./), ``output`` a path in the artifact, as ``bin/runc``.

    ``test``: the package's test binary (``go test -c``).
    """

    package: str
    output: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class CTarget:
    """A program of C files: ``sources`` is a glob below the module's folder."""

    sources: str
    output: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GoBuild:
    """How `go build` is called. ``module`` is the one module that go.mod requires; ``ldflags`` may hold ``{version}``."""

    module: str
    targets: tuple[GoTarget, ...]
    tags: tuple[str, ...] = ()
    ldflags: str = ""
    cgo: bool = False
    c: tuple[CTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class PrebuiltFile:
    """A file as it is: ``path`` on the controller, ``output`` in the artifact."""

    path: Path
    output: str
    sha256: str


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """A package of ``release``; ``sha256`` maps Debian's architecture (``amd64``) to the .deb's."""

    name: str
    version: str
    release: str
    sha256: Mapping[str, str]


HANDLER_KINDS = ("runc", "runsc")
"""How a CRI runtime starts a handler: ``runc`` speaks runc's command line, ``runsc`` has gVisor's shim."""
HANDLER_NAME = r"[a-z0-9][a-z0-9.-]*"


def unknown_kind(kind: str) -> str:
    """The sentence for a kind of handler that labctl cannot configure."""
    return (
        f"{kind} is not a kind of handler that labctl can configure; there are {' and '.join(HANDLER_KINDS)}."
    )


@dataclass(frozen=True, slots=True)
class Handler:
    """An OCI runtime as CRI runtimes know it: ``name`` in suites, ``program`` its file in the artifact.

    ``kind`` is one of HANDLER_KINDS.
    """

    name: str
    program: str
    kind: str = "runc"


@dataclass(frozen=True, slots=True)
class Component:
    """component.yaml, checked; exactly what ``source`` needs is there.

    ``folder`` holds component.yaml, go.mod, go.sum. ``version`` is the module's (without v), the checkout's description, Debian's,
    or what the file says. ``needs`` are Debian packages that a build needs. ``programs`` maps names to absolute paths on a host,
    where Debian's packages put them; other sources have theirs in the artifact's ``bin/``. ``optional``: only built when named.
    ``debian`` holds the packages of every release, ``unavailable`` says of a release why it has no package that can be used.
    """

    name: str
    folder: Path
    source: Source
    version: str
    summary: str = ""
    go: GoBuild | None = None
    checkout: Path | None = None
    prebuilt: tuple[PrebuiltFile, ...] = ()
    debian: tuple[DebianPackage, ...] = ()
    needs: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)
    handler: Handler | None = None
    optional: bool = False
    unavailable: Mapping[str, str] = field(default_factory=dict)

    def for_release(self, release: str) -> Component | str:
        """Return the component with the packages of ``release`` alone, or a sentence that says why that release has none.

        A component that is not of Debian's packages is the same for every release.
        """
        if self.source is not Source.DEBIAN:
            return self
        packages = tuple(package for package in self.debian if package.release == release)
        if packages:
            return replace(self, debian=packages, version=packages[0].version)
        return self.unavailable.get(release) or f"No package of {self.name} is locked for Debian {release}."


@dataclass(frozen=True, slots=True)
class Toolchain:
    """components/toolchain.yaml: the Go release that builds everything; ``sha256`` maps ``linux-amd64`` to that of the module proxy's
    golang.org/toolchain zip."""

    version: str
    sha256: Mapping[str, str]
