# SPDX-License-Identifier: Apache-2.0
"""The lock of the container images. Keys: release, held [NAME], packages {NAME: {version, sha256: {amd64: ...}}}."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.load.document import load_document, validate
from orchestrator.model.component import DebianPackage
from orchestrator.model.image_lock import ImageLock

HEAD = """\
# Debian's packages that the container images are made of. `labctl build --pin images@latest` writes what the mirror has now.
# What is held must be exactly this, or nothing is made: it is what measures. A library that the mirror has moved on from (Debian
# keeps one version a release) is taken as it is there; the build says so, and the image's labels and index.
"""
_Text = Annotated[str, Field(min_length=1)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]*$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Package(_Strict):
    version: _Text
    sha256: dict[str, _Sha256]


class _File(_Strict):
    release: _Text
    held: list[_Name]
    packages: Annotated[dict[_Name, _Package], Field(min_length=1)]


def load_image_lock(path: Path) -> ImageLock:
    """Raises ConfigError."""
    document = load_document(path)
    file = validate(document, _File)
    for index, name in enumerate(file.held):
        if name not in file.packages:
            raise document.error(("held", index), f"{name} is none of the packages.")
    packages = tuple(
        DebianPackage(name, package.version, file.release, package.sha256)
        for name, package in file.packages.items()
    )
    return ImageLock(file.release, packages, frozenset(file.held))


def lock_text(lock: ImageLock, found: Mapping[str, DebianPackage], architecture: str) -> str:
    """The file that locks ``found`` (sha256 under ``here``) for ``architecture``; other architectures stay where the version does."""
    packages = {}
    for package in lock.packages:
        new = found[package.name]
        known = dict(package.sha256) if new.version == package.version else {}
        packages[package.name] = {
            "version": new.version,
            "sha256": dict(sorted({**known, architecture: new.sha256["here"]}.items())),
        }
    told = {"release": lock.release, "held": sorted(lock.held), "packages": packages}
    return HEAD + yaml.safe_dump(told, sort_keys=False, default_flow_style=None, width=120)
