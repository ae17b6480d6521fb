# SPDX-License-Identifier: Apache-2.0
"""The container images: the lock, the mirror that this machine's apt uses, and what is made of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from orchestrator.build.debian import newest, run_tool
from orchestrator.build.images import build_images
from orchestrator.build.recipe import DEBIAN_NAMES
from orchestrator.files import write_text
from orchestrator.lab.sources import KEYRING, mirror_for
from orchestrator.load.image_lock import load_image_lock, lock_text
from orchestrator.model.artifact import ImageSet
from orchestrator.model.errors import BuildError, LabError
from orchestrator.model.image_lock import ImageLock
from orchestrator.shipped import shipped

LOCK = shipped() / "playbooks/images/packages.yaml"
PROJECT_LOCK = Path("components/images/packages.yaml")
"""The project's own lock, which goes before the one that comes with labctl."""


def lock_file() -> Path:
    """Return the lock that is in force."""
    return PROJECT_LOCK if PROJECT_LOCK.is_file() else LOCK


def images(cache: Path, say: Callable[[str], None] = lambda _: None) -> ImageSet:
    """Out of ``cache``, or made. Raises BuildError, ConfigError."""
    lock = load_image_lock(lock_file())
    return build_images(cache, lock, lambda: sources(lock), say=say)


def pin_images(machine: str, say: Callable[[str], None], target: Path = PROJECT_LOCK) -> str:
    """Lock in ``target`` what the mirror has now. Return the version of what is held. Raises BuildError, ConfigError."""
    lock = load_image_lock(target if target.is_file() else LOCK)
    with tempfile.TemporaryDirectory(prefix="labctl-pin-") as work:
        found = newest(lock, sources(lock), Path(work), run_tool)
    for package in lock.packages:
        if found[package.name].version != package.version:
            say(f"{package.name} {package.version} -> {found[package.name].version}")
    write_text(target, lock_text(lock, found, DEBIAN_NAMES.get(machine, machine)))
    return ", ".join(f"{name} {found[name].version}" for name in sorted(lock.held))


def sources(lock: ImageLock) -> tuple[str, ...]:
    """apt's line for the release. The archive alone: what stands there changes with Debian's point releases and not between them."""
    try:
        mirror = mirror_for(None)
    except LabError as error:
        raise BuildError(
            "This machine's apt sources name no Debian archive, so there is nothing to make the container images from.",
            "Build on a Debian machine.",
        ) from error
    return (f"deb [signed-by={KEYRING}] {mirror.archive} {lock.release} main",)
