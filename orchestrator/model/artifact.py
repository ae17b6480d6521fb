# SPDX-License-Identifier: Apache-2.0
"""What a build leaves, addressed by its content."""

from __future__ import annotations

from collections.abc import Mapping
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
