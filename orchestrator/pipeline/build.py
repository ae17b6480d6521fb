# SPDX-License-Identifier: Apache-2.0
"""A build, from the components that are wanted to the vars file that roles install from. Read top to bottom.

plan_build   components + lock + targets + what the builder is -> the artifacts that are needed, by key (pipeline/build_plan.py)
build        make what the store lacks, on one builder an architecture that is only started for that; write the vars file
verify       make it again with an empty build cache, and compare every file's sha256
pin          lock another version
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from orchestrator.build import snapshot
from orchestrator.build.artifacts import entries_of, read_artifacts, targets_built, write_artifacts
from orchestrator.build.debian import download_locked
from orchestrator.build.execute import Order, make
from orchestrator.build.store import Spoilt, Store
from orchestrator.build.toolchain import Caches
from orchestrator.files import cache_folder, sha256_of
from orchestrator.lab.files import locked
from orchestrator.lab.system import System
from orchestrator.load.component import FILE, choose, list_components, load_components, load_toolchain
from orchestrator.model.artifact import (
    ARTIFACTS,
    LAB_RELEASE,
    Artifact,
    MissingComponent,
    Target,
    TargetArtifacts,
)
from orchestrator.model.component import Component, Source, Toolchain
from orchestrator.model.errors import BuildError, LabError, UsageError
from orchestrator.pipeline.build_plan import (
    BuildPlan,
    PlannedArtifact,
    nothing_to_build_on,
    plan_build,
    releases_by_architecture,
)
from orchestrator.pipeline.builders import Choice, NoBuilder
from orchestrator.pipeline.images import images, pin_images
from orchestrator.pipeline.pin import Lock, component_to_pin, pin_debian, pin_module
from orchestrator.pipeline.workshop import Workshop
from orchestrator.shipped import component_folders

LOCK_SECONDS = 7200.0
WAITING = "waiting: another labctl of yours is building"
IMAGES = "images"
"""What the container images are called among components."""


class View(Protocol):
    """Who is told. ``name`` is a component's, or what is not of one (``builder``). A warning is always shown."""

    def say(self, name: str, text: str) -> None: ...
    def warn(self, name: str, text: str) -> None: ...
    def built(self, built: Built) -> None: ...
    def missing(self, missing: MissingComponent, target: Target) -> None: ...


@dataclass(frozen=True, slots=True)
class Built:
    """A component that is there. ``seconds`` None: the store had it. ``size`` in bytes.

    ``releases``: those that it is for, where other releases of this build have another artifact.
    """

    artifact: Artifact
    size: int
    seconds: float | None = None
    releases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What `labctl build` was asked for. ``source`` None: what each component.yaml says. ``state`` is labctl's own folder.

    ``targets``: the hosts that are built for; without any, those of the last build, or else this machine's kind of lab host.
    """

    names: tuple[str, ...] = ()
    folders: tuple[Path, ...] = field(default_factory=component_folders)
    source: Source | None = None
    targets: tuple[Target, ...] = ()
    choice: Choice = "lab"
    inventory: Path | None = None
    state: Path = Path(".labctl")
    cache: Path = field(default_factory=cache_folder)


def build(asked: Asked, view: View) -> tuple[Built, ...]:
    """Everything that is wanted, made where it is lacking; then the vars file.

    Raises ConfigError, UsageError, BuildError, LabError, UnreachableError; what was made before stays in the store.
    """
    pinned = _toolchain(asked)
    components = load_components(asked.folders, asked.source)
    store = Store(asked.cache / "artifacts")
    done: list[Built] = []
    results: list[TargetArtifacts] = []
    with _one_at_a_time(view), tempfile.TemporaryDirectory(prefix="labctl-build-") as work:
        for name, text in _hidden(asked.folders):
            view.say(name, text)
        # First: it takes seconds, and a tool that it lacks is better said before a build of minutes than after.
        container_images = images(asked.cache, lambda text: view.say(IMAGES, text), asked.folders)
        store.sweep()
        for architecture, releases in releases_by_architecture(targets_of(asked)).items():
            with _workshop(asked, view, architecture, releases, Path(work)) as shop:
                made, of_targets = _build_for(asked, components, pinned, shop, store, view)
            done += made
            results += of_targets
        write_artifacts(asked.state / ARTIFACTS, container_images, results)
    return tuple(done)


def _workshop(asked: Asked, view: View, architecture: str, releases: tuple[str, ...], work: Path) -> Workshop:
    return Workshop(asked.choice, asked.inventory, view.say, architecture, releases, work)


def targets_of(asked: Asked) -> tuple[Target, ...]:
    """Return what is built for: the targets asked for, those of the last build, or this machine's kind of lab host."""
    return (
        asked.targets or targets_built(asked.state / ARTIFACTS) or (Target(platform.machine(), LAB_RELEASE),)
    )


def _build_for(
    asked: Asked,
    components: Sequence[Component],
    pinned: Toolchain,
    shop: Workshop,
    store: Store,
    view: View,
) -> tuple[list[Built], list[TargetArtifacts]]:
    """Make what the releases of one architecture lack; what each of them has then."""
    chosen = choose(components, asked.names)
    rest: Mapping[str, Sequence[Artifact]] = {}
    try:
        plan = plan_build(chosen, pinned, shop.target(), shop.releases, shop.work)
        rest = _others(asked, components, pinned, shop, store)
    except NoBuilder as error:
        plan = nothing_to_build_on(chosen, shop.releases, error.message)
    done = {_identity(planned): built for planned, built in _cached(plan, store, view)}
    for planned in plan.artifacts:
        if _identity(planned) not in done:
            built = _with_releases(planned, _make(planned, pinned, shop, store, view), plan)
            done[_identity(planned)] = built
            view.built(built)
    of_targets = []
    for release in shop.releases:
        target = Target(shop.architecture, release)
        missing = plan.missing.get(release, ())
        for item in missing:
            view.missing(item, target)
        own = [done[_identity(planned)].artifact for planned in plan.artifacts if release in planned.releases]
        whole = sorted([*own, *rest.get(release, ())], key=lambda artifact: artifact.component)
        of_targets.append(TargetArtifacts(target, tuple(whole), missing))
    return list(done.values()), of_targets


def _hidden(folders: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield each component of the project that goes before one that comes with labctl, and a sentence that says so."""
    *own, shipped = folders
    known = list_components([shipped])
    for name, folder in list_components(own).items():
        if name in known and folder.resolve() != known[name].resolve():
            yield name, f"{folder} goes before the {name} that comes with labctl"


def verify(asked: Asked, view: View) -> dict[str, list[str]]:
    """Each component made again from nothing; the files that came out otherwise, by component. Raises as `build`."""
    first = {(built.artifact.component, built.artifact.key): built.artifact for built in build(asked, view)}
    pinned = _toolchain(asked)
    components = choose(load_components(asked.folders, asked.source), asked.names)
    differing: dict[str, list[str]] = {}
    with _one_at_a_time(view), tempfile.TemporaryDirectory(prefix="labctl-verify-") as work:
        for architecture, releases in releases_by_architecture(targets_of(asked)).items():
            with _workshop(asked, view, architecture, releases, Path(work)) as shop:
                for planned in plan_build(components, pinned, shop.target(), releases, shop.work).artifacts:
                    name = _name(planned, releases)
                    known = first[planned.component.name, planned.key].files
                    differing[name] = _made_again(planned, pinned, shop, view, known)
    return differing


def _made_again(
    planned: PlannedArtifact, pinned: Toolchain, shop: Workshop, view: View, known: Mapping[str, str]
) -> list[str]:
    name, out = planned.component.name, shop.work / f"{planned.component.name}.again"
    _files(planned, pinned, shop, out, view, scratch=True)
    again = {str(path.relative_to(out)): sha256_of(path) for path in sorted(out.rglob("*")) if path.is_file()}
    shutil.rmtree(out)
    differing = sorted(file for file in {*known, *again} if known.get(file) != again.get(file))
    verdict = f"{', '.join(differing)} differ" if differing else "identical"
    view.say(name, f"{len(again)} files: {verdict}")
    return differing


def pin(asked: Asked, name: str, version: str, view: View) -> Lock:
    """Lock another version of a component. Raises BuildError, UsageError, ConfigError."""
    if name == IMAGES:
        if version != "latest":
            raise UsageError(
                "The images are locked at what the mirror has.", f"labctl build --pin {IMAGES}@latest"
            )
        locked, path = pin_images(platform.machine(), lambda text: view.say(name, text), asked.folders)
        return Lock(locked, path.parent)
    component = component_to_pin(asked.folders, name, asked.source)

    def say(text: str) -> None:
        view.say(name, text)

    if component.source is Source.MODULE:
        return pin_module(component, version, _toolchain(asked), asked.folders, say)
    with tempfile.TemporaryDirectory(prefix="labctl-pin-") as work:
        return pin_debian(component, version, Path(work), asked.folders, say)


def _toolchain(asked: Asked) -> Toolchain:
    return load_toolchain(
        next((folder for folder in asked.folders if (folder / "toolchain.yaml").is_file()), asked.folders[0])
    )


def _identity(planned: PlannedArtifact) -> tuple[str, str]:
    return planned.component.name, planned.key


def _name(planned: PlannedArtifact, releases: Sequence[str]) -> str:
    """Return the component's name, and its release where other releases have another artifact."""
    name = planned.component.name
    return name if set(planned.releases) == set(releases) else f"{name} ({', '.join(planned.releases)})"


def _cached(plan: BuildPlan, store: Store, view: View) -> Iterator[tuple[PlannedArtifact, Built]]:
    """Those that the store has, each read to its end: what is spoilt is said, and made again."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(lambda planned: store.find(planned.component, planned.key), plan.artifacts))
    for planned, artifact in zip(plan.artifacts, found, strict=True):
        if isinstance(artifact, Spoilt):
            view.say(planned.component.name, f"{artifact.what} It is made again.")
        elif artifact is not None:
            built = Built(artifact, Path(artifact.path).stat().st_size)
            built = _with_releases(planned, built, plan)
            view.built(built)
            yield planned, built


def _with_releases(planned: PlannedArtifact, built: Built, plan: BuildPlan) -> Built:
    """Return ``built`` with its releases, where others of the plan have another artifact."""
    return built if set(planned.releases) == plan.releases else replace(built, releases=planned.releases)


def _make(planned: PlannedArtifact, pinned: Toolchain, shop: Workshop, store: Store, view: View) -> Built:
    began, out = time.monotonic(), shop.work / f"{planned.component.name}.out"
    facts = _files(planned, pinned, shop, out, view)
    provenance = {
        "inputs": planned.inputs,
        **facts,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
    }
    artifact = store.put(planned.component, planned.key, shop.architecture, out, provenance)
    shutil.rmtree(out)
    return Built(artifact, Path(artifact.path).stat().st_size, time.monotonic() - began)


def _files(
    planned: PlannedArtifact,
    pinned: Toolchain,
    shop: Workshop,
    out: Path,
    view: View,
    scratch: bool = False,
) -> dict[str, Any]:
    """The component's files in ``out``; what provenance tells of how."""
    component = planned.component
    out.mkdir()
    if component.source is Source.PREBUILT:
        _copy_prebuilt(component, out)
        return {"commands": []}
    view.say(component.name, f"{component.source} {component.version}")
    if component.source is Source.DEBIAN:
        (release,) = planned.releases
        commands = download_locked(component.debian, shop.apt(release), component.name, out)
        return {"commands": list(commands), "builder": "the controller", "release": release}
    order = Order(component, pinned, planned.snapshot, scratch, out)
    made = make(order, shop.builder, Caches.of_user(), lambda text: view.say(component.name, text))
    for note in made.facts.get("notes", ()):
        view.warn(component.name, note)
    facts = {"commands": list(made.commands), **made.facts}
    return {**facts, **snapshot.commit_of(component.checkout)} if component.checkout else facts


def _copy_prebuilt(component: Component, out: Path) -> None:
    for file in component.prebuilt:
        found = sha256_of(file.path)
        if found != file.sha256:
            raise BuildError(
                f"{file.path} has sha256 {found}, and {component.folder / FILE} says {file.sha256}.",
                "If the new file is right, write its sha256 there.",
            )
        target = out / file.output
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target)


def _others(
    asked: Asked,
    components: Sequence[Component],
    pinned: Toolchain,
    shop: Workshop,
    store: Store,
) -> dict[str, list[Artifact]]:
    """Where only some were named: what the vars file has of the others, by release, as far as it is still what the lock says."""
    if not asked.names:
        return {}
    before = read_artifacts(asked.state / ARTIFACTS)
    listed = {
        release: entries_of(before, Target(shop.architecture, release)).get("components") or {}
        for release in shop.releases
    }
    names = {name for entries in listed.values() for name in entries} - set(asked.names)
    rest = [component for component in components if component.name in names]
    found: dict[str, list[Artifact]] = {}
    for planned in plan_build(rest, pinned, shop.target(), shop.releases, shop.work).artifacts:
        artifact = store.find(planned.component, planned.key)
        for release in planned.releases:
            if planned.component.name in listed[release] and isinstance(artifact, Artifact):
                found.setdefault(release, []).append(artifact)
    return found


@contextmanager
def _one_at_a_time(view: View) -> Iterator[None]:
    """One build a machine and user. Raises BuildError: another one does not end."""
    path = cache_folder(os.environ) / "build.lock"
    try:
        with locked(
            path, "a build", System().clock, LOCK_SECONDS, waiting=lambda: view.say("builder", WAITING)
        ):
            yield
    except LabError as error:
        raise BuildError(error.message, error.hint) from error
