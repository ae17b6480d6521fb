# SPDX-License-Identifier: Apache-2.0
"""An inventory as `ansible-inventory` prints it, to the byte (--list, --host, --graph), and as a table for people.

What Ansible's own output shows of passwords is withheld here unless it is asked for: these outputs end up in logs of CI,
in issues and in chats, and hardly anyone wants a password when asking which hosts there are. A template
(``{{ lookup('env', 'NAME') }}``) is no password, and is shown.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from orchestrator.load.endpoint import is_password
from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import LabctlError
from orchestrator.model.inventory import Group, Host, Inventory

WITHHELD = "withheld (--show-passwords shows it)"
_OWN = frozenset(
    (
        *(
            "ansible_async_path",
            "ansible_collection_name",
            "ansible_config_file",
            "ansible_dependent_role_names",
        ),
        *(
            "ansible_diff_mode",
            "ansible_facts",
            "ansible_forks",
            "ansible_inventory_sources",
            "ansible_limit",
        ),
        *("ansible_play_batch", "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_role_names"),
        *("ansible_playbook_python", "ansible_role_name", "ansible_role_names", "ansible_run_tags"),
        *("ansible_skip_tags", "ansible_verbosity", "ansible_version", "inventory_dir", "inventory_file"),
        *(
            "inventory_hostname",
            "inventory_hostname_short",
            "groups",
            "group_names",
            "hostvars",
            "playbook_dir",
        ),
        *("play_hosts", "role_name", "role_names", "role_path", "role_uuid"),
    )
)
"""What Ansible makes by itself, and therefore never shows: a variable of such a name in an inventory means nothing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An inventory, and whether what its connection variables hold as passwords is shown."""

    inventory: Inventory
    passwords: bool = False

    def variables(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value if self.passwords or not _is_secret(name, value) else WITHHELD
            for name, value in values.items()
            if name not in _OWN
        }

    def listing(self, hosts: Sequence[Host]) -> str:
        """As ``ansible-inventory --list``, of these hosts."""
        meant = {host.name for host in hosts}
        found: dict[str, Any] = dict(self._groups("all", meant, set()))
        members = [self.inventory.host(name) for name in self.inventory.members("all") if name in meant]
        hostvars = {host.name: self.variables(host.vars) for host in members}
        filled = {name: values for name, values in hostvars.items() if values}
        found["_meta"] = {"hostvars": filled, "profile": "inventory_legacy"}
        return as_json(found)

    def _groups(
        self, name: str, meant: Collection[str], seen: set[str]
    ) -> Iterator[tuple[str, dict[str, list[str]]]]:
        """The group and what is below it, each once; one that is empty is left out."""
        group = self.inventory.groups[name]
        for child in group.children:
            if child not in seen:
                seen.add(child)
                yield from self._groups(child, meant, seen)
        hosts = [] if name == "all" else [host for host in group.hosts if host in meant]
        content = {"hosts": hosts, "children": list(group.children)}
        if any(content.values()):
            yield name, {key: names for key, names in content.items() if names}

    def one(self, host: Host) -> str:
        """As ``ansible-inventory --host``."""
        return as_json(self.variables(host.vars))

    def graph(self, with_vars: bool = False) -> str:
        """As ``ansible-inventory --graph [--vars]``."""
        return "\n".join(self._branches(self.inventory.groups["all"], 0, with_vars))

    def _branches(self, group: Group, depth: int, with_vars: bool) -> Iterator[str]:
        yield _branch(f"@{group.name}:", depth)
        for child in group.children:
            yield from self._branches(self.inventory.groups[child], depth + 1, with_vars)
        for name in group.hosts if group.name != "all" else ():
            yield _branch(name, depth + 1)
            if with_vars:
                yield from self._leaves(self.inventory.host(name).vars, depth + 2)
        if with_vars:
            yield from self._leaves(group.vars, depth + 1)

    def _leaves(self, values: Mapping[str, Any], depth: int) -> Iterator[str]:
        for name, value in sorted(self.variables(values).items()):
            yield _branch(f"{{{name} = {value}}}", depth)


def _is_secret(name: str, value: Any) -> bool:
    """A password, and not only a template that knows where one is."""
    return is_password(name) and not (isinstance(value, str) and "{{" in value)


def as_json(value: Any) -> str:
    """As Ansible writes it: keys as text and sorted, dates as ISO 8601."""
    return json.dumps(_plain(value), sort_keys=True, indent=4, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _plain(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(content) for content in value]
    if isinstance(value, set):
        return sorted(_plain(content) for content in value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _key(key: Any) -> str:
    """As JSON writes what is a key in YAML."""
    return key if isinstance(key, str) else json.dumps(_plain(key)).strip('"')


def _branch(text: str, depth: int) -> str:
    return f"{'  |' * depth}--{text}" if depth else text


def print_table(reached: Mapping[str, Endpoint | LabctlError], hosts: Sequence[Host]) -> None:
    """Host, groups, and where it is reached; what is wrong with a host stands in its line."""
    rows = [(host.name, ", ".join(host.groups), *_where(reached[host.name])) for host in hosts]
    head = ("HOST", "GROUPS", "REACHED AT", "AS")
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    click.echo(click.style(_line(head, widths), bold=True))
    for row in rows:
        failed = isinstance(reached[row[0]], LabctlError)
        click.echo(click.style(_line(row, widths), fg="red" if failed else None))
    for error in reached.values():
        if isinstance(error, LabctlError):
            click.echo(f"{click.style('labctl:', fg='red')} {error}", err=True)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def _where(reached: Endpoint | LabctlError) -> tuple[str, str]:
    if isinstance(reached, LabctlError):
        return "-", "-"
    address = reached.address if ":" not in reached.address else f"[{reached.address}]"
    place = f"{address}:{reached.port}" if reached.port else reached.address
    user = reached.user or "you"
    return place, f"{user}, sudo to {reached.become_user}" if reached.become else user
