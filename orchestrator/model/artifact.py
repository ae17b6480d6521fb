# SPDX-License-Identifier: Apache-2.0
"""What a build leaves, addressed by its content."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # all of its classes, for whoever only wants to know what a file is called
    from orchestrator.model.component import Handler


@dataclass(frozen=True, slots=True)
class ImageArtifact:
    """An archive of one container image. ``sha256`` is the archive's, ``digest`` that of the OCI manifest it was made from."""

    name: str
    ref: str
    path: str
    sha256: str
    digest: str


@dataclass(frozen=True, slots=True)
class ImageSet:
    """All images of a build. ``path`` is a tar, with its ``sha256``, which unpacks to images/KEY/: artifact.json, and what the registry on
    a host's loopback serves."""

    images: tuple[ImageArtifact, ...]
    key: str
    path: str
    sha256: str


RELEASES: Mapping[str, str] = {"bookworm": "12", "trixie": "13"}
"""The Debian releases that labctl provisions, the oldest first, by code name, with their numbers."""
LAB_RELEASE = "trixie"
"""The release of lab hosts, and of a build for which no host says another."""


@dataclass(frozen=True, slots=True)
class Target:
    """The hosts that an artifact is for: ``architecture`` as `uname -m` prints it, ``release`` a code name of Debian."""

    architecture: str
    release: str

    @property
    def name(self) -> str:
        """Return the key in the vars file, as ``trixie-x86_64``."""
        return f"{self.release}-{self.architecture}"


def oldest(releases: Collection[str]) -> str:
    """Return the oldest of ``releases``, which are keys of RELEASES: programs that it builds run on all newer ones."""
    return min(releases, key=list(RELEASES).index)


def is_newer(release: str, than: str) -> bool:
    """Say whether ``release`` came after ``than``, a key of RELEASES. Of a release that labctl does not know it is not said."""
    order = list(RELEASES)
    return release in RELEASES and order.index(release) > order.index(than)


ARTIFACTS = "artifacts.yaml"
"""In the state folder: the vars file that a build leaves, which playbooks take by vars_files."""
PREFIX = "/opt/labctl"
"""Where artifacts lie on a host: PREFIX/COMPONENT/KEY/, and the link PREFIX/COMPONENT/current to the one that is in use."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A component's files in one tar, which unpacks to COMPONENT/KEY/. ``key`` is the hash of everything that determines it (16 hex
    digits), ``sha256`` the tar's.

    ``files`` maps each file in the artifact (``bin/runc``) to its sha256; ``programs`` maps names to absolute paths on a host.
    ``packages`` are the .deb files in it.
    """

    component: str
    version: str
    source: str
    key: str
    path: str
    sha256: str
    architecture: str
    files: Mapping[str, str]
    programs: Mapping[str, str]
    packages: tuple[str, ...] = ()
    handler: Handler | None = None


@dataclass(frozen=True, slots=True)
class MissingComponent:
    """A component that the hosts of a target cannot have. ``reason`` is a sentence, ``handler`` its OCI handler's name, if it is one."""

    component: str
    reason: str
    handler: str | None = None


@dataclass(frozen=True, slots=True)
class TargetArtifacts:
    """All that the hosts of one target get, and what they cannot have."""

    target: Target
    artifacts: tuple[Artifact, ...]
    missing: tuple[MissingComponent, ...] = ()
