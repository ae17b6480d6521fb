# SPDX-License-Identifier: Apache-2.0
"""What the names in a template stand for: variables by Ansible's precedence, rendered when they are named.

A name whose value is still on its way from the host (a registered result) raises Pending when it is looked at; whoever compiles then
waits for it and compiles again. So nothing waits that does not have to.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.load.language import (
    MISSING,
    OMIT,
    Compiled,
    Language,
    Pending,
    TemplateFailed,
    is_template,
    stand_in,
)
from orchestrator.model.inventory import Host, Inventory
from orchestrator.model.playbook import Play, Role, Task, Written
from orchestrator.shipped import project_variables

PENDING = object()
"""Stands for a registered result that has not come back yet."""

_ANSIBLE = {"string": "2.19.0", "full": "2.19.0", "major": 2, "minor": 19, "revision": 0}
"""The ansible-core whose language it is."""


class ValueProblem(Exception):
    """A value of a task cannot be had: one sentence, and where it is written."""

    def __init__(self, message: str, written: Written | None = None, key: str = "") -> None:
        origin = written.origin if written else None
        where = f"{origin.file}:{origin.line}:{origin.column}: " if origin else ""
        super().__init__(f"{where}{key}: {message}" if key else f"{where}{message}")


_CONNECTION = {"ansible_connection": "ssh"}
_COMMAND: Mapping[str, Any] = {
    "ansible_version": _ANSIBLE,
    "ansible_playbook_python": sys.executable,
    "ansible_config_file": None,
    "ansible_diff_mode": False,
    "ansible_verbosity": 0,
    "ansible_forks": 64,
    "ansible_run_tags": ["all"],
    "ansible_skip_tags": [],
}
"""Special variables that are the same for every host; what the command line says goes before them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Variables of one strength. ``templates``: may their values hold templates? Never those that came from a host."""

    values: Mapping[str, Any]
    templates: bool = True


class Scope:
    """Layers, the strongest first. Not for several threads at once."""

    def __init__(self, language: Language, layers: Sequence[Layer]) -> None:
        self._language, self._layers = language, tuple(layers)
        self._under_way: list[str] = []

    def with_layer(self, values: Mapping[str, Any]) -> Scope:
        """The same with plain values above everything else (a loop's item, a result that is judged)."""
        return Scope(self._language, (Layer(values, templates=False), *self._layers))

    def look(self, name: str) -> Any:
        """The value of a name, rendered; MISSING where there is none. Raises Pending, TemplateFailed."""
        for layer in self._layers:
            if name in layer.values:
                value = layer.values[name]
                if value is PENDING:
                    raise Pending(name)
                return self._variable(name, value) if layer.templates else value
        return _Variables(self) if name == "vars" else MISSING

    def names(self) -> Iterator[str]:
        """Every name there is."""
        yield from dict.fromkeys(name for layer in self._layers for name in layer.values)

    def render(self, value: Any) -> Any:
        """The value with every template in it, however deep, rendered; entries that are OMIT are left out.

        Raises Pending, TemplateFailed.
        """
        if is_template(value):
            return self._language.template(value).value(self.look)
        if isinstance(value, dict):
            entries = ((key, self.render(content)) for key, content in value.items())
            return {key: content for key, content in entries if content is not OMIT}
        if isinstance(value, list):
            return [content for content in map(self.render, value) if content is not OMIT]
        return value

    def render_file(self, compiled: Compiled) -> str:
        """The text of a template file. Raises Pending, TemplateFailed."""
        value = compiled.value(self.look)
        return "" if value is None else str(value)

    def holds(self, conditions: Sequence[Written], key: str) -> tuple[bool, Any]:
        """Do all hold? And the first that does not, as written. Raises Pending, ValueProblem."""
        for condition in conditions:
            if not self._holds(condition, key):
                return False, condition.value
        return True, None

    def _holds(self, condition: Written, key: str) -> bool:
        value = condition.value
        if isinstance(value, str):
            try:
                value = self._language.expression(value).value(self.look)
            except TemplateFailed as error:
                raise ValueProblem(f"{error} The expression is: {condition.value}", condition, key) from error
        if not isinstance(value, bool):
            message = (
                f"the expression has {_kind(value)}, and neither true nor false: {condition.value}"
                " (write `| bool`, `| length > 0` or `is defined`)."
            )
            raise ValueProblem(message, condition, key)
        return value

    def evaluate(self, expression: str) -> Any:
        """The value of an expression without braces. Raises Pending, TemplateFailed."""
        return self._language.expression(expression).value(self.look)

    def _variable(self, name: str, value: Any) -> Any:
        if not isinstance(value, str | dict | list):
            return value
        if name in self._under_way:
            raise TemplateFailed(
                f"The variable '{name}' refers to itself: {' -> '.join((*self._under_way, name))}."
            )
        self._under_way.append(name)
        try:
            return self._inner(value)
        finally:
            self._under_way.pop()

    def _inner(self, value: Any, entry: bool = False) -> Any:
        """A variable's value for the template that names it. An ``entry`` that cannot be had fails where it is used."""
        if is_template(value):
            try:
                return self._language.template(value).value(self.look, inner=True)
            except TemplateFailed as error:
                if not entry:
                    raise
                return stand_in(error)
        if isinstance(value, dict):
            return {key: self._inner(content, True) for key, content in value.items()}
        return [self._inner(content, True) for content in value] if isinstance(value, list) else value


class _Variables(Mapping[str, Any]):
    """``vars['name']``, and each host of ``hostvars``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getitem__(self, name: str) -> Any:
        try:
            value = self._scope.look(name)
        except TemplateFailed as error:
            return stand_in(error, name)
        if value is MISSING:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return self._scope.names()

    def __len__(self) -> int:
        return len(list(self))


class _OthersVariables(_Variables):
    """Those of another host, which within a play goes its own way: what it finds out and sets there is not guessed."""

    def __init__(self, scope: Scope, host: str, moving: Collection[str]) -> None:
        super().__init__(scope)
        self._host, self._moving = host, moving

    def __getitem__(self, name: str) -> Any:
        if name in self._moving:
            raise TemplateFailed(
                f"hostvars['{self._host}'].{name}: what another host finds out is known when the play in which it does so has ended."
                " Let an earlier play do it, on that host too (facts: a play without tasks)."
            )
        return super().__getitem__(name)


class Known:
    """What the hosts of one call have found out and set so far, by their names."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def of(self, host: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What its tasks have set, and its facts: to be filled on the way."""
        return self._hosts.setdefault(host, ({}, {}))


@dataclass(frozen=True, slots=True)
class HostVars(Mapping[str, Any]):
    """``hostvars``: of every host all but a play's own, and of other hosts all but what changes in this play.

    ``play`` is the one that is carried out.
    """

    language: Language
    inventory: Inventory
    host: str
    extra: Layer
    known: Known
    play: Play
    common: Mapping[str, Any] = field(default_factory=dict)
    """What is the same for every host."""

    def __getitem__(self, name: str) -> Any:
        host = self.inventory.host(name)
        live, facts = self.known.of(name)
        plain = (Layer(values, templates=False) for values in (live, facts))
        names = Layer({**self.common, **_host_names(host, self.inventory)}, templates=False)
        scope = Scope(self.language, (names, self.extra, *plain, *_inventory_layers(host)))
        if name == self.host:
            return _Variables(scope)
        _, own_facts = self.known.of(self.host)
        unknown = own_facts.keys() - facts.keys() if self.play.gather_facts else set()
        return _OthersVariables(scope, name, (unknown | self.play.names_set()) - self.extra.values.keys())

    def __iter__(self) -> Iterator[str]:
        return (host.name for host in self.inventory.hosts)

    def __len__(self) -> int:
        return len(self.inventory.hosts)


def _inventory_layers(host: Host) -> tuple[Layer, Layer]:
    """What the inventory says of the host, and below it what labctl passes to every play."""
    return Layer(host.vars), Layer(project_variables(), templates=False)


def _host_names(host: Host, inventory: Inventory) -> dict[str, Any]:
    file = host.file or inventory.path
    return {
        "inventory_hostname": host.name,
        "inventory_hostname_short": host.name.split(".")[0],
        "inventory_file": str(file),
        "inventory_dir": str(file.parent),
        "group_names": list(host.groups),
        "groups": {name: list(inventory.members(name)) for name in inventory.groups},
    }


class Variables:
    """The variables of one host."""

    def __init__(
        self,
        language: Language,
        inventory: Inventory,
        host: Host,
        extra: Mapping[str, Any],
        check: bool,
        known: Known | None = None,
        command: Mapping[str, Any] | None = None,
    ) -> None:
        """``known`` is shared by the hosts of one call. ``command`` are special variables that the command line decides."""
        self._language, self._host, self._extra = language, host, Layer(extra)
        self._inventory, self._known = inventory, known or Known()
        self.live, self._facts = self._known.of(host.name)
        """``live`` is what was registered and set so far, by name: to be changed while the host's tasks go on."""
        self.learn({})
        self.company: tuple[Sequence[str], Sequence[str]] = ((host.name,), (host.name,))
        """The hosts of the play: all, and those that have come so far."""
        self._common = {
            **_COMMAND,
            **(command or {}),
            "ansible_check_mode": check,
            "ansible_inventory_sources": [str(inventory.path)],
        }

    def learn(self, facts: Mapping[str, Any]) -> None:
        """The host's facts, under both of Ansible's names. Later ones take the place of earlier ones."""
        plain = {name.removeprefix("ansible_"): value for name, value in facts.items()}
        self._facts.update({f"ansible_{name}": value for name, value in plain.items()}, ansible_facts=plain)

    def for_play(self, play: Play, vars_files: Sequence[Mapping[str, Any]]) -> PlayVariables:
        """Those of a play. ``vars_files`` in the order in which the play names them."""
        common = {**self._common, "playbook_dir": str(play.directory)}
        hostvars = HostVars(
            self._language, self._inventory, self._host.name, self._extra, self._known, play, common
        )
        names = {**common, **_host_names(self._host, self._inventory), **self._play_names(play)}
        own = Layer({**names, "hostvars": hostvars}, templates=False)
        above = (own, self._extra, Layer(self.live, templates=False))
        roles, files = tuple(reversed(play.roles)), tuple(reversed(vars_files))
        middle = [Layer(values) for values in (*(role.vars for role in roles), *files, play.vars)]
        return PlayVariables(
            self._language,
            above,
            (*middle, Layer(self._facts, templates=False), *_inventory_layers(self._host)),
            (
                *(Layer(role.defaults) for role in roles),
                Layer({"ansible_host": self._host.name, **_CONNECTION}),
            ),
            play.directory,
        )

    def _play_names(self, play: Play) -> dict[str, Any]:
        everybody, present = map(list, self.company)
        roles = list(dict.fromkeys(role.name for role in play.roles))
        return {
            "ansible_play_name": play.name,
            "ansible_play_hosts_all": everybody,
            **dict.fromkeys(("ansible_play_hosts", "ansible_play_batch", "play_hosts"), present),
            **dict.fromkeys(("ansible_role_names", "ansible_play_role_names", "role_names"), roles),
            "ansible_dependent_role_names": [],
        }


@dataclass(frozen=True, slots=True)
class PlayVariables:
    """Layers of a play, in parts, between which a task's own come.

    Ansible's order, strongest first: magic, extra vars, set_fact and registered; *the task's vars, its role's vars*; the vars of all
    roles of the play, vars_files, play vars, facts, inventory; *its role's defaults*; the defaults of all roles.
    """

    language: Language
    above: tuple[Layer, ...]
    middle: tuple[Layer, ...]
    defaults: tuple[Layer, ...]
    directory: Path = Path()

    def scope(self, task: Task | None = None) -> Scope:
        """What a task sees; without one, what the play itself sees."""
        if task is None:
            return Scope(self.language, (*self.above, *self.middle, *self.defaults))
        role = task.role
        names = Layer({**_task_names(task, self.directory), **_role_names(role)}, templates=False)
        own, defaults = [names, Layer(task.vars)], self.defaults
        if role is not None:
            own = [Layer(task.vars), names, Layer({**role.given, **role.vars})]
            defaults = (Layer(role.defaults), *self.defaults)
        return Scope(self.language, (*self.above, *own, *self.middle, *defaults))


def _task_names(task: Task, directory: Path) -> dict[str, Any]:
    return {
        "ansible_search_path": list(
            _folders(task.role.path if task.role else None, task.origin.file, directory)
        )
    }


@functools.cache
def _folders(role: Path | None, file: Path, directory: Path) -> tuple[str, ...]:
    """Where a task's files are looked for. It is the same for every host."""
    folders = (*([role] if role else []), file.parent, directory)
    return tuple(dict.fromkeys(map(str, folders)))


def _role_names(role: Role | None) -> dict[str, Any]:
    if role is None:
        return {}
    names = dict.fromkeys(("role_name", "ansible_role_name"), role.name)
    return {**names, "role_path": str(role.path), "ansible_collection_name": None}


def _kind(value: Any) -> str:
    """What sort of thing it is, and not which: it may be what a task with no_log has found out."""
    return "no value" if value is None else f"a value of type {type(value).__name__}"
