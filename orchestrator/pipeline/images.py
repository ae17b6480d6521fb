# SPDX-License-Identifier: Apache-2.0
"""The container images: the lock, the mirror that this machine's apt uses, and what is made of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.build.debian import newest, run_tool
from orchestrator.build.images import build_images
from orchestrator.build.recipe import DEBIAN_NAMES
from orchestrator.files import write_text
from orchestrator.lab.sources import Mirror, mirror_for
from orchestrator.load.image_lock import load_image_lock, lock_text
from orchestrator.model.artifact import ImageSet
from orchestrator.model.errors import BuildError, LabError
from orchestrator.model.image_lock import ImageLock
from orchestrator.model.system_packages import KEYRING
from orchestrator.shipped import component_folders, shipped

LOCK = "images/packages.yaml"
"""Below a folder of components."""


def images(
    cache: Path, say: Callable[[str], None] = lambda _: None, folders: Sequence[Path] | None = None
) -> ImageSet:
    """Out of ``cache``, or made from the lock of the first of ``folders`` that has one. Raises BuildError, ConfigError."""
    path = image_lock(folders or component_folders())
    lock = load_image_lock(path)
    if path.resolve() != (shipped() / "playbooks/components" / LOCK).resolve():
        say(f"{path} goes before the lock that comes with labctl")
    return build_images(cache, lock, lambda: sources(lock), say=say)


def image_lock(folders: Sequence[Path]) -> Path:
    """Return the lock of the first of ``folders`` that has one."""
    return next((folder / LOCK for folder in folders if (folder / LOCK).is_file()), folders[-1] / LOCK)


def pin_images(
    machine: str, say: Callable[[str], None], folders: Sequence[Path] | None = None
) -> tuple[str, Path]:
    """Lock what the mirror has now. Return the version of what is held, and the lock's file. Raises BuildError, ConfigError.

    The lock that comes with labctl stays as it is: the new one is written to the project's components, and goes before it.
    Only a folder that is named in ``folders`` before the default ones keeps its own.
    """
    default = component_folders()
    explicit = (folders or default)[: -len(default)]
    path = image_lock(folders or default)
    lock = load_image_lock(path)
    target = path if path in [folder / LOCK for folder in explicit] else default[0] / LOCK
    with tempfile.TemporaryDirectory(prefix="labctl-pin-") as work:
        found = newest(lock, sources(lock), Path(work), run_tool)
    for package in lock.packages:
        if found[package.name].version != package.version:
            say(f"{package.name} {package.version} -> {found[package.name].version}")
    write_text(target, lock_text(lock, found, DEBIAN_NAMES.get(machine, machine)))
    return ", ".join(f"{name} {found[name].version}" for name in sorted(lock.held)), target


def package_sources(release: str) -> tuple[str, ...]:
    """Return apt's lines for Debian's packages of ``release``: the archive, its updates, and security where this machine has it.

    Raises BuildError: this machine has no mirror of Debian.
    """
    return _mirror().lines(release)


def _mirror() -> Mirror:
    try:
        return mirror_for(None)
    except LabError as error:
        raise BuildError(
            "This machine's apt sources name no Debian archive, so there is nothing to make container images from, and no packages.",
            "Build on a Debian machine.",
        ) from error


def sources(lock: ImageLock) -> tuple[str, ...]:
    """apt's line for the release. The archive alone: what stands there changes with Debian's point releases and not between them."""
    mirror = _mirror()
    return (f"deb [signed-by={KEYRING}] {mirror.archive} {lock.release} main",)
