# SPDX-License-Identifier: Apache-2.0
"""Locks: which version of a component is built. Another component, its lock missing or not, is never looked at.

A lock lies beside the component's component.yaml. What comes with labctl is not written: its component.yaml is
copied to ./components first, so that the project's own goes before it.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.build import modules, toolchain
from orchestrator.build.builder import Say
from orchestrator.build.debian import Apt, locked_package, run_tool
from orchestrator.build.recipe import DEBIAN_NAMES
from orchestrator.build.toolchain import Caches
from orchestrator.files import write_text
from orchestrator.load.component import FILE, list_components, load_component
from orchestrator.load.document import load_document
from orchestrator.load.yaml_edit import replace_values
from orchestrator.model.component import Component, Source, Toolchain
from orchestrator.model.errors import UsageError
from orchestrator.pipeline.images import package_sources
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


def pin_debian(component: Component, version: str, work: Path, folders: Sequence[Path], say: Say) -> Lock:
    """Lock, for this machine's architecture, the packages that each release of the component has now. ``work`` is an empty folder.

    The lock's version is that of the first release in component.yaml. Raises BuildError.
    """
    machine = platform.machine()
    architecture = DEBIAN_NAMES.get(machine, machine)
    edits: dict[tuple[str, ...], str] = {}
    versions: list[str] = []
    for release in dict.fromkeys(package.release for package in component.debian):
        say(f"fetching the package lists of Debian {release}")
        apt = Apt(work / release, run_tool, architecture)
        apt.update(package_sources(release))
        for package in (item for item in component.debian if item.release == release):
            newest = locked_package(package.name, version, release, apt)
            versions.append(newest.version)
            place = (*_packages(component, release), package.name)
            edits[(*place, "version")] = newest.version
            edits[(*place, "sha256", architecture)] = newest.sha256["here"]
    text = replace_values((component.folder / FILE).read_text(encoding="utf-8"), edits)
    target, copied = _own_folder(component, folders)
    write_text(target / FILE, text)
    return Lock(versions[0], target, copied)


def _packages(component: Component, release: str) -> tuple[str, ...]:
    """Return where component.yaml has the packages of ``release``: it may have one release, or several."""
    document = load_document(component.folder / FILE).value
    return (
        ("debian", "releases", release, "packages")
        if "releases" in document["debian"]
        else ("debian", "packages")
    )


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
