# SPDX-License-Identifier: Apache-2.0
"""Playbooks: plays, what they import, and their roles, strictly: what is outside the subset is refused at its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from orchestrator.load.document import load_document
from orchestrator.load.entry import Entry, did_you_mean
from orchestrator.load.language import Language, is_template
from orchestrator.load.modules import short_name
from orchestrator.load.paths import is_file
from orchestrator.load.roles import LoadedRole, read_role
from orchestrator.load.tasks import Inherited, read_tasks
from orchestrator.model.errors import ConfigError
from orchestrator.model.playbook import Play, Playbook, Task, Written

_KEYS = frozenset(
    (
        *(
            "name",
            "hosts",
            "become",
            "become_user",
            "vars",
            "vars_files",
            "roles",
            "pre_tasks",
            "tasks",
            "post_tasks",
        ),
        *("handlers", "tags", "gather_facts", "environment", "no_log", "any_errors_fatal"),
    )
)
_IMPORTS = ("import_playbook", "ansible.builtin.import_playbook")
_IMPORT_KEYS = frozenset((*_IMPORTS, "name", "tags", "when", "vars"))
_REFUSED: Mapping[str, str] = {
    "strategy": "Within a play each host goes its own way, as with Ansible's `free`.",
    "serial": "Use --forks or --limit.",
    "max_fail_percentage": "A failed host stops alone.",
    "remote_user": "Set ansible_user in the inventory.",
    "connection": "labctl reaches hosts over SSH.",
    "vars_prompt": "Use -e NAME=VALUE.",
    "collections": "labctl's modules are all ansible.builtin.",
    "force_handlers": "Handlers run where all tasks went well.",
    "module_defaults": "Write the parameters at each task.",
    "user": "Set ansible_user in the inventory.",
    "gather_subset": "Facts are always gathered, in one turn.",
}


def load_playbook(path: Path, language: Language) -> Playbook:
    """The playbook and everything it imports. Raises ConfigError with file, line, column, key and what to write instead."""
    path = path.absolute()
    if not is_file(path):
        raise ConfigError("there is no such playbook.", file=path, hint="Name one with --playbook.")
    return Playbook(path, _plays(path, language, (path,), frozenset(), (), {}))


def _plays(
    path: Path,
    language: Language,
    seen: tuple[Path, ...],
    tags: frozenset[str],
    when: tuple[Written, ...],
    variables: Mapping[str, object],
) -> tuple[Play, ...]:
    document = load_document(path)
    entry = Entry(document, (), language)
    if not isinstance(document.value, list):
        raise entry.error(
            "a playbook is a list of plays.",
            "Begin each with `- hosts: PATTERN` or `- import_playbook: FILE`.",
        )
    plays: list[Play] = []
    for index in range(len(document.value)):
        below = entry.at(index)
        keys = below.keys("a play")
        imports = [key for key in _IMPORTS if key in keys]
        inherited = Inherited(path.parent, tags=tags, when=when, vars=variables)
        plays += _imported(below, imports[0], inherited, seen) if imports else (_play(below, inherited),)
    return tuple(plays)


def _imported(entry: Entry, key: str, inherited: Inherited, seen: tuple[Path, ...]) -> tuple[Play, ...]:
    entry.refuse_unknown(_IMPORT_KEYS, "import_playbook", {})
    name = entry.text(key)
    if name is None or is_template(name):
        raise entry.error("must be the name of a file, without a template.", None, key)
    path = (entry.document.path.parent / name).absolute()
    if not is_file(path):
        raise entry.error(f"there is no file '{name}' beside this one.", f"Looked for: {path}.", key)
    if path in seen:
        raise entry.error(f"'{name}' imports itself.", None, key)
    tags = inherited.tags | frozenset(entry.texts("tags", commas=True))
    when = (*inherited.when, *(entry.conditions("when") or ()))
    variables = {**inherited.vars, **entry.variables("vars")}
    return _plays(path, entry.language, (*seen, path), tags, when, variables)


def _play(entry: Entry, inherited: Inherited) -> Play:
    entry.refuse_unknown(_KEYS, "a play", _REFUSED)
    _check_fixed(entry)
    around = replace(
        inherited,
        tags=inherited.tags | frozenset(entry.texts("tags", commas=True)),
        environment=entry.variables("environment"),
        no_log=entry.flag("no_log"),
        become=entry.flag("become"),
        vars={},
    )
    roles = _roles(entry, around)
    handlers = _section(entry, "handlers", replace(around, handlers=True, tags=frozenset(), when=()))
    play = Play(
        name=entry.text("name") or str(entry.value.get("hosts")),
        hosts=_hosts(entry),
        origin=entry.origin,
        directory=inherited.directory,
        become=around.become,
        gather_facts=entry.flag("gather_facts", True),
        vars={**inherited.vars, **entry.variables("vars")},
        vars_files=_vars_files(entry),
        roles=tuple(loaded.role for loaded in roles),
        sections=(
            _section(entry, "pre_tasks", around),
            (*(task for loaded in roles for task in loaded.tasks), *_section(entry, "tasks", around)),
            _section(entry, "post_tasks", around),
        ),
        handlers=(*(handler for loaded in roles for handler in loaded.handlers), *handlers),
    )
    _check_notified(play)
    return play


def _check_fixed(entry: Entry) -> None:
    if entry.flag("any_errors_fatal"):
        raise entry.error(
            "is outside labctl's subset of Ansible.", "A failed host stops alone.", "any_errors_fatal"
        )
    if entry.text("become_user") not in (None, "root"):
        raise entry.error("labctl becomes root and nobody else.", "Leave become_user out.", "become_user")


def _hosts(entry: Entry) -> Written:
    value = entry.value.get("hosts")
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        value = ",".join(value)
    if not isinstance(value, str) or not value:
        raise entry.error(
            "a play needs `hosts`: a pattern of hosts and groups.",
            "Write `hosts: all`.",
            *["hosts"][: "hosts" in entry.value],
        )
    if is_template(value):
        raise entry.error("a template is not supported here.", "Write the group, and use --limit.", "hosts")
    return Written(value, entry.origin_of("hosts"))


def _vars_files(entry: Entry) -> tuple[Written, ...]:
    names = entry.texts("vars_files")
    written = isinstance(entry.value.get("vars_files"), list)
    for index, name in enumerate(names):
        entry.check_templates(name, "vars_files", *((index,) if written else ()))
    return tuple(
        Written(name, entry.origin_of("vars_files", *((index,) if written else ())))
        for index, name in enumerate(names)
    )


def _roles(entry: Entry, around: Inherited) -> list[LoadedRole]:
    value = entry.value.get("roles")
    if value is None:
        return []
    if not isinstance(value, list):
        raise entry.error("must be a list of roles.", None, "roles")
    loaded = [read_role(entry.at("roles", index), around) for index in range(len(value))]
    once = {role.use: role for role in reversed(loaded) if role.use is not None}
    return [role for role in loaded if role.use is None or once[role.use] is role]


def _section(entry: Entry, key: str, around: Inherited) -> tuple[Task, ...]:
    return (
        read_tasks(entry.document, (*entry.where, key), entry.language, around) if key in entry.value else ()
    )


def _check_notified(play: Play) -> None:
    """Every name that a task notifies is a handler's, or one that a handler listens to."""
    known = set(names_of(play.handlers))
    for task in (*play.tasks, *play.handlers):
        for name in task.notify:
            if not is_template(name) and name not in known:
                origin = task.place("notify")
                raise ConfigError(
                    f"there is no handler '{name}' in this play.",
                    file=origin.file,
                    line=origin.line,
                    column=origin.column,
                    key="notify",
                    hint=did_you_mean(name, known) or "Write it below `handlers:`.",
                )


def names_of(handlers: Iterable[Task]) -> tuple[str, ...]:
    """What a task may write in ``notify`` to reach them."""
    return tuple(name for handler in handlers for name in (handler.name, handler.title, *handler.listen))


def is_local(task: Task) -> bool:
    """Is the task carried out on the controller alone?"""
    from orchestrator.load.modules import MODULES

    return MODULES[short_name(task.module)].local
