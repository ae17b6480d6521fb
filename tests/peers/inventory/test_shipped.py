# SPDX-License-Identifier: Apache-2.0
"""The inventories that come with labctl: Ansible lists them alike, and finds their keys where labctl finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.shipped import shipped
from tests.peers.inventory.sides import ansible, labctl

INVENTORIES = {name: shipped() / f"inventories/{name}.yaml" for name in ("lab", "vm")}
KEY = "ansible_ssh_private_key_file"


def test_ansible_lists_them_alike(ansible_folder: Path) -> None:
    commands = [("ansible-inventory", "-i", path, "--list") for path in INVENTORIES.values()]
    answers = ansible(commands, ansible_folder)
    assert [answer.out for answer in answers] == [labctl("--json", path) for path in INVENTORIES.values()]


def test_their_keys_lie_in_the_project_that_ansible_is_given(
    ansible_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one, it is the folder above the inventories: that of a clone, and of a copy."""
    monkeypatch.chdir(tmp_path)
    debug = [
        ("ansible", "all", "-i", path, "-m", "debug", "-a", f"var={KEY}") for path in INVENTORIES.values()
    ]
    in_project = ansible([(*words, "-e", f"labctl_project={tmp_path}") for words in debug], ansible_folder)
    by_itself = ansible(debug, ansible_folder)
    for path, answer, default in zip(INVENTORIES.values(), in_project, by_itself, strict=True):
        loaded = load_inventory(path)
        for host in loaded.hosts:
            assert f'"{KEY}": "{endpoint_of(host, loaded).key_file}"' in answer.out
        assert f"{path.parent}/../.labctl/lab/{path.stem}/id_ed25519" in default.out
