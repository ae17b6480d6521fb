# SPDX-License-Identifier: Apache-2.0
"""Locks: which version of a component is built. Another component, its lock missing or not, is never looked at.

A lock lies beside the component's component.yaml. What comes with labctl is not written: its component.yaml is
copied to ./components first, so that the project's own goes before it.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.build import modules, toolchain
from orchestrator.build.builder import Builder, Say
from orchestrator.build.execute import debian_pin
from orchestrator.build.recipe import DEBIAN_NAMES
from orchestrator.build.toolchain import Caches
from orchestrator.files import write_text
from orchestrator.load.component import FILE, list_components, load_component
from orchestrator.model.component import Component, Source, Toolchain
from orchestrator.model.errors import UsageError
from orchestrator.shipped import shipped

PROJECT = Path("components")
EXAMPLE = """\
source: module
go:
  module: example.org/{name}
  build: {{bin/{name}: example.org/{name}/cmd/{name}}}
handler: {{name: {name}, program: bin/{name}}}     # if it is an OCI runtime"""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock as it was written. ``copied``: the component comes with labctl, and is in ``folder`` from now on."""

    version: str
    folder: Path
    copied: bool = False


def component_to_pin(folders: Sequence[Path], name: str, source: Source | None) -> Component:
    """The component, with or without a lock. Raises UsageError: there is none, or nothing to lock; ConfigError."""
    place = list_components(folders).get(name)
    if place is None:
        path = PROJECT / name / FILE
        raise UsageError(
            f"There is no component {name}.", f"Write {path}, for example:\n{EXAMPLE.format(name=name)}"
        )
    component, _ = load_component(place, source, locked=False)
    if component is None:
        raise UsageError(
            f"{name} has no Debian packages.",
            f"Leave --source debian out, or name packages in {place / FILE}.",
        )
    if component.source not in (Source.MODULE, Source.DEBIAN):
        raise UsageError(
            f"{name} is {component.source}: there is nothing to lock but what component.yaml says."
        )
    return component


def pin_module(
    component: Component, version: str, pinned: Toolchain, folders: Sequence[Path], say: Say
) -> Lock:
    """Write go.mod and go.sum of another version. Raises BuildError."""
    caches = Caches.of_user()
    root = toolchain.ensure(pinned, caches, say)
    exact, mod, total = modules.pin(component, version, root, caches, platform.machine(), say)
    target, copied = _own_folder(component, folders)
    write_text(target / "go.mod", mod)
    write_text(target / "go.sum", total)
    return Lock(exact, target, copied)


def pin_debian(
    component: Component, version: str, builder: Builder, folders: Sequence[Path], say: Say
) -> Lock:
    """Write version and sha256 of the packages that the builder's Debian has. Raises BuildError."""
    text = (component.folder / FILE).read_text(encoding="utf-8")
    architecture = DEBIAN_NAMES.get(builder.architecture, builder.architecture)
    for package in component.debian:
        exact, sha256 = debian_pin(package.name, version, builder, say)
        text = text.replace(f"version: {package.version}", f"version: {exact}")
        text = (
            re.sub(rf"({architecture}: )[0-9a-f]{{64}}", rf"\g<1>{sha256}", text)
            if len(component.debian) == 1
            else text.replace(package.sha256[architecture], sha256)
        )
    target, copied = _own_folder(component, folders)
    write_text(target / FILE, text)
    return Lock(exact, target, copied)


def _own_folder(component: Component, folders: Sequence[Path]) -> tuple[Path, bool]:
    """Where the lock is written: the component's folder, or a copy of it (True) in ./components if labctl ships it.

    --components may name labctl's own folder too: ``folders`` then has it twice, and the lock is written there.
    """
    places = [folder for folder in folders if (folder / component.name / FILE).is_file()]
    if places != [shipped() / "playbooks/components"]:
        return component.folder, False
    target = PROJECT / component.name
    for path in sorted(component.folder.iterdir()):
        if path.is_file():
            write_text(target / path.name, path.read_text(encoding="utf-8"))
    return target, True
