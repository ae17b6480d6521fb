# SPDX-License-Identifier: Apache-2.0
"""What Ansible's inventory says: hosts, groups, and the variables of each host, already merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Host:
    """One host. ``vars`` is merged by Ansible's precedence; ``groups`` is sorted and leaves out ``all``."""

    name: str
    groups: tuple[str, ...]
    vars: Mapping[str, Any]

    @property
    def machine(self) -> str:
        """The physical machine: hosts that share one take turns, and statistics count machines."""
        return str(self.vars.get("labctl_machine", self.name))


@dataclass(frozen=True, slots=True)
class Group:
    """A group as written: its own hosts, children and variables, nothing inherited."""

    name: str
    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    vars: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Hosts in the order of the file."""

    path: Path
    hosts: tuple[Host, ...]
    groups: Mapping[str, Group]

    def host(self, name: str) -> Host:
        """The host of that name. Raises KeyError."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)
