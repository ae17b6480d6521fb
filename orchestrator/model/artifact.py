# SPDX-License-Identifier: Apache-2.0
"""What a build leaves, addressed by its content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageArtifact:
    """An archive of one container image. ``sha256`` is the archive's, ``digest`` that of the OCI manifest it was made from."""

    name: str
    ref: str
    path: str
    sha256: str
    digest: str
