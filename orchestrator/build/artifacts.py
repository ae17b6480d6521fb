# SPDX-License-Identifier: Apache-2.0
"""The vars file that a build leaves: where each artifact lies and what its bytes are, for roles to install with ordinary modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import yaml

from orchestrator.files import write_text
from orchestrator.model.artifact import ImageArtifact


def write_artifacts(path: Path, images: Sequence[ImageArtifact]) -> None:
    """Write ``labctl_artifacts.images.NAME.{ref, path, sha256, digest}``, atomically and only where it says something new."""
    entries = {
        image.name: {key: value for key, value in asdict(image).items() if key != "name"} for image in images
    }
    text = "# Written by labctl: what its last build left.\n" + yaml.safe_dump(
        {"labctl_artifacts": {"images": entries}}
    )
    if path.is_file() and path.read_text() == text:
        return
    write_text(path, text)
