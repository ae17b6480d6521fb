# SPDX-License-Identifier: Apache-2.0
"""The vars file that a build leaves: where each artifact lies and what its bytes are, for roles to install with ordinary modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from orchestrator.build.store import handler_entry
from orchestrator.files import write_text
from orchestrator.model.artifact import PREFIX, Artifact, ImageSet

HEAD = "# Written by labctl: what its last build left.\n"


def write_artifacts(path: Path, images: ImageSet, components: Sequence[Artifact] | None = None) -> None:
    """Write ``labctl_artifacts``, atomically and only where it says something new.

    ``components`` None: what the file says of them stays.
    """
    before = read_artifacts(path)
    if components is None:
        parts = {name: before.get(name, {}) for name in ("components", "handlers")}
    else:
        parts = {
            "components": {artifact.component: _entry(artifact) for artifact in components},
            "handlers": {
                artifact.handler.name: handler_entry(artifact, artifact.handler)
                for artifact in components
                if artifact.handler
            },
        }
    entries = {
        image.name: {key: value for key, value in asdict(image).items() if key != "name"}
        for image in images.images
    }
    whole = {"key": images.key, "path": images.path, "sha256": images.sha256}
    told = {"prefix": PREFIX, "images": entries, "image_set": whole, **parts}
    text = HEAD + yaml.safe_dump({"labctl_artifacts": told})
    if not (path.is_file() and path.read_text() == text):
        write_text(path, text)


def read_artifacts(path: Path) -> Mapping[str, Any]:
    """What the file says; nothing where it is not there, or not one of ours."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))["labctl_artifacts"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _entry(artifact: Artifact) -> dict[str, Any]:
    return {
        "version": artifact.version,
        "source": str(artifact.source),
        "key": artifact.key,
        "path": artifact.path,
        "sha256": artifact.sha256,
        "architecture": artifact.architecture,
        "programs": dict(artifact.programs),
        "packages": list(artifact.packages),
    }
