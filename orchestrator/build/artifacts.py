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
from orchestrator.model.artifact import PREFIX, RELEASES, Artifact, ImageSet, Target, TargetArtifacts

HEAD = "# Written by labctl: what its last build left.\n"


def write_artifacts(path: Path, images: ImageSet, built: Sequence[TargetArtifacts] = ()) -> None:
    """Write ``labctl_artifacts``, atomically and only where it says something new. What the file says of other targets stays."""
    before = read_artifacts(path).get("targets") or {}
    entries = {
        image.name: {key: value for key, value in asdict(image).items() if key != "name"}
        for image in images.images
    }
    whole = {"key": images.key, "path": images.path, "sha256": images.sha256}
    targets = {**before, **{each.target.name: _target_entry(each) for each in built}}
    told = {"prefix": PREFIX, "images": entries, "image_set": whole, "targets": targets}
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


def entries_of(artifacts: Mapping[str, Any], target: Target) -> Mapping[str, Any]:
    """Return what the file says of one target: ``components``, ``handlers`` and ``missing``; {} where nothing was built for it."""
    found = (artifacts.get("targets") or {}).get(target.name)
    return found if isinstance(found, Mapping) else {}


def targets_built(path: Path) -> tuple[Target, ...]:
    """Return the targets that the file has something of, in its order."""
    names = (str(name).partition("-") for name in read_artifacts(path).get("targets") or {})
    return tuple(Target(architecture, release) for release, _, architecture in names if release in RELEASES)


def _target_entry(built: TargetArtifacts) -> dict[str, Any]:
    return {
        "components": {artifact.component: _entry(artifact) for artifact in built.artifacts},
        "handlers": {
            artifact.handler.name: handler_entry(artifact, artifact.handler)
            for artifact in built.artifacts
            if artifact.handler
        },
        "missing": {
            item.component: {"reason": item.reason, "handler": item.handler} for item in built.missing
        },
    }


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
