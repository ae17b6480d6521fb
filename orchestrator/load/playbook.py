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
from orchestrator.load.outside import PLAY_KEYS
from orchestrator.load.paths import is_file
from orchestrator.load.problems import NO_TEXTS, NO_VARIABLES, Problems
from orchestrator.load.roles import LoadedRole, read_role, read_vars_file
from orchestrator.load.search import candidates, find_file, tried
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
    problems = Problems()
    inherited = Inherited(path.parent, tags=tags, when=when, vars=variables)
    for index in range(len(document.value)):
        with problems.collect():
            plays += _entry(entry.at(index), inherited, seen)
    problems.raise_any()
    return tuple(plays)


def _entry(entry: Entry, inherited: Inherited, seen: tuple[Path, ...]) -> tuple[Play, ...]:
    imports = [key for key in _IMPORTS if key in entry.keys("a play")]
    return _imported(entry, imports[0], inherited, seen) if imports else (_play(entry, inherited),)


def _imported(entry: Entry, key: str, inherited: Inherited, seen: tuple[Path, ...]) -> tuple[Play, ...]:
    entry.refuse_unknown(_IMPORT_KEYS, "import_playbook", PLAY_KEYS)
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
    problems = Problems()
    attempt = problems.attempt
    attempt(lambda: entry.refuse_unknown(_KEYS, "a play", PLAY_KEYS), None)
    attempt(lambda: _check_any_errors_fatal(entry), None)
    attempt(lambda: _check_become_user(entry), None)
    around = replace(
        inherited,
        tags=inherited.tags | frozenset(attempt(lambda: entry.texts("tags", commas=True), NO_TEXTS)),
        environment=attempt(lambda: entry.variables("environment"), NO_VARIABLES),
        no_log=attempt(lambda: entry.flag("no_log"), True),
        become=attempt(lambda: entry.flag("become"), False),
        vars={},
    )

    def section(key: str, inherited: Inherited = around) -> tuple[Task, ...]:
        return attempt(lambda: _section(entry, key, inherited), ())

    roles = attempt(lambda: _roles(entry, around), [])
    handlers = section("handlers", replace(around, handlers=True, tags=frozenset(), when=()))
    play = Play(
        name=attempt(lambda: entry.text("name"), None) or str(entry.value.get("hosts")),
        hosts=attempt(lambda: _hosts(entry), Written("", entry.origin)),
        origin=entry.origin,
        directory=inherited.directory,
        become=around.become,
        gather_facts=attempt(lambda: entry.flag("gather_facts", True), True),
        vars={**inherited.vars, **attempt(lambda: entry.variables("vars"), NO_VARIABLES)},
        vars_files=attempt(lambda: _vars_files(entry, inherited.directory), ()),
        roles=tuple(loaded.role for loaded in roles),
        sections=(
            section("pre_tasks"),
            (*(task for loaded in roles for task in loaded.tasks), *section("tasks")),
            section("post_tasks"),
        ),
        handlers=(*(handler for loaded in roles for handler in loaded.handlers), *handlers),
    )
    problems.raise_any()
    _check_notified(play)  # of a play with other problems, handlers may be missing for these
    return play


def _check_any_errors_fatal(entry: Entry) -> None:
    if entry.flag("any_errors_fatal"):
        raise entry.error(
            "is outside labctl's subset of Ansible.", "A failed host stops alone.", "any_errors_fatal"
        )


def _check_become_user(entry: Entry) -> None:
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


def _vars_files(entry: Entry, directory: Path) -> tuple[Written, ...]:
    """Raises ConfigError also for what is wrong with a file that is named without a template."""
    is_list = isinstance(entry.value.get("vars_files"), list)
    files: list[Written] = []
    problems = Problems()
    for index, name in enumerate(entry.texts("vars_files")):
        keys = ("vars_files", *((index,) if is_list else ()))
        with problems.collect():
            entry.check_templates(name, *keys)
            if not is_template(name):
                _check_vars_file(entry, name, directory, *keys)
        files.append(Written(name, entry.origin_of(*keys)))
    problems.raise_any()
    return tuple(files)


def _check_vars_file(entry: Entry, name: str, directory: Path, *keys: str | int) -> None:
    path = find_file("vars", name, None, directory)
    if path is None:
        looked_for = tried(candidates("vars", name, None, directory))
        raise entry.error(f"there is no file '{name}'.", f"Looked for: {looked_for}.", *keys)
    read_vars_file(path, entry.language)


def _roles(entry: Entry, around: Inherited) -> list[LoadedRole]:
    value = entry.value.get("roles")
    if value is None:
        return []
    if not isinstance(value, list):
        raise entry.error("must be a list of roles.", None, "roles")
    loaded: list[LoadedRole] = []
    problems = Problems()
    for index in range(len(value)):
        with problems.collect():
            loaded.append(read_role(entry.at("roles", index), around))
    problems.raise_any()
    once = {role.use: role for role in reversed(loaded) if role.use is not None}
    return [role for role in loaded if role.use is None or once[role.use] is role]


def _section(entry: Entry, key: str, around: Inherited) -> tuple[Task, ...]:
    return (
        read_tasks(entry.document, (*entry.where, key), entry.language, around) if key in entry.value else ()
    )


def _check_notified(play: Play) -> None:
    """Every name that a task notifies is a handler's, or one that a handler listens to."""
    known = set(names_of(play.handlers))
    problems = Problems()
    for task in (*play.tasks, *play.handlers):
        origin = task.place("notify")
        for name in task.notify:
            if not is_template(name) and name not in known:
                error = ConfigError(
                    f"there is no handler '{name}' in this play.",
                    file=origin.file,
                    line=origin.line,
                    column=origin.column,
                    key="notify",
                    hint=did_you_mean(name, known) or "Write it below `handlers:`.",
                )
                problems.add(error)
    problems.raise_any()


def names_of(handlers: Iterable[Task]) -> tuple[str, ...]:
    """What a task may write in ``notify`` to reach them."""
    return tuple(name for handler in handlers for name in (handler.name, handler.title, *handler.listen))


def is_local(task: Task) -> bool:
    """Is the task carried out on the controller alone?"""
    from orchestrator.load.modules import MODULES

    return MODULES[short_name(task.module)].local
