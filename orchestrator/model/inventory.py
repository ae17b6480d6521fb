# SPDX-License-Identifier: Apache-2.0
"""What Ansible's inventory says: hosts, groups, and the variables of each host, already merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BUILDERS = "builders"
"""The group of the hosts that build components; what builds is not benched."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a variable that won was written; ``line`` and ``column`` count from 1."""

    file: Path
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Host:
    """One host. ``vars`` is merged by Ansible's precedence; ``groups`` is sorted and leaves out ``all``.

    Values may be Jinja templates: they are kept as written. ``file`` is the inventory file that names the host first.
    """

    name: str
    groups: tuple[str, ...]
    vars: Mapping[str, Any]
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False, compare=False)
    file: Path | None = field(default=None, repr=False, compare=False)

    @property
    def builds(self) -> bool:
        """Whether it is of the group BUILDERS."""
        return BUILDERS in self.groups

    @property
    def machine(self) -> str:
        """The physical machine: hosts that share one take turns, and statistics count machines."""
        return str(self.vars.get("labctl_machine", self.name))


@dataclass(frozen=True, slots=True)
class Group:
    """A group's own hosts, children and variables (those of its group_vars too); nothing is inherited."""

    name: str
    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    vars: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Hosts in the order of the file; ``groups`` has ``all`` and ``ungrouped`` too.

    ``playbook_dir`` is the folder whose group_vars and host_vars count too, if there is one.
    """

    path: Path
    hosts: tuple[Host, ...]
    groups: Mapping[str, Group]
    playbook_dir: Path | None = None

    def host(self, name: str) -> Host:
        """The host of that name. Raises KeyError."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def members(self, group: str) -> tuple[str, ...]:
        """Names of a group's hosts as Ansible's ``groups[group]`` lists them: its own, then its children's.

        Raises KeyError where there is no such group.
        """
        names: dict[str, None] = {}
        seen = {group}
        level = [group]
        while level:
            for name in level:
                names.update(dict.fromkeys(self.groups[name].hosts))
            below = [child for name in level for child in self.groups[name].children if child not in seen]
            level = list(dict.fromkeys(below))
            seen.update(level)
        return tuple(names)
