# SPDX-License-Identifier: Apache-2.0
"""up, down and status over a provider that only remembers."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from orchestrator.lab.lifecycle import Labs, banner
from orchestrator.lab.provider import Site, process_alive
from orchestrator.lab.state import HostState, StateFile, with_host
from orchestrator.lab.system import System
from orchestrator.model.errors import LabError
from orchestrator.model.lab import HostStanding, LabHost, LabSpec
from orchestrator.model.system_packages import NOTHING, Needs


@dataclass
class FakeProvider:
    """Its hosts live as this process does; one SSH server answers for all. ``broken`` hosts cannot be removed."""

    port: int
    name: str = "fake"
    summary: str = "pretended hosts"
    boot_seconds: float = 90.0
    broken: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    did: list[str] = field(default_factory=list)

    def problem(self, besides: Needs = NOTHING) -> LabError | None:
        return None

    def open(self, site: Site) -> None:
        self.did.append("open")

    def make(self, site: Site, host: LabHost) -> bool:
        if host.name in self.refused:
            raise LabError(f"{host.name} cannot be made.")
        state = site.state.read()
        assert state is not None
        if host.name in state.hosts:
            return False
        made = HostState(str(host.address), host.port, "trixie", True, f"ssh-ed25519 {host.name}")
        site.state.update(lambda state: with_host(state, host.name, made))
        return True

    def boot(self, site: Site, host: LabHost) -> None:
        identity = site.system.processes.identify(os.getpid())
        assert identity is not None
        self.did.append(f"boot {host.name}")
        site.state.update_host(host.name, lambda known: replace(known, process=identity, since="now"))

    def alive(self, site: Site, name: str) -> bool:
        return process_alive(site, name)

    def booting(self, site: Site, host: LabHost) -> str | None:
        return None

    def address(self, host: LabHost) -> tuple[str, int]:
        return str(host.address), host.port

    def host_key(self, site: Site, host: LabHost) -> str:
        return f"ssh-ed25519 {host.name}"

    def stop(self, site: Site, name: str) -> None:
        self.did.append(f"stop {name}")
        if name in self.broken:
            raise LabError(f"{name} does not end.")

    def remove(self, site: Site, name: str) -> None:
        site.state.update(lambda state: with_host(state, name, None))

    def close(self, site: Site, *, last: bool) -> None:
        self.did.append(f"close {last}")


@pytest.fixture
def port() -> Iterator[int]:
    """Where something says an SSH banner to whoever comes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"SSH-2.0-fake\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def provider(port: int) -> FakeProvider:
    return FakeProvider(port)


@pytest.fixture
def labs(tmp_path: Path, provider: FakeProvider) -> Labs:
    return Labs(System(), tmp_path / "var/lab", tmp_path / "locks", {"fake": lambda system: provider})


@pytest.fixture
def spec(tmp_path: Path, port: int) -> LabSpec:
    inventory = tmp_path / "lab.yaml"
    inventory.touch()
    keys = tmp_path / ".labctl/lab/lab"
    address = IPv4Address("127.0.0.1")
    hosts = tuple(
        LabHost(name, address, port, "root", keys / "id", keys / "known_hosts") for name in ("a", "b")
    )
    return LabSpec("lab", inventory, hosts, "fake")


def quiet(who: str, what: str, /) -> None:
    pass


def done(labs: Labs, spec: LabSpec) -> list[str | None]:
    result = labs.up(spec, quiet)
    assert result.ok, result
    return [host.done for host in result.hosts]


def test_up_makes_then_leaves_alone_then_boots_what_has_died(labs: Labs, spec: LabSpec) -> None:
    assert done(labs, spec) == ["made", "made"]
    assert done(labs, spec) == ["untouched", "untouched"]
    assert {host.standing for host in labs.status(spec).hosts} == {HostStanding.RUNNING}
    state = StateFile.of("lab", labs.folder)
    state.update_host("b", lambda host: replace(host, process=replace(host.process, started=1)))  # type: ignore[type-var]
    standing = labs.status(spec).hosts[1]
    assert (standing.standing, standing.pid) == (HostStanding.STOPPED, None)
    assert done(labs, spec) == ["untouched", "booted"]


def test_down_leaves_no_file(labs: Labs, spec: LabSpec, provider: FakeProvider, tmp_path: Path) -> None:
    done(labs, spec)
    assert (tmp_path / ".labctl/lab/lab/id").exists()
    assert "ssh-ed25519 " in (tmp_path / ".labctl/lab/lab/known_hosts").read_text()
    result = labs.down(spec, quiet)
    assert result is not None and result.ok
    assert provider.did[-1] == "close True"
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["lab.yaml", "locks"]
    assert labs.down(spec, quiet) is None
    assert {host.standing for host in labs.status(spec).hosts} == {HostStanding.ABSENT}


def test_a_key_that_was_there_stays(labs: Labs, spec: LabSpec, tmp_path: Path) -> None:
    done(labs, spec)
    key = (tmp_path / ".labctl/lab/lab/id").read_text()
    labs.down(spec, quiet)
    path = spec.hosts[0].key_file
    path.parent.mkdir(parents=True)
    path.write_text(key)
    done(labs, spec)
    labs.down(spec, quiet)
    assert path.read_text() == key


def test_one_host_that_fails_does_not_stop_the_others(
    labs: Labs, spec: LabSpec, provider: FakeProvider
) -> None:
    provider.refused.add("a")
    up = labs.up(spec, quiet)
    assert not up.ok
    assert [(host.done, host.error) for host in up.hosts] == [(None, "a cannot be made."), ("made", None)]
    provider.refused.clear()
    done(labs, spec)
    provider.broken.add("a")
    down = labs.down(spec, quiet)
    assert down is not None and not down.ok
    assert [host.done for host in down.hosts] == [None, "removed"]
    assert not any(line.startswith("close") for line in provider.did), (
        "what hosts share stays with the last host"
    )
    state = StateFile.of("lab", labs.folder).read()
    assert state is not None and list(state.hosts) == ["a"], "what is left is known, for the next try"
    provider.broken.clear()
    again = labs.down(spec, quiet)
    assert again is not None and again.ok and labs.down(spec, quiet) is None


def test_the_last_lab_says_so(labs: Labs, spec: LabSpec, provider: FakeProvider) -> None:
    done(labs, spec)
    other = replace(spec, name="other")
    done(labs, other)
    labs.down(spec, quiet)
    labs.down(other, quiet)
    assert [line for line in provider.did if line.startswith("close")] == ["close False", "close True"]


def test_a_lab_of_another_inventory_is_not_touched(labs: Labs, spec: LabSpec, tmp_path: Path) -> None:
    done(labs, spec)
    (tmp_path / "else").mkdir()
    (tmp_path / "else/lab.yaml").touch()
    stranger = replace(spec, inventory=tmp_path / "else/lab.yaml")
    for act in (labs.up, labs.down):
        with pytest.raises(LabError, match=r"belongs to .*lab.yaml, not to .*else/lab.yaml"):
            act(stranger, quiet)
    spec.inventory.unlink()
    result = labs.down(stranger, quiet)
    assert result is not None and result.ok, "an inventory that is gone keeps nobody from cleaning up"


def test_a_lab_that_another_project_made_is_refused_before_it_gets_a_key_that_nobody_lets_in(
    labs: Labs, spec: LabSpec, tmp_path: Path
) -> None:
    """Both work with an inventory that comes with labctl, whose keys lie in the project."""
    done(labs, spec)
    keys = tmp_path / "project/.labctl/lab/lab"
    hosts = tuple(
        replace(host, key_file=keys / "id", known_hosts=keys / "known_hosts") for host in spec.hosts
    )
    other = replace(spec, hosts=hosts)
    with pytest.raises(LabError, match=r"let in the key .*/id, not .*project.* `labctl init`"):
        labs.up(other, quiet)
    spec.hosts[0].key_file.unlink()
    with pytest.raises(LabError, match=r"which is gone.*Remove them with `labctl lab down`"):
        labs.up(other, quiet)
    assert not keys.exists()
    result = labs.down(other, quiet)
    assert result is not None and result.ok
    assert done(labs, other) == ["made", "made"]


def test_a_host_that_left_the_inventory_is_told_of_and_goes_with_the_lab(labs: Labs, spec: LabSpec) -> None:
    done(labs, spec)
    said: list[str] = []
    smaller = replace(spec, hosts=spec.hosts[:1])
    labs.up(smaller, lambda who, what, /: said.append(f"{who} {what}"))
    assert any(line.startswith("b is no longer in the inventory") for line in said)
    assert [host.name for host in labs.status(smaller).hosts] == ["a", "b"]
    result = labs.down(smaller, quiet)
    assert result is not None and sorted(host.name for host in result.hosts) == ["a", "b"]


def test_a_banner_is_what_an_ssh_server_says(port: int) -> None:
    assert banner("127.0.0.1", port)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        assert not banner("127.0.0.1", silent.getsockname()[1], 0.1)
