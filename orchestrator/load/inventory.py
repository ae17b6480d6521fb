# SPDX-License-Identifier: Apache-2.0
"""Ansible's YAML inventory, with the variables of each host merged as Ansible merges them.

Precedence, lowest first (Ansible's documentation, "Understanding variable precedence"; tests hold ansible-core's answers):
vars of ``all`` in the inventory, vars of its groups, inventory group_vars/all, playbook group_vars/all, inventory
group_vars/*, playbook group_vars/*, vars of the host in the inventory, inventory host_vars, playbook host_vars.
Among groups: the less deep first, then by ``ansible_group_priority``, then by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from orchestrator.load.endpoint import endpoint_of
from orchestrator.load.groups import PRIORITY, GroupTree, RawGroup, RawHost, read_tree
from orchestrator.load.hostpattern import select_hosts
from orchestrator.load.variables import Variable, read_folder
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Group, Host, Inventory

__all__ = ["endpoint_of", "load_inventory", "select_hosts"]

_IGNORED = re.compile(
    r"^\.|^host_vars$|^group_vars$|^vars_plugins$"
    r"|(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)


def load_inventory(path: Path, playbook_dir: Path | None = None) -> Inventory:
    """The inventory in the file ``path`` (or in the files of that folder), with group_vars and host_vars beside it.

    ``playbook_dir`` adds those beside the playbook. Raises ConfigError with file, line, key and what to do.
    """
    path = path.absolute()
    if not path.exists():
        raise ConfigError(
            "there is no such inventory.", file=path, hint="Name one, or let `labctl init` write one."
        )
    tree = read_tree(_files(path))
    base = path if path.is_dir() else path.parent
    folders = tuple(dict.fromkeys((base, playbook_dir.absolute()) if playbook_dir else (base,)))
    merger = _Merger.of(tree, folders)
    hosts = tuple(merger.host(raw) for raw in tree.hosts.values())
    groups = {name: merger.group(raw) for name, raw in tree.groups.items()}
    return Inventory(path, hosts, groups, playbook_dir.absolute() if playbook_dir else None)


def _files(path: Path) -> Iterator[Path]:
    """A file is itself; a folder is its files, sorted, without those that Ansible leaves out."""
    if not path.is_dir():
        yield path
        return
    for entry in sorted(path.iterdir(), key=lambda entry: entry.name):
        if not _IGNORED.search(entry.name):
            yield from _files(entry)


@dataclass(frozen=True, slots=True)
class _Merger:
    """The layers of every group, read once: ``folders[0]`` is the inventory's, the next one the playbook's."""

    tree: GroupTree
    folders: Sequence[Path]
    group_vars: dict[tuple[Path, str], dict[str, Variable]]
    groups_of: dict[str, list[str]]

    @classmethod
    def of(cls, tree: GroupTree, folders: Sequence[Path]) -> _Merger:
        depths = _depths(tree)
        rank = {name: (depths[name], group.priority, name) for name, group in tree.groups.items()}
        read = {
            (base, name): read_folder(base / "group_vars", name) for base in folders for name in tree.groups
        }
        return cls(tree, folders, read, _groups_of(tree, rank))

    def host(self, raw: RawHost) -> Host:
        names = self.groups_of[raw.name]
        layers = [
            self.tree.groups["all"].vars,
            *(self.tree.groups[name].vars for name in names),
            *(self.group_vars[base, "all"] for base in self.folders),
            *(self.group_vars[base, name] for base in self.folders for name in names),
            raw.vars,
            *(read_folder(base / "host_vars", raw.name) for base in self.folders),
        ]
        merged = _joined(layers)
        values: dict[str, Any] = {name: variable.value for name, variable in merged.items()}
        origins = {name: variable.origin for name, variable in merged.items()}
        return Host(raw.name, tuple(sorted(names)), values, origins, raw.origin.file)

    def group(self, raw: RawGroup) -> Group:
        layers = [raw.vars, *(self.group_vars[base, raw.name] for base in self.folders)]
        values = {name: variable.value for name, variable in _joined(layers).items()}
        priority = {PRIORITY: raw.priority} if raw.priority != 1 else {}
        return Group(raw.name, tuple(raw.hosts), tuple(raw.children), values | priority)


def _groups_of(tree: GroupTree, rank: Mapping[str, tuple[int, int, str]]) -> dict[str, list[str]]:
    """Of each host its groups and theirs, without ``all``, the weakest first."""
    found: dict[str, list[str]] = {name: [] for name in tree.hosts}
    for group in sorted(tree.groups.keys() - {"all"}, key=rank.__getitem__):
        for host in {host for name in tree.below(group) for host in tree.groups[name].hosts}:
            found[host].append(group)
    return found


def _joined(layers: Iterable[dict[str, Variable]]) -> dict[str, Variable]:
    empty: dict[str, Variable] = {}
    return reduce(or_, layers, empty)


def _depths(tree: GroupTree) -> dict[str, int]:
    """How deep a group is: the longest way from ``all`` to it."""
    depths = dict.fromkeys(tree.groups, 0)
    level = ["all"]
    while level:
        below: list[str] = []
        for name in level:
            for child in tree.groups[name].children:
                if depths[child] <= depths[name]:
                    depths[child] = depths[name] + 1
                    below.append(child)
        level = below
    return depths
