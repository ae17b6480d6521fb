# SPDX-License-Identifier: Apache-2.0
"""The tree of groups in Ansible's YAML inventory files, read strictly and without yet merging any variables."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.load.document import Document, KeyPath, load_document
from orchestrator.load.hostpattern import expand_hosts, split_port
from orchestrator.load.variables import Variable, layer_of
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Origin
from orchestrator.model.text import printable_line

PRIORITY = "ansible_group_priority"
_SECTIONS = ("hosts", "children", "vars")
_INI_SECTION = re.compile(r"^\s*\[[^\[\]]+\]\s*$", re.MULTILINE)
_INI = "is an INI inventory; labctl reads YAML ones."
_CONVERT = "Convert it once: ansible-inventory -i {path} --list --yaml --export > {target}"
_NEW_NAMES = ("hosts.yml", "inventory.yml")
_BEGIN = "A YAML inventory begins with a group; write the hosts below all: hosts:."


@dataclass(slots=True)
class RawGroup:
    """A group while it is being read; ``hosts`` and ``children`` are ordered sets."""

    name: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    vars: dict[str, Variable] = field(default_factory=dict)
    priority: int = 1


@dataclass(slots=True)
class RawHost:
    name: str
    origin: Origin
    vars: dict[str, Variable] = field(default_factory=dict)


@dataclass(slots=True)
class GroupTree:
    """All that the files say, joined: a group or host that is named several times is one."""

    groups: dict[str, RawGroup] = field(default_factory=dict)
    hosts: dict[str, RawHost] = field(default_factory=dict)

    def below(self, name: str) -> Iterator[str]:
        """The group and everything below it, each once."""
        seen = {name: None}
        queue = [name]
        while queue:
            for child in self.groups[queue.pop()].children:
                if child not in seen:
                    seen[child] = None
                    queue.append(child)
        yield from seen


def read_tree(files: Iterable[Path]) -> GroupTree:
    """Read inventory files, in that order, into one tree with ``all`` at its top and ``ungrouped`` below it.

    Raises ConfigError: not YAML or INI, an unknown key, a wrong type, a loop of groups, a name of both group and host.
    """
    tree = GroupTree({"all": RawGroup("all"), "ungrouped": RawGroup("ungrouped")})
    tree.groups["all"].children["ungrouped"] = None
    for file in files:
        document = _load(file)
        for name in document.value:
            where = (name,)
            if name in _SECTIONS:
                raise document.error(
                    where,
                    "stands at the top, where groups are named.",
                    f"Put it below a group: all: {name}:",
                    at_key=True,
                )
            _read_group(tree, document, where)
    _close(tree)
    return tree


def _load(file: Path) -> Document:
    text = _text_of(file)
    if text.startswith("#!"):
        message = "is a program that prints an inventory; labctl reads YAML ones."
        raise ConfigError(message, file=file, hint=_convert(file))
    is_ini = bool(_INI_SECTION.search(text))
    try:
        document = load_document(file)
    except ConfigError as error:
        if is_ini:
            raise ConfigError(_INI, file=file, hint=_convert(file)) from error
        raise
    if not isinstance(document.value, dict):
        raise _not_groups(document, is_ini)
    if "plugin" in document.value:
        raise document.error(("plugin",), "inventory plugins are not supported.", _convert(file), at_key=True)
    return document


def _text_of(file: Path) -> str:
    """Nothing where the file cannot be read: `load_document` says why."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _not_groups(document: Document, is_ini: bool) -> ConfigError:
    """What to write depends on what the file is: only an INI inventory can be converted."""
    if is_ini:
        return ConfigError(_INI, file=document.path, hint=_convert(document.path))
    if document.value is None:
        return document.error((), "is empty.", _BEGIN)
    if isinstance(document.value, str):
        hint = f"{_BEGIN} Is it an INI inventory? {_convert(document.path)}"
        return document.error((), "is not a mapping of groups.", hint)
    return document.error((), "is not a mapping of groups.", _BEGIN)


def _convert(file: Path) -> str:
    """The command that writes the inventory as YAML; it never writes to a file that exists."""
    numbered = (f"hosts-{number}.yml" for number in itertools.count(2))
    names = itertools.chain(_NEW_NAMES, numbered)
    free = next(name for name in names if not os.path.lexists(name))
    return _CONVERT.format(path=shlex.quote(str(file)), target=shlex.quote(free))


def _read_group(tree: GroupTree, document: Document, where: KeyPath) -> str:
    name = _name(document, where)
    group = tree.groups.setdefault(name, RawGroup(name))
    content = _at(document, where)
    if content is None:
        return name
    if not isinstance(content, dict):
        raise document.error(where, "is not a group: a mapping of hosts, children, vars is expected.")
    for section in content:
        if section not in _SECTIONS:
            raise document.error(
                (*where, section),
                "is not a key of a group; hosts, children and vars are.",
                "A group within a group goes below children:, a variable below vars:.",
                at_key=True,
            )
        if section == "vars":
            _read_vars(group, document, (*where, section))
        elif section == "hosts":
            for key in _names(document, (*where, section)):
                _read_host(tree, group, document, (*where, section, key))
        else:
            for key in _names(document, (*where, section)):
                _read_child(tree, group, document, (*where, section, key))
    return name


def _names(document: Document, where: KeyPath) -> Iterable[Any]:
    """Keys of a section; one bare word stands for a mapping with that one key, as in Ansible."""
    content = _at(document, where)
    if content is None:
        return ()
    if isinstance(content, str):
        return (content,)
    if isinstance(content, dict):
        return content
    hint = "Write each name as a key of its own, with a colon and no dash: NAME:"
    raise document.error(where, "must be a mapping of names.", hint)


def _read_vars(group: RawGroup, document: Document, where: KeyPath) -> None:
    layer = layer_of(document, where)
    priority = layer.pop(PRIORITY, None)
    if priority is not None:
        try:
            group.priority = int(priority.value)
        except (TypeError, ValueError):
            raise document.error((*where, PRIORITY), "must be a whole number.") from None
    group.vars |= layer


def _read_child(tree: GroupTree, parent: RawGroup, document: Document, where: KeyPath) -> None:
    child = _read_group(tree, document, where)
    if parent.name == "ungrouped" or (child == "ungrouped" and parent.name != "all"):
        raise document.error(
            where,
            "ungrouped is for hosts that are in no group: it stands below all, and no group below it.",
            "Give the group ungrouped another name; Ansible would lose some of its hosts, too.",
            at_key=True,
        )
    if parent.name in tree.below(child):
        raise document.error(
            where,
            f"the groups {parent.name} and {child} would contain each other.",
            "Take one of the two out.",
            at_key=True,
        )
    parent.children[child] = None


def _read_host(tree: GroupTree, group: RawGroup, document: Document, where: KeyPath) -> None:
    text, port = split_port(_name(document, where))
    try:
        names = expand_hosts(text)
    except ValueError as error:
        raise document.error(where, str(error), at_key=True) from None
    layer = layer_of(document, where) if isinstance(_at(document, where[:-1]), dict) else {}
    for name in names:
        group.hosts[name] = None
        if name not in tree.hosts:
            origin = _origin(document, where)
            own = {} if port is None else {"ansible_port": Variable(port, origin)}
            tree.hosts[name] = RawHost(name, origin, own)
        tree.hosts[name].vars |= layer


def _origin(document: Document, where: KeyPath) -> Origin:
    place = document.key_places.get(where) or document.place(where)
    return Origin(document.path, place.line, place.column)


def _close(tree: GroupTree) -> None:
    """Groups without a parent are children of ``all``; hosts in no group but ``all`` are ``ungrouped``'s."""
    has_parent = {child for group in tree.groups.values() for child in group.children}
    for name in tree.groups:
        if name != "all" and name not in has_parent:
            tree.groups["all"].children[name] = None
    grouped = {
        host
        for name, group in tree.groups.items()
        if name not in {"all", "ungrouped"}
        for host in group.hosts
    }
    ungrouped = tree.groups["ungrouped"]
    in_order = dict.fromkeys((*ungrouped.hosts, *tree.hosts))
    ungrouped.hosts = {name: None for name in in_order if name not in grouped}
    for name in tree.groups.keys() & tree.hosts.keys():
        origin = tree.hosts[name].origin
        raise ConfigError(
            f"'{name}' is the name of a group and of a host.",
            file=origin.file,
            line=origin.line,
            column=origin.column,
            hint="Rename one of them.",
        )


def _name(document: Document, where: KeyPath) -> str:
    name = where[-1]
    if isinstance(name, str) and name:
        if printable_line(name) != name:
            raise document.error(where, "a name must not have control characters.", "Write it without them.")
        return name
    raise document.error(where, "a name must be a string.", "Put it in quotes.")


def _at(document: Document, where: KeyPath) -> Any:
    """The value at ``where``; None for what a bare word stands for."""
    value = document.value
    for part in where:
        if not isinstance(value, dict):
            return None
        value = value[part]
    return value
