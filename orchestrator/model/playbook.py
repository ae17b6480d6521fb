# SPDX-License-Identifier: Apache-2.0
"""Ansible's language as labctl reads it: playbooks, plays, roles and tasks, with templates as they were written.

Whatever is inherited (a play's tags, a role's condition, the variables of an import) has been joined into the task already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.model.inventory import Origin


@dataclass(frozen=True, slots=True)
class Written:
    """A value as it stands in a file, and where."""

    value: Any
    origin: Origin


@dataclass(frozen=True, slots=True)
class Role:
    """One use of a role. ``given`` are the variables of its entry, which ``vars`` (those of its vars/main) override, as in Ansible.

    ``vars`` and ``defaults`` are seen by the whole play, ``given`` by this use of the role alone.
    """

    name: str
    path: Path
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    vars: Mapping[str, Any] = field(default_factory=dict, repr=False)
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Loop:
    """``items`` is a list or a template that yields one. ``variable`` names the item, ``index`` its place from 0."""

    items: Written
    variable: str = "item"
    label: Written | None = None
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task, or one handler. ``module`` is the short name, ``args`` have their canonical names.

    ``places`` has the origin of each key (``when``) and of each argument (``template.src``). Conditions are Jinja expressions or
    booleans; all must hold. ``tags`` is empty where there are none. ``check_mode`` and ``diff`` are None where the command line decides.
    ``throttle`` is how many hosts may be at it at the same time, 0: all; ``timeout`` the seconds of each command, or a template.
    """

    name: str
    module: str
    args: Mapping[str, Any]
    origin: Origin
    places: Mapping[str, Origin] = field(default_factory=dict, repr=False)
    role: Role | None = None
    when: tuple[Written, ...] = ()
    loop: Loop | None = None
    register: str | None = None
    notify: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    no_log: bool = False
    vars: Mapping[str, Any] = field(default_factory=dict, repr=False)
    environment: Mapping[str, Any] = field(default_factory=dict, repr=False)
    changed_when: tuple[Written, ...] | None = None
    failed_when: tuple[Written, ...] | None = None
    ignore_errors: bool = False
    check_mode: bool | None = None
    diff: bool | None = None
    throttle: int = 0
    timeout: Any = None

    @property
    def title(self) -> str:
        """As Ansible shows it: ``role : name``."""
        return f"{self.role.name} : {self.name}" if self.role else self.name

    def place(self, key: str) -> Origin:
        """Where ``key`` is written, or the task itself."""
        return self.places.get(key, self.origin)


@dataclass(frozen=True, slots=True)
class Play:
    """``sections`` are pre_tasks, then roles and tasks, then post_tasks: handlers that were notified run after each.

    ``directory`` is the playbook's: playbook_dir, and where relative paths begin. ``become`` asks for root. ``gather_facts``: without it
    the facts of earlier plays stand.
    """

    name: str
    hosts: Written
    origin: Origin
    directory: Path
    become: bool = False
    gather_facts: bool = True
    vars: Mapping[str, Any] = field(default_factory=dict, repr=False)
    vars_files: tuple[Written, ...] = ()
    roles: tuple[Role, ...] = ()
    sections: tuple[tuple[Task, ...], ...] = ()
    handlers: tuple[Task, ...] = ()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every task, in order, without the handlers."""
        return tuple(task for section in self.sections for task in section)

    def names_set(self) -> frozenset[str]:
        """The names that its tasks register or set, whether they are carried out or not."""
        tasks = (*self.tasks, *self.handlers)
        registered = {task.register for task in tasks if task.register is not None}
        return frozenset(registered.union(*(task.args for task in tasks if task.module == "set_fact")))


@dataclass(frozen=True, slots=True)
class Playbook:
    path: Path
    plays: tuple[Play, ...]
