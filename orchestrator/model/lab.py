# SPDX-License-Identifier: Apache-2.0
"""A lab: the local Debian hosts that an inventory describes, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from orchestrator.model.artifact import LAB_RELEASE


@dataclass(frozen=True, slots=True)
class LabHost:
    """A host to be made. ``key_file`` is the lab's private key; ``known_hosts`` gets the host's own public key.

    ``release``: its Debian release's code name.
    """

    name: str
    address: IPv4Address
    port: int
    user: str
    key_file: Path
    known_hosts: Path
    release: str = LAB_RELEASE

    @property
    def where(self) -> str:
        return place(str(self.address), self.port)


def place(address: str, port: int) -> str:
    """Where an SSH server answers, for people: the port only where it is another than 22."""
    return address if port == 22 else f"{address}:{port}"


@dataclass(frozen=True, slots=True)
class LabNetwork:
    """Of hosts with addresses of their own: a bridge on this machine, which is their gateway."""

    bridge: str
    subnet: IPv4Network
    gateway: IPv4Address

    @property
    def address_on_bridge(self) -> str:
        """The gateway with the length of the network's prefix, as `ip address add` takes it."""
        return f"{self.gateway}/{self.subnet.prefixlen}"


@dataclass(frozen=True, slots=True)
class MachineSize:
    """Of a virtual machine: ``memory`` in MiB, ``disk`` in GiB (it takes what is written, not more)."""

    memory: int = 4096
    cpus: int = 2
    disk: int = 20


@dataclass(frozen=True, slots=True)
class LabSpec:
    """What `labctl_lab` says, with its hosts. ``name`` is in every bridge, table, folder and cgroup that is made.

    ``release`` is that of hosts that name no other. ``network`` None: the hosts share none, and answer on this machine's loopback, at
    a port each. ``mirror`` None: the one that this machine's apt uses. ``binds``: folders of this machine,
    and where container hosts see them.
    """

    name: str
    inventory: Path
    hosts: tuple[LabHost, ...]
    provider: str
    network: LabNetwork | None = None
    size: MachineSize = MachineSize()
    release: str = LAB_RELEASE
    mirror: str | None = None
    packages: tuple[str, ...] = ()
    binds: tuple[tuple[Path, str], ...] = ()


class HostStanding(StrEnum):
    """How a lab host stands."""

    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    STOPPED = "stopped"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One row of `lab status`. ``since`` is UTC, ISO 8601; ``reason`` says why it is not running; ``how`` what it runs on."""

    name: str
    address: str
    standing: HostStanding
    pid: int | None = None
    since: str | None = None
    reason: str | None = None
    how: str | None = None


@dataclass(frozen=True, slots=True)
class LabStatus:
    """``provider`` None: there is no such lab on this machine."""

    name: str
    inventory: Path
    provider: str | None
    hosts: tuple[HostStatus, ...]


@dataclass(frozen=True, slots=True)
class HostResult:
    """What `up` or `down` did to a host: one of ``done`` ("made", "booted", "untouched", "removed"), or why not."""

    name: str
    done: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LabResult:
    """What `up` or `down` did. ``problems`` are sentences about what hosts share (bridge, keys)."""

    name: str
    hosts: tuple[HostResult, ...]
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems and all(host.error is None for host in self.hosts)


@dataclass(frozen=True, slots=True)
class LabImage:
    """What `lab image` wrote: ``files`` by what they are (disk, kernel, initrd, description).

    ``boot`` is a shell's line that boots it, ``login`` says how to get in.
    """

    files: Mapping[str, Path]
    boot: str
    login: str
