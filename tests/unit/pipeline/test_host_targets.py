# SPDX-License-Identifier: Apache-2.0
"""What hosts run is asked over the connections that provisioning then uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.load.inventory import load_inventory
from orchestrator.model.artifact import Target
from orchestrator.model.errors import ConnectionRefused, HostError
from orchestrator.model.inventory import Host
from orchestrator.pipeline.host_targets import HeldConnections, target_of
from orchestrator.ssh import Connection
from orchestrator.ssh.connection import Completed

ANSWERS = {
    "old": "debian bookworm x86_64\n",
    "new": "debian trixie x86_64\n",
    "same": "debian trixie x86_64\n",
    "other": "ubuntu noble x86_64\n",
}


@dataclass
class FakeConnection:
    answer: str
    alive: bool = True
    closed: bool = False

    def run(self, command: str, timeout: float) -> Completed:
        return Completed(self.answer, "", 0)

    def close(self) -> None:
        self.closed = True


class Network:
    """Hosts by name; whoever is not in ANSWERS refuses."""

    def __init__(self) -> None:
        self.made: list[FakeConnection] = []

    def connect(self, host: Host) -> Connection:
        if host.name not in ANSWERS:
            raise ConnectionRefused(host.name, "nobody listens.")
        connection = FakeConnection(ANSWERS[host.name])
        self.made.append(connection)
        return cast(Connection, connection)


def hosts(folder: Path, *names: str) -> tuple[Host, ...]:
    path = folder / "inventory.yaml"
    path.write_text("all: {hosts: {" + ", ".join(f"{name}: {{}}" for name in names) + "}}")
    return load_inventory(path).hosts


def test_each_target_once_and_none_of_what_is_no_debian_or_does_not_answer(tmp_path: Path) -> None:
    held = HeldConnections(Network().connect)
    found = held.targets(hosts(tmp_path, "new", "old", "same", "other", "silent"), forks=4)
    assert found == (Target("x86_64", "trixie"), Target("x86_64", "bookworm"))


def test_a_host_of_another_system_fails_in_its_turn_and_its_connection_is_closed(tmp_path: Path) -> None:
    network = Network()
    held = HeldConnections(network.connect)
    (other,) = hosts(tmp_path, "other")
    assert held.targets((other,), forks=1) == ()
    with pytest.raises(
        HostError, match="other: labctl provisions Debian 12 and 13, and this host has ubuntu noble"
    ):
        held.take(other)
    assert network.made[0].closed


def test_a_connection_is_handed_out_once_and_what_is_left_is_closed(tmp_path: Path) -> None:
    network = Network()
    held = HeldConnections(network.connect)
    new, old = hosts(tmp_path, "new", "old")
    held.targets((new, old), forks=1)
    first: Any = held.take(new)
    assert network.made[0] is first
    assert held.take(new) is not first, "it is somebody's: a new one is made"
    held.close()
    assert (first.closed, network.made[1].closed) == (False, True)


def test_a_host_that_could_not_be_reached_fails_in_its_turn_and_a_broken_connection_is_made_anew(
    tmp_path: Path,
) -> None:
    network = Network()
    held = HeldConnections(network.connect)
    new, silent = hosts(tmp_path, "new", "silent")
    held.targets((new, silent), forks=2)
    with pytest.raises(ConnectionRefused):
        held.take(silent)
    network.made[0].alive = False
    assert held.take(new) is cast(object, network.made[1])


@pytest.mark.parametrize("answer", ["", "? ? x86_64", "debian sid x86_64", "debian bookworm"])
def test_what_is_no_release_that_labctl_provisions_is_no_target(answer: str) -> None:
    assert target_of(answer) is None


def test_what_a_login_says_before_the_answer_is_passed_over() -> None:
    assert target_of("Welcome to a host\ndebian trixie aarch64\n") == Target("aarch64", "trixie")


def test_no_more_connections_stay_open_than_hosts_are_worked_on_at_once(tmp_path: Path) -> None:
    network = Network()
    held = HeldConnections(network.connect)
    found = held.targets(hosts(tmp_path, "new", "old", "same"), forks=2)
    assert len(found) == 2
    assert sum(not connection.closed for connection in network.made) == 2
    held.close()
    assert all(connection.closed for connection in network.made)
