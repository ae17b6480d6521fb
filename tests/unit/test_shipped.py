# SPDX-License-Identifier: Apache-2.0
"""What comes with labctl, and what a project's own files do to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.shipped import find_inventory, find_playbook, project_variables, shipped, short_path

LAB = shipped() / "inventories/lab.yaml"
MACHINE = (
    "all: {hosts: {h: {ansible_ssh_private_key_file: '{{ labctl_project }}/key', labctl_project: /mine}}}"
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(path: str) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(MACHINE)
    return Path(path)


@pytest.mark.parametrize("named", ["lab", "lab.yaml", "inventories/lab.yaml"])
def test_an_inventory_of_the_project_goes_before_the_shipped_one(named: str) -> None:
    assert find_inventory(Path(named)) == LAB
    own = add("inventories/lab.yaml")
    assert find_inventory(Path(named)) == own


def test_a_path_that_exists_is_what_is_meant() -> None:
    add("inventories/lab.yaml")
    assert find_inventory(add("lab.yaml")) == Path("lab.yaml")


@pytest.mark.parametrize(
    "named", ["none", "none.yaml", "inventories/none.yaml", "playbooks", "other/lab.yaml"]
)
def test_what_is_nowhere_stays_as_it_was_named(named: str) -> None:
    assert find_inventory(Path(named)) == Path(named)


def test_a_playbook_of_the_project_runs_only_by_its_path() -> None:
    assert find_playbook(Path("playbooks/run.yaml")) == shipped() / "playbooks/run.yaml"
    assert find_playbook(Path("run.yaml")) == Path("run.yaml")
    own = add("playbooks/run.yaml")
    assert find_playbook(Path("playbooks/run.yaml")) == own


def test_a_path_is_shown_as_it_may_be_typed(project: Path) -> None:
    assert short_path(LAB) == Path("inventories/lab.yaml")
    assert short_path(project / "mine.yaml") == Path("mine.yaml")
    assert short_path(Path("/elsewhere/mine.yaml")) == Path("/elsewhere/mine.yaml")
    add("inventories/lab.yaml")
    assert short_path(LAB) == LAB, "the short name would mean the project's own"


@pytest.mark.parametrize("name", ["lab", "vm"])
def test_the_keys_of_a_shipped_lab_lie_in_the_project(project: Path, name: str) -> None:
    loaded = load_inventory(find_inventory(Path(name)))
    for host in loaded.hosts:
        endpoint = endpoint_of(host, loaded)
        assert endpoint.key_file == project / f".labctl/lab/{name}/id_ed25519"
        assert endpoint.known_hosts == project / f".labctl/lab/{name}/known_hosts"


def test_a_variable_of_the_user_goes_before_the_one_that_labctl_passes(project: Path) -> None:
    loaded = load_inventory(add("mine.yaml"))
    assert endpoint_of(loaded.hosts[0], loaded).key_file == Path("/mine/key")
    assert project_variables() == {"labctl_project": str(project)}
