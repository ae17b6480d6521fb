# SPDX-License-Identifier: Apache-2.0
"""One component on one builder, from what it needs to its files on the controller. Nothing is kept of a build that failed."""

from __future__ import annotations

import platform
import secrets
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.build import modules, recipe, toolchain
from orchestrator.build.builder import Builder, GoPlaces, Say
from orchestrator.build.recipe import Recipe
from orchestrator.build.toolchain import Caches
from orchestrator.build.tree import LOCKED, GoTree, read_tree
from orchestrator.model.component import Component, Toolchain
from orchestrator.model.errors import BuildError

BUILD_SECONDS = 3600.0
HOME = "/nonexistent"
"""A build has no settings of a user."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made. ``snapshot``: of a checkout, the tar of its work tree. ``scratch``: with an empty build cache. ``out``: an
    empty folder here, which gets the outputs by their names in the artifact."""

    component: Component
    toolchain: Toolchain
    snapshot: Path | None
    scratch: bool
    out: Path


def make(order: Order, builder: Builder, caches: Caches, say: Say) -> Recipe:
    """Raises BuildError, and what a builder raises."""
    if order.component.go is None:
        raise BuildError(f"{order.component.name} is not built: its source is {order.component.source}.")
    with unpacked_sources(order) as folder:
        return _go(order, builder, caches, folder, say)


def _go(order: Order, builder: Builder, caches: Caches, folder: Path, say: Say) -> Recipe:
    component = order.component
    assert component.go is not None
    tree = _tree(order)
    here = toolchain.ensure(order.toolchain, caches, say)
    there = toolchain.ensure(order.toolchain, caches, say, builder.architecture)
    archive = toolchain.archive(order.toolchain, caches, say, builder.architecture)
    packages = modules.fetch(component, folder, here, caches, builder.architecture, say, tree)
    installed = builder.install(component.needs, say)
    with _cache(order, caches) as cache:
        places = builder.go(there, archive, caches.modules, cache, say)
        commands = _commands(order, builder, folder, tree)
        environment = recipe.go_environment(component.go, places, HOME, builder.environment, tree)
        say(f"{packages} packages")
        # The working folder is part of no output: -trimpath leaves it out.
        script = "\n".join([f"cd {shlex.quote(f'{builder.work}/{component.name}')}", *commands])
        builder.run(script, environment, _counted(say, packages), BUILD_SECONDS)
    out = f"{builder.work}/{component.name}.out"
    glibc = builder.ask(recipe.glibc_question(out)) if component.needs else ""
    builder.get(out, order.out)
    facts = _facts(order, builder, installed, environment, places)
    about = {
        "modules": str(tree.mode),
        "workspace": tree.workspace,
        "notes": list(tree.notes),
        "glibc": glibc.strip() or None,
    }
    return Recipe(tuple(_neutral(line, builder) for line in commands), {**facts, **about})


def _tree(order: Order) -> GoTree:
    if order.snapshot is None or order.component.checkout is None:
        return LOCKED
    return read_tree(order.snapshot, order.component.checkout, order.toolchain)


def _commands(order: Order, builder: Builder, folder: Path, tree: GoTree) -> list[str]:
    """Put the sources there; gives the commands."""
    name = order.component.name
    source, out = f"{builder.work}/{name}", f"{builder.work}/{name}.out"
    builder.ask(f"rm -rf {shlex.quote(source)} {shlex.quote(out)} && mkdir -p {shlex.quote(source)}")
    if order.snapshot is not None:
        builder.put(order.snapshot, f"{source}.tar")
        builder.ask(f"tar -C {shlex.quote(source)} -xf {shlex.quote(f'{source}.tar')}", 300.0)
    else:
        for file in ("go.mod", "go.sum"):
            builder.put(folder / file, f"{source}/{file}")
    return [recipe.folders_command(order.component, out), *recipe.go_commands(order.component, out, tree)]


@contextmanager
def unpacked_sources(order: Order) -> Iterator[Path]:
    """The folder here with go.mod: the component's own, or the snapshot's, unpacked for as long as modules are fetched."""
    if order.snapshot is None:
        yield order.component.folder
        return
    with tempfile.TemporaryDirectory(prefix="labctl-checkout-") as name:
        with tarfile.open(order.snapshot) as packed:
            # A developer's tree may hold links to anywhere; the other filter refuses these.
            packed.extractall(name, filter="tar")
        yield Path(name)


@contextmanager
def _cache(order: Order, caches: Caches) -> Iterator[Path]:
    """The build cache: the one that stays, or an empty one."""
    if not order.scratch:
        yield caches.build
        return
    scratch = caches.folder / f"scratch-{secrets.token_hex(4)}"
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _counted(say: Say, packages: int) -> Say:
    """`go build -v` names each package that it compiles: those it does not name, the cache had."""
    done = 0

    def tell(line: str) -> None:
        nonlocal done
        done += not line.startswith((" ", "#", "go: "))
        say(f"{min(done, packages)}/{packages} {line}")

    return tell


def _facts(
    order: Order,
    builder: Builder,
    installed: Mapping[str, str],
    environment: Mapping[str, str],
    places: GoPlaces,
) -> dict[str, Any]:
    own = {
        name: value
        for name, value in environment.items()
        if name in ("CGO_ENABLED", "GOFLAGS") or name in builder.environment
    }
    return {
        "builder": builder.name,
        "release": builder.release,
        "controller": platform.system().lower(),
        "go": order.toolchain.version,
        "environment": own,
        "packages": dict(installed),
    }


def _neutral(line: str, builder: Builder) -> str:
    """A command without the folder that only this build had."""
    return line.replace(builder.work, "$WORK")
