# SPDX-License-Identifier: Apache-2.0
"""Two lab hosts, made of one root file system: one for ansible-core, one for labctl. Gone after the session, whatever happens."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.lab.container import ContainerProvider
from orchestrator.lab.lifecycle import Labs
from orchestrator.lab.system import System
from orchestrator.pipeline.lab import lab_down, lab_up, read_lab
from tests.lab.conftest import quiet, write_inventory
from tests.peers.provision.sides import ANSIBLE, AnsibleSide, LabctlSide


@dataclass(frozen=True)
class Pair:
    """The two sides. ``inventory`` is the lab's own."""

    ansible: AnsibleSide
    labctl: LabctlSide
    inventory: Path


def _demand(problem: str | None) -> None:
    """Skips with the reason where nothing can be compared; fails there, where tests must not be skipped."""
    if problem is None:
        return
    if os.environ.get("CI") == "true" or os.environ.get("LABCTL_LAB_TESTS") == "1":
        pytest.fail(
            f"labctl must be compared with ansible-core here, and cannot be: {problem}", pytrace=False
        )
    pytest.skip(problem)


@pytest.fixture(scope="session")
def ansible_is_there() -> None:
    _demand(None if ANSIBLE.is_file() else f"there is no {ANSIBLE}: run `make .venv-peers/ansible`.")


@pytest.fixture(scope="session")
def lab_is_possible() -> None:
    problem = ContainerProvider.of_machine(System()).problem()
    _demand(None if problem is None else str(problem))


@pytest.fixture(scope="session")
def pair(
    ansible_is_there: None, lab_is_possible: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Both hosts, fresh."""
    folder = tmp_path_factory.mktemp("peers")
    inventory = write_inventory(folder, f"peers{os.getpid()}")
    labs = Labs()
    sockets = Path(tempfile.mkdtemp(prefix="peers-"))  # ssh's own limit: 108 letters
    try:
        result = lab_up(inventory, quiet, labs)
        assert result.ok, result
        first, second = read_lab(inventory).hosts
        yield Pair(
            AnsibleSide(first, folder / "ansible", sockets), LabctlSide(second, folder / "labctl"), inventory
        )
    finally:
        removed = lab_down(inventory, quiet, labs)
        shutil.rmtree(sockets, ignore_errors=True)
    assert removed is not None and removed.ok, removed
