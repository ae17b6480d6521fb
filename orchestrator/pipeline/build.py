# SPDX-License-Identifier: Apache-2.0
"""A build, from the components that are wanted to the vars file that roles install from. Read top to bottom.

plan_build   components + lock + what the builder is -> what each artifact's key is, and whether the store has it
build        make what is lacking, on one builder that is only started for that; write the vars file
verify       make it again with an empty build cache, and compare every file's sha256
pin          lock another version
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from orchestrator.build import snapshot
from orchestrator.build.artifacts import read_artifacts, write_artifacts
from orchestrator.build.builder import Builder
from orchestrator.build.execute import Order, make
from orchestrator.build.key import Target, inputs_of, key_of
from orchestrator.build.store import Spoilt, Store
from orchestrator.build.toolchain import Caches
from orchestrator.files import cache_folder, sha256_of
from orchestrator.lab.files import locked
from orchestrator.lab.system import System
from orchestrator.load.component import FILE, choose, load_components, load_toolchain
from orchestrator.model.artifact import ARTIFACTS, Artifact
from orchestrator.model.component import Component, Source, Toolchain
from orchestrator.model.errors import BuildError, LabError, UsageError
from orchestrator.pipeline.builders import Choice, builder_for
from orchestrator.pipeline.images import LOCK, PROJECT_LOCK, images, pin_images
from orchestrator.pipeline.pin import Lock, component_to_pin, pin_debian, pin_module
from orchestrator.shipped import shipped

LOCK_SECONDS = 7200.0
WAITING = "waiting: another labctl of yours is building"
IMAGES = "images"
"""What the container images are called among components."""
LAB_RELEASE = "trixie"
"""Debian's release of the disposable builder."""
_CHEAP_FIRST = (Source.PREBUILT, Source.DEBIAN, Source.CHECKOUT, Source.MODULE)


def component_folders() -> tuple[Path, ...]:
    """Where components are looked for: the project's own go before those that come with labctl."""
    return Path("components"), shipped() / "playbooks/components"


class View(Protocol):
    """Who is told. ``name`` is a component's, or what is not of one (``builder``). A warning is always shown."""

    def say(self, name: str, text: str) -> None: ...
    def warn(self, name: str, text: str) -> None: ...
    def built(self, built: Built) -> None: ...


@dataclass(frozen=True, slots=True)
class Built:
    """A component that is there. ``seconds`` None: the store had it. ``size`` in bytes."""

    artifact: Artifact
    size: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What `labctl build` was asked for. ``source`` None: what each component.yaml says. ``state`` is labctl's own folder."""

    names: tuple[str, ...] = ()
    folders: tuple[Path, ...] = field(default_factory=component_folders)
    source: Source | None = None
    choice: Choice = "lab"
    inventory: Path | None = None
    state: Path = Path(".labctl")
    cache: Path = field(default_factory=cache_folder)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A component with the key of its artifact, and what that was computed from."""

    component: Component
    key: str
    inputs: dict[str, Any]
    snapshot: Path | None


def build(asked: Asked, view: View) -> tuple[Built, ...]:
    """Everything that is wanted, made where it is lacking; then the vars file.

    Raises ConfigError, UsageError, BuildError, LabError, UnreachableError; what was made before stays in the store.
    """
    pinned = _toolchain(asked)
    with (
        _one_at_a_time(view),
        tempfile.TemporaryDirectory(prefix="labctl-build-") as work,
        _Workshop(asked, view) as shop,
    ):
        components = load_components(asked.folders, asked.source)
        store = Store(asked.cache / "artifacts")
        store.sweep()
        wanted = _plan(choose(components, asked.names), pinned, shop.target, Path(work))
        done = [*_cached(wanted, store, view)]
        have = {built.artifact.component for built in done}
        lacking = [one for one in wanted if one.component.name not in have]
        for one in lacking:
            done.append(_make(one, pinned, shop, store, Path(work), view))
            view.built(done[-1])
        others = _others(asked, components, wanted, pinned, shop.target, store, Path(work))
        in_order = sorted(
            [*(built.artifact for built in done), *others], key=lambda artifact: artifact.component
        )
        made = images(asked.cache, lambda text: view.say(IMAGES, text))
        write_artifacts(asked.state / ARTIFACTS, made, in_order)
    return tuple(done)


def verify(asked: Asked, view: View) -> dict[str, list[str]]:
    """Each component made again from nothing; the files that came out otherwise, by component. Raises as `build`."""
    first = {built.artifact.component: built.artifact for built in build(asked, view)}
    pinned = _toolchain(asked)
    differing: dict[str, list[str]] = {}
    with (
        _one_at_a_time(view),
        tempfile.TemporaryDirectory(prefix="labctl-verify-") as work,
        _Workshop(asked, view) as shop,
    ):
        components = choose(load_components(asked.folders, asked.source), asked.names)
        for one in _plan(components, pinned, shop.target, Path(work)):
            name, out = one.component.name, Path(work) / f"{one.component.name}.again"
            _files(one, pinned, shop, out, view, scratch=True)
            again = {
                str(path.relative_to(out)): sha256_of(path)
                for path in sorted(out.rglob("*"))
                if path.is_file()
            }
            shutil.rmtree(out)
            known = first[name].files
            differing[name] = sorted(file for file in {*known, *again} if known.get(file) != again.get(file))
            view.say(
                name,
                f"{len(again)} files: {', '.join(differing[name]) + ' differ' if differing[name] else 'identical'}",
            )
    return differing


def pin(asked: Asked, name: str, version: str, view: View) -> Lock:
    """Lock another version of a component. Raises BuildError, UsageError, ConfigError."""
    if name == IMAGES:
        if version != "latest":
            raise UsageError(
                "The images are locked at what the mirror has.", f"labctl build --pin {IMAGES}@latest"
            )
        # --components means the maintainer's way: what comes with labctl is locked itself.
        target = LOCK if len(asked.folders) > len(component_folders()) else PROJECT_LOCK
        return Lock(pin_images(platform.machine(), lambda text: view.say(name, text), target), target.parent)
    component = component_to_pin(asked.folders, name, asked.source)

    def say(text: str) -> None:
        view.say(name, text)

    if component.source is Source.MODULE:
        return pin_module(component, version, _toolchain(asked), asked.folders, say)
    with _one_at_a_time(view), _Workshop(asked, view) as shop:
        return pin_debian(component, version, shop.builder, asked.folders, say)


def _toolchain(asked: Asked) -> Toolchain:
    return load_toolchain(
        next((folder for folder in asked.folders if (folder / "toolchain.yaml").is_file()), asked.folders[0])
    )


def _plan(
    components: Sequence[Component], pinned: Toolchain, target: Callable[[], Target], work: Path
) -> list[Wanted]:
    """The cheap ones first."""
    ordered = sorted(components, key=lambda one: (_CHEAP_FIRST.index(one.source), one.name))
    return [_wanted(component, pinned, target(), work) for component in ordered]


def _wanted(component: Component, pinned: Toolchain, target: Target, work: Path) -> Wanted:
    tar = None
    if component.checkout is not None:
        tar = work / f"{component.name}.tar"
        snapshot.take(component.checkout, tar)
    inputs = inputs_of(component, pinned, target, tar)
    return Wanted(component, key_of(inputs), inputs, tar)


def _cached(wanted: Sequence[Wanted], store: Store, view: View) -> Iterator[Built]:
    """Those that the store has, each read to its end: what is spoilt is said, and made again."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(lambda one: store.find(one.component, one.key), wanted))
    for one, artifact in zip(wanted, found, strict=True):
        if isinstance(artifact, Spoilt):
            view.say(one.component.name, f"{artifact.what} It is made again.")
        elif artifact is not None:
            built = Built(artifact, Path(artifact.path).stat().st_size)
            view.built(built)
            yield built


def _make(one: Wanted, pinned: Toolchain, shop: _Workshop, store: Store, work: Path, view: View) -> Built:
    began, out = time.monotonic(), work / f"{one.component.name}.out"
    facts = _files(one, pinned, shop, out, view)
    provenance = {
        "inputs": one.inputs,
        **facts,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
    }
    artifact = store.put(one.component, one.key, shop.target().architecture, out, provenance)
    shutil.rmtree(out)
    return Built(artifact, Path(artifact.path).stat().st_size, time.monotonic() - began)


def _files(
    one: Wanted, pinned: Toolchain, shop: _Workshop, out: Path, view: View, scratch: bool = False
) -> dict[str, Any]:
    """The component's files in ``out``; what provenance tells of how."""
    component = one.component
    out.mkdir()
    if component.source is Source.PREBUILT:
        _copy_prebuilt(component, out)
        return {"commands": []}
    view.say(component.name, f"{component.source} {component.version}")
    order = Order(component, pinned, one.snapshot, scratch, out)
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
    asked: Asked, components: Sequence[Component], wanted: Sequence[Wanted], pinned: Toolchain, target: Callable[[], Target],
    store: Store, work: Path,
) -> list[Artifact]:  # fmt: skip
    """Where only some were named: what the vars file has of the others, as far as it is still what the lock says."""
    if not asked.names:
        return []
    listed = read_artifacts(asked.state / ARTIFACTS).get("components") or {}
    named = {one.component.name for one in wanted}
    rest = [one for one in components if one.name in listed and one.name not in named]
    found = [store.find(one, _wanted(one, pinned, target(), work).key) for one in rest]
    return [artifact for artifact in found if isinstance(artifact, Artifact)]


class _Workshop:
    """The builder, started when it is first needed, and what it is as far as keys depend on it."""

    def __init__(self, asked: Asked, view: View) -> None:
        self._asked, self._view = asked, view
        self._stack = ExitStack()
        self._builder: Builder | None = None

    def __enter__(self) -> _Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def builder(self) -> Builder:
        if self._builder is None:
            context = builder_for(
                self._asked.choice, self._asked.inventory, lambda text: self._view.say("builder", text)
            )
            self._builder = self._stack.enter_context(context)
        return self._builder

    def target(self) -> Target:
        """A lab host is of this machine's kind, and of one release: for that it need not be up."""
        if self._asked.choice == "lab":
            return Target(platform.machine(), LAB_RELEASE)
        return Target(self.builder.architecture, self.builder.release)


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
