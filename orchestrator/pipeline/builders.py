# SPDX-License-Identifier: Apache-2.0
"""Where a build is done: a disposable lab host, a host of the group `builders`, or this machine. Never a host that is benched."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from orchestrator.build.builder import Builder, Say
from orchestrator.build.local import local_builder
from orchestrator.build.remote import FOLDER, SshBuilder
from orchestrator.build.toolchain import Caches
from orchestrator.files import cache_folder, write_text
from orchestrator.lab.fresh import free_number, inventory_text, links_here, networks_here
from orchestrator.lab.lifecycle import Labs
from orchestrator.lab.system import System
from orchestrator.load.inventory import endpoint_of, load_inventory, select_hosts
from orchestrator.load.lab import lab_spec
from orchestrator.model.artifact import LAB_RELEASE, RELEASES, Target, is_newer
from orchestrator.model.errors import BuildError, ConfigError, LabError, UnreachableError
from orchestrator.model.inventory import BUILDERS, Host, Inventory
from orchestrator.model.lab import LabSpec
from orchestrator.ssh import connect

Choice = Literal["lab", "group", "local"]
VARIABLE = "labctl_environment"
LAB = "labctl-build"
FIRST_NUMBER = 240
"""Where the search for a subnet begins: no two releases begin at the same one."""
SHARED = f"{FOLDER}/shared"
"""Where the disposable lab host has the controller's Go caches."""


class NoBuilder(BuildError):
    """There is nothing to build on for an architecture; others may have a builder."""


@contextmanager
def builder_for(choice: Choice, inventory: Path | None, say: Say, target: Target) -> Iterator[Builder]:
    """A builder that is up, and gone again afterwards. ``target`` is the architecture, and the oldest release that is built for.

    Raises NoBuilder, BuildError, ConfigError, LabError, UnreachableError.
    """
    if choice != "group" and target.architecture != platform.machine():
        raise NoBuilder(
            f"This machine is {platform.machine()}, and builds nothing for {target.architecture}"
            " (a host of that architecture in the group `builders` would)."
        )
    with ExitStack() as stack:
        if choice == "local":
            yield stack.enter_context(local_builder(Caches.of_user(os.environ).folder / "work"))
        elif choice == "group":
            yield stack.enter_context(_of_group(inventory, say, target))
        else:
            yield stack.enter_context(_lab_host(say, target.release))


def has_builders(inventory: Path | None) -> bool:
    """Whether the inventory has a group `builders` with hosts in it. Raises ConfigError."""
    if inventory is None or not inventory.is_file():
        return False
    loaded = load_inventory(inventory)
    return BUILDERS in loaded.groups and bool(loaded.members(BUILDERS))


@contextmanager
def _of_group(path: Path | None, say: Say, target: Target) -> Iterator[Builder]:
    """The first host of the group that answers, has the architecture, and is not newer than the oldest release built for."""
    if path is None:
        raise BuildError(
            "Builders are hosts of an inventory's group `builders`.", "Name it with --inventory."
        )
    inventory = load_inventory(path)
    hosts = select_hosts(inventory, BUILDERS)
    silent: list[str] = []
    for host in hosts:
        try:
            connection = connect(endpoint_of(host, inventory))
        except UnreachableError as error:
            silent.append(str(error))
            continue
        with connection:
            builder = SshBuilder.begin(connection, host.name, environment=environment_of(host, inventory))
            if unfit := _unfit(builder, target):
                silent.append(unfit)
                builder.end()
                continue
            say(f"building on {host.name}")
            try:
                yield builder
            finally:
                builder.end()
            return
    raise NoBuilder(f"No host of the group `builders` can build for {target.name}: {' '.join(silent)}")


def _unfit(builder: Builder, target: Target) -> str | None:
    """Return why ``builder`` cannot build for ``target``, a sentence; None where it can."""
    if builder.architecture != target.architecture:
        return f"{builder.name} is {builder.architecture}."
    if is_newer(builder.release, target.release):
        return f"{builder.name} has Debian {builder.release}, which is newer than {target.release}."
    return None


def environment_of(host: Host, inventory: Inventory) -> Mapping[str, str]:
    """What the inventory's `labctl_environment` adds to build commands. Raises ConfigError."""
    found: Any = host.vars.get(VARIABLE) or {}
    if isinstance(found, Mapping) and all(isinstance(value, str | int) for value in found.values()):
        return {str(name): str(value) for name, value in found.items()}
    raise ConfigError(
        "must be a mapping of names to texts.", file=inventory.path, key=f"{host.name}.{VARIABLE}"
    )


@contextmanager
def _lab_host(say: Say, release: str) -> Iterator[Builder]:
    """A lab of one host of Debian ``release`` that shares the controller's Go caches.

    What an earlier one left is taken up, and all of it is gone after.
    """
    system = System()
    labs = Labs(system)
    spec = _spec(system, release)

    def tell(who: str, what: str) -> None:
        say(what)

    try:
        result = labs.up(spec, tell)
        if not result.ok:
            raise BuildError(
                f"The builder did not come up: {_why(result)}", "Build on this machine itself: --local."
            )
        with connect(
            endpoint_of(load_inventory(spec.inventory).hosts[0], load_inventory(spec.inventory))
        ) as connection:
            yield SshBuilder.begin(connection, "a lab host", SHARED)
    except LabError as error:
        raise BuildError(
            f"There is no lab host to build on: {error.message}",
            " ".join(
                filter(
                    None,
                    (
                        error.hint,
                        "Or build on this machine itself (--local), or on hosts of a group `builders`.",
                    ),
                )
            ),
        ) from error
    finally:
        labs.down(spec, tell)


def _why(result: Any) -> str:
    return " ".join(host.error for host in result.hosts if host.error) or " ".join(result.problems)


def _spec(system: System, release: str) -> LabSpec:
    """Its inventory is in the cache: whichever project builds, it is the same one host of a release."""
    path = cache_folder() / "builder" / (f"{LAB}.yaml" if release == LAB_RELEASE else f"{LAB}-{release}.yaml")
    if not path.is_file():
        first = FIRST_NUMBER + list(RELEASES).index(release)
        number = free_number(networks_here(system), links_here(system), first)
        write_text(
            path,
            inventory_text(
                path,
                1,
                "container",
                number,
                keys="keys" if release == LAB_RELEASE else f"keys-{release}",
                release=release,
            ),
        )
    caches = Caches.of_user()
    caches.folder.mkdir(parents=True, exist_ok=True)
    return replace(lab_spec(load_inventory(path)), binds=((caches.folder, SHARED),))
