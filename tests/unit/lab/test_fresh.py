# SPDX-License-Identifier: Apache-2.0
"""A new inventory names what is free, and reads back as the lab that was asked for."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab.fresh import free_number, networks_described, write_new
from orchestrator.lab.system import System
from orchestrator.load.inventory import load_inventory
from orchestrator.load.lab import lab_spec
from orchestrator.model.errors import LabError, UsageError


def test_the_first_number_that_nothing_uses() -> None:
    assert free_number([], []) == 2
    assert free_number([IPv4Network("10.231.2.0/24")], ["labctl3", "eth0"]) == 4
    with pytest.raises(LabError, match="No subnet is free"):
        free_number([IPv4Network("10.0.0.0/8")], [])


def test_what_is_written_is_what_was_asked_for(tmp_path: Path, system: System, executor: Any) -> None:
    executor.when("ip -j -4 route", json.dumps([{"dst": "default"}, {"dst": "10.231.2.0/24"}]))
    executor.when("ip -j link", json.dumps([{"ifname": "labctl3"}]))
    (tmp_path / "lab.yaml").write_text("all:\n  vars:\n    labctl_lab:\n      subnet: 10.231.4.0/24\n")
    assert networks_described(tmp_path) == [IPv4Network("10.231.4.0/24")]
    path = tmp_path / "mine.yaml"
    assert write_new(path, 3, "container", system) == 5
    inventory = load_inventory(path)
    lab = lab_spec(inventory)
    assert lab.network is not None
    assert (lab.name, lab.network.bridge, str(lab.network.subnet), lab.provider) == (
        "mine",
        "labctl5",
        "10.231.5.0/24",
        "container",
    )
    assert [(host.name, str(host.address)) for host in lab.hosts] == [
        ("mine-1", "10.231.5.11"),
        ("mine-2", "10.231.5.12"),
        ("mine-3", "10.231.5.13"),
    ]
    assert lab.hosts[0].key_file.resolve() == tmp_path.parent / ".labctl/lab/mine/id_ed25519"
    assert len({host.machine for host in inventory.hosts}) == 1


def test_nothing_is_overwritten_or_misnamed(tmp_path: Path, system: System) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        write_new(path, 2, "container", system)
    assert path.read_text() == "mine"
    for name in ("My Lab.yaml", "lab.txt", "-.yaml"):
        with pytest.raises(UsageError, match="cannot be a lab's inventory"):
            write_new(tmp_path / name, 2, "container", system)
    with pytest.raises(UsageError, match="1 to 200 hosts"):
        write_new(tmp_path / "big.yaml", 201, "container", system)
