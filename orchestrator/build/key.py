# SPDX-License-Identifier: Apache-2.0
"""Everything that determines an artifact, and the hash of it: the same key, the same bits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.build.recipe import build_flags
from orchestrator.build.tree import LOCKED, read_tree
from orchestrator.files import sha256_of
from orchestrator.model.artifact import Target
from orchestrator.model.component import Component, Source, Toolchain
from orchestrator.model.errors import BuildError

RECIPE = 1
"""Counts up when what we do with the inputs changes the files that come out."""
DIGITS = 16


def inputs_of(
    component: Component, toolchain: Toolchain, target: Target, snapshot: Path | None
) -> dict[str, Any]:
    """Return what decides the bits, as JSON. ``target`` is the builder's own release and architecture: its release counts where C is
    compiled. ``snapshot``: a checkout's tar. Raises BuildError: a file of the lock cannot be read, or the tree cannot be built."""
    common = {"recipe": RECIPE, "source": component.source.value, "architecture": target.architecture}
    if component.source is Source.DEBIAN:
        return {**common, "packages": [asdict(package) for package in component.debian]}
    if component.source is Source.PREBUILT:
        return {**common, "files": {one.output: one.sha256 for one in component.prebuilt}}
    assert component.go is not None
    tree = LOCKED
    if snapshot is not None and component.checkout is not None:
        tree = read_tree(snapshot, component.checkout, toolchain)
    own = {
        "version": component.version,
        "go": asdict(component.go),
        "flags": list(build_flags(tree)),
        "toolchain": {"version": toolchain.version, "sha256": dict(toolchain.sha256)},
        # What C is compiled with comes from the builder's release.
        "release": target.release if component.go.cgo or component.go.c else None,
        "needs": list(component.needs),
    }
    if snapshot is not None:
        return {**common, **own, "snapshot": sha256_of(snapshot)}
    return {**common, **own, "lock": {name: _hash(component.folder / name) for name in ("go.mod", "go.sum")}}


def key_of(inputs: dict[str, Any]) -> str:
    """DIGITS hexadecimal digits."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise BuildError(f"The lock {path} cannot be read: {error.strerror}.") from error
