# SPDX-License-Identifier: Apache-2.0
"""What the names in a template of an inventory stand for: the host's variables, those of other hosts, and Ansible's own names.

The templates are those of playbooks (`language`): the same filters, tests and lookups, and as lazy. What a play finds out about a
host (facts, registered results) is not known where hosts are not reached yet.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.load.language import MISSING, Language, TemplateFailed, is_template
from orchestrator.model.inventory import Host, Inventory
from orchestrator.shipped import project_variables


class _Omit:
    """The value of ``omit``; within a text it is nothing, as with Ansible."""

    def __str__(self) -> str:
        return ""


OMIT = _Omit()
"""A connection variable that has this value counts as one that is not there."""


def language_for(environ: Mapping[str, str]) -> Language:
    """The engine; that of the process's own environment is made once, and remembers what it has compiled."""
    return _of_this_process() if environ is os.environ else Language(environ)


@functools.cache
def _of_this_process() -> Language:
    return Language()


@dataclass(frozen=True, slots=True, eq=False)
class HostValues(Mapping[str, Any]):
    """The variables of one host, rendered when they are named. Not for several threads at once."""

    host: Host
    inventory: Inventory
    language: Language
    is_other: bool = False
    """Is it one of ``hostvars``? Its own templates have no ``hostvars``, as with Ansible."""
    under_way: list[tuple[str, str]] = field(default_factory=list)
    """Which variables of which hosts are being rendered, so that one that needs itself is seen."""

    def look(self, name: str) -> Any:
        """The value of a name; MISSING where there is none. Raises TemplateFailed."""
        if name in _NAMES and not (self.is_other and name == "hostvars"):
            return _NAMES[name](self)
        if name in self.host.vars:
            return self._variable(name, self.host.vars[name])
        return project_variables().get(name, MISSING)

    def render(self, value: Any) -> Any:
        """The value with every template in it, however deep, rendered. Raises TemplateFailed."""
        if is_template(value):
            return self.language.template(value).value(self.look)
        if isinstance(value, dict):
            return {self.render(key): self.render(content) for key, content in value.items()}
        return [self.render(content) for content in value] if isinstance(value, list) else value

    def _variable(self, name: str, value: Any) -> Any:
        place = (self.host.name, name)
        if place in self.under_way:
            raise TemplateFailed(f"The variable '{name}' of {self.host.name} refers to itself.")
        self.under_way.append(place)
        try:
            return self.render(value)
        finally:
            self.under_way.pop()

    def __getitem__(self, name: str) -> Any:
        value = self.look(name)
        if value is MISSING:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter({**project_variables(), **self.host.vars, **_NAMES}.keys() - {"omit"})

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _HostVars(Mapping[str, HostValues]):
    """``hostvars``."""

    def __init__(self, values: HostValues) -> None:
        self._values = values
        self._hosts = {host.name: host for host in values.inventory.hosts}

    def __getitem__(self, name: str) -> HostValues:
        values = self._values
        return HostValues(self._hosts[name], values.inventory, values.language, True, values.under_way)

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)


def _file(values: HostValues) -> Path:
    return values.host.file or values.inventory.path


def _groups(values: HostValues) -> dict[str, list[str]]:
    return {name: list(values.inventory.members(name)) for name in values.inventory.groups}


_NAMES: Mapping[str, Callable[[HostValues], Any]] = {
    "group_names": lambda values: list(values.host.groups),
    "groups": _groups,
    "hostvars": _HostVars,
    "inventory_dir": lambda values: str(_file(values).parent),
    "inventory_file": lambda values: str(_file(values)),
    "inventory_hostname": lambda values: values.host.name,
    "inventory_hostname_short": lambda values: values.host.name.split(".")[0],
    "omit": lambda values: OMIT,
    "playbook_dir": lambda values: str(values.inventory.playbook_dir or Path.cwd()),
    "vars": lambda values: values,
}
"""The names that Ansible gives to every host besides its variables. They win over variables of the same name."""
