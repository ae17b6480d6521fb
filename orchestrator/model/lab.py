# SPDX-License-Identifier: Apache-2.0
"""A lab: the local Debian hosts that an inventory describes, and how they stand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LabHost:
    """A host to be made. ``key_file`` is the lab's private key; ``known_hosts`` gets the host's own public key."""

    name: str
    address: IPv4Address
    port: int
    user: str
    key_file: Path
    known_hosts: Path


@dataclass(frozen=True, slots=True)
class LabSpec:
    """What `labctl_lab` says, with its hosts. ``name`` is in every bridge, table, folder and cgroup that is made.

    ``provider`` None: the best that works here. ``mirror`` None: the one that this machine's apt uses.
    """

    name: str
    inventory: Path
    hosts: tuple[LabHost, ...]
    bridge: str
    subnet: IPv4Network
    gateway: IPv4Address
    release: str = "trixie"
    provider: str | None = None
    mirror: str | None = None
    packages: tuple[str, ...] = ()

    @property
    def address_on_bridge(self) -> str:
        """The gateway with the length of the network's prefix, as `ip address add` takes it."""
        return f"{self.gateway}/{self.subnet.prefixlen}"


class HostStanding(StrEnum):
    """How a lab host stands."""

    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    STOPPED = "stopped"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One row of `lab status`. ``since`` is UTC, ISO 8601; ``reason`` says why it is not running."""

    name: str
    address: str
    standing: HostStanding
    pid: int | None = None
    since: str | None = None
    reason: str | None = None


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
