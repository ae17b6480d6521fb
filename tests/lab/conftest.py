# SPDX-License-Identifier: Apache-2.0
"""Real hosts for all lab tests of a session: two on a bridge and subnet of their own, one virtual machine."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.lab.container import ContainerProvider
from orchestrator.lab.fresh import free_number, free_ports, inventory_text, links_here, networks_here
from orchestrator.lab.lifecycle import Labs
from orchestrator.lab.system import System
from orchestrator.lab.vm import VmProvider
from orchestrator.model.artifact import LAB_RELEASE, Target
from orchestrator.model.errors import LabError
from orchestrator.model.lab import LabSpec
from orchestrator.pipeline.lab import lab_down, lab_up, read_lab

_COUNT = itertools.count(1)
BUILD_SECONDS = 2400
"""All components from source, on two cores that others may use too."""


LAB_TARGET = Target(os.uname().machine, LAB_RELEASE).name
"""The key, in the vars file of a build, of what hosts of the session's lab get."""


@dataclass(frozen=True)
class LabOfTests:
    """A lab that is up. ``inventory`` is its file; ``spec`` what it describes."""

    inventory: Path
    spec: LabSpec


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """None of the tests of this folder runs where there can be no lab."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.usefixtures("lab_possible"))
            # The first of them may wait for everything to be built from source.
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(BUILD_SECONDS + 900))


@pytest.fixture(scope="session")
def lab_possible() -> None:
    """Skips with the reason where no lab can be made; fails there, where tests must not be skipped."""
    _demand(ContainerProvider.of_machine(System()).problem())


def vm_possible() -> None:
    """As `lab_possible`, for virtual machines. A test asks it through the fixtures below."""
    _demand(VmProvider.of_machine(System()).problem())


def _demand(problem: LabError | None) -> None:
    if problem is None:
        return
    if os.environ.get("CI") == "true" or os.environ.get("LABCTL_LAB_TESTS") == "1":
        pytest.fail(f"lab tests must run here, and cannot: {problem}", pytrace=False)
    pytest.skip(str(problem))


def write_vm_inventory(folder: Path, name: str, hosts: int = 1) -> Path:
    """An inventory of virtual machines that are nobody's: the lab's name and ports are free on this machine."""
    path = folder / f"{name}.yaml"
    # Far from where `labctl lab new` begins, and not where a session at the same time does.
    port = free_ports(hosts, set(), 12_000 + os.getpid() % 1000 * 10)
    path.write_text(inventory_text(path, hosts, "vm", port, keys=f".labctl/lab/{name}"))
    return path


def write_inventory(folder: Path, name: str, hosts: int = 2) -> Path:
    """An inventory of a lab that is nobody's: its name, bridge and subnet are free on this machine."""
    path = folder / f"{name}.yaml"
    # Far from where `labctl lab new` begins, and not where a session at the same time does.
    first = 100 + os.getpid() % 100
    number = free_number(networks_here(System()), links_here(System()), first)
    path.write_text(inventory_text(path, hosts, "container", number, keys=f".labctl/lab/{name}"))
    return path


def quiet(who: str, what: str, /) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def own_inventory(tmp_path: Path) -> Iterator[Path]:
    """Of a lab of one test's own, not up yet, and taken down whatever happens."""
    path = write_inventory(tmp_path, f"own{os.getpid()}-{next(_COUNT)}")
    yield path
    removed = lab_down(path, quiet)
    assert removed is None or removed.ok, removed


@pytest.fixture
def own_vm_inventory(tmp_path: Path) -> Iterator[Path]:
    """As `own_inventory`, of one virtual machine."""
    vm_possible()
    path = write_vm_inventory(tmp_path, f"ownvm{os.getpid()}-{next(_COUNT)}")
    yield path
    removed = lab_down(path, quiet)
    assert removed is None or removed.ok, removed


@pytest.fixture(scope="module")
def vm_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabOfTests]:
    """One virtual machine for the tests of one module (emulated: half a minute until it is up), and gone after them.

    Not for the whole session: an emulated machine that idles takes time from everybody.
    """
    vm_possible()
    inventory = write_vm_inventory(tmp_path_factory.mktemp("vm"), f"vm{os.getpid()}")
    labs = Labs()
    try:
        result = lab_up(inventory, quiet, labs)
        assert result.ok, result
        yield LabOfTests(inventory, read_lab(inventory))
    finally:
        removed = lab_down(inventory, quiet, labs)
    assert removed is not None and removed.ok, removed


@pytest.fixture(scope="session")
def lab(lab_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabOfTests]:
    """Two hosts that are up for the whole session, and gone after it."""
    inventory = write_inventory(tmp_path_factory.mktemp("lab"), f"tests{os.getpid()}")
    labs = Labs()
    try:
        result = lab_up(inventory, quiet, labs)
        assert result.ok, result
        yield LabOfTests(inventory, read_lab(inventory))
    finally:
        removed = lab_down(inventory, quiet, labs)
    assert removed is not None and removed.ok, removed


@pytest.fixture(scope="session")
def provisioned_lab(lab: LabOfTests) -> LabOfTests:
    """The session's lab with containerd, runc, crun and the images, as `labctl provision` makes it."""
    command = [sys.executable, "-m", "orchestrator.cli.main", "provision", str(lab.inventory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return lab
