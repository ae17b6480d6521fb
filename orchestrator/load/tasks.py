# SPDX-License-Identifier: Apache-2.0
"""A list of tasks or handlers, and what it imports, as a flat tuple: each task has joined what it inherits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.load.arguments import check_files, check_keys, module_key, read_arguments
from orchestrator.load.document import Document, KeyPath, load_document
from orchestrator.load.entry import Entry
from orchestrator.load.language import Language, is_template
from orchestrator.load.modules import short_name
from orchestrator.load.outside import LOOP_KEYS, TASK_KEYS
from orchestrator.load.problems import NO_TEXTS, NO_VARIABLES, Problems
from orchestrator.load.search import TaskImports, tried
from orchestrator.model.inventory import Origin
from orchestrator.model.playbook import Loop, Role, Task, Written

_MOST_NESTED = 20
_PARTS_OF_BLOCKS = ("block", "rescue", "always")
_IMPORTS = ("import_tasks", "ansible.builtin.import_tasks")
_IMPORT_KEYS = frozenset((*_IMPORTS, "name", "when", "tags", "vars", "become", "become_user"))
KEYS = frozenset(
    (
        *(
            "name",
            "args",
            "when",
            "loop",
            "loop_control",
            "register",
            "notify",
            "listen",
            "tags",
            "no_log",
            "become",
        ),
        *(
            "become_user",
            "vars",
            "environment",
            "changed_when",
            "failed_when",
            "ignore_errors",
            "check_mode",
            "diff",
            "throttle",
            "timeout",
        ),
    )
)
_LOOP_KEYS = frozenset(("loop_var", "label", "index_var"))


@dataclass(frozen=True, slots=True)
class Inherited:
    """What tasks take over from the play, the role and the imports around them. ``directory`` is the playbook's."""

    directory: Path
    role: Role | None = None
    when: tuple[Written, ...] = ()
    tags: frozenset[str] = frozenset()
    vars: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    no_log: bool = False
    become: bool = False
    handlers: bool = False
    imports: TaskImports = field(default_factory=TaskImports)


def read_tasks(
    document: Document, where: KeyPath, language: Language, inherited: Inherited
) -> tuple[Task, ...]:
    """The list at ``where``. Raises ConfigError with the place of what is wrong."""
    entry = Entry(document, where, language)
    value = entry.value
    if value is None:
        return ()
    if not isinstance(value, list):
        raise entry.error("must be a list of tasks.", "Begin each task with `- `.")
    tasks: list[Task] = []
    problems = Problems()
    for index in range(len(value)):
        with problems.collect():
            tasks += _read_entry(entry.at(index), inherited)
    problems.raise_any()
    return tuple(tasks)


def read_task_file(path: Path, language: Language, inherited: Inherited) -> tuple[Task, ...]:
    """The tasks of a file."""
    return read_tasks(load_document(path), (), language, inherited)


def _read_entry(entry: Entry, inherited: Inherited) -> tuple[Task, ...]:
    imports = [key for key in _IMPORTS if key in entry.keys("a task")]
    if imports:
        return _import(entry, imports[0], inherited)
    problems = Problems()
    for part in _PARTS_OF_BLOCKS:  # also what is wrong inside of a block is said in the same call
        if isinstance(entry.value.get(part), list):
            where = (*entry.where, part)
            problems.attempt(partial(read_tasks, entry.document, where, entry.language, inherited), ())
    with problems.collect():
        task = _task(entry, inherited)
    problems.raise_any()
    return (task,)


def _import(entry: Entry, key: str, inherited: Inherited) -> tuple[Task, ...]:
    entry.refuse_unknown(_IMPORT_KEYS, "import_tasks", TASK_KEYS)
    value = entry.value[key]
    name = value.get("file") if isinstance(value, dict) and set(value) == {"file"} else value
    if not isinstance(name, str) or is_template(name):
        raise entry.error("must be the name of a file, without a template.", None, key)
    if len(inherited.imports.folders) >= _MOST_NESTED:
        raise entry.error("imports nest too deep: does one import itself?", None, key)
    below = _joined(entry, inherited)
    path = _imported_file(entry, key, name, inherited)
    return read_task_file(path, entry.language, replace(below, imports=inherited.imports.below(name)))


def _imported_file(entry: Entry, key: str, name: str, inherited: Inherited) -> Path:
    place = (name, inherited.role, inherited.directory, inherited.handlers)
    path = inherited.imports.find(*place)
    if path is None:
        looked_for = tried(inherited.imports.candidates(*place))
        raise entry.error(f"there is no file '{name}'.", f"Looked for: {looked_for}.", key)
    return path


def _joined(entry: Entry, inherited: Inherited) -> Inherited:
    problems = Problems()
    problems.attempt(lambda: _check_become(entry, inherited.become), None)
    joined = replace(
        inherited,
        when=(*inherited.when, *(problems.attempt(lambda: entry.conditions("when"), None) or ())),
        tags=inherited.tags | frozenset(problems.attempt(lambda: entry.texts("tags", commas=True), NO_TEXTS)),
        vars={**inherited.vars, **problems.attempt(lambda: entry.variables("vars"), NO_VARIABLES)},
    )
    problems.raise_any()
    return joined


def _check_become(entry: Entry, become: bool) -> None:
    """labctl does all of a play as one user, over one channel."""
    if entry.text("become_user") not in (None, "root"):
        raise entry.error("labctl becomes root and nobody else.", "Leave become_user out.", "become_user")
    wanted = entry.optional_flag("become")
    if wanted is not None and wanted != become:
        raise entry.error(
            "a play is done as one user, and this differs from the play's.",
            f"Write `become: {str(wanted).lower()}` at the play, or make a play of its own.",
            "become",
        )


def _task(entry: Entry, inherited: Inherited) -> Task:
    known = KEYS if inherited.handlers else KEYS - {"listen"}
    problems = Problems()
    problems.attempt(lambda: check_keys(entry, known), None)
    key, args, places = _module(entry, inherited, problems)
    module, attempt = short_name(key), problems.attempt
    around = attempt(lambda: _joined(entry, inherited), inherited)
    task = Task(
        name=attempt(lambda: entry.text("name"), None) or module,
        module=module,
        args=args,
        origin=entry.origin,
        places={**{name: entry.origin_of(name) for name in entry.value}, **places},
        role=inherited.role,
        when=around.when,
        loop=attempt(lambda: _loop(entry), None),
        register=attempt(lambda: _register(entry), None),
        notify=attempt(lambda: entry.texts("notify"), NO_TEXTS),
        listen=attempt(lambda: entry.texts("listen"), NO_TEXTS),
        tags=around.tags,
        no_log=attempt(lambda: entry.flag("no_log", inherited.no_log), True),
        vars=around.vars,
        environment={
            **inherited.environment,
            **attempt(lambda: entry.variables("environment"), NO_VARIABLES),
        },
        changed_when=attempt(lambda: entry.conditions("changed_when"), None),
        failed_when=attempt(lambda: entry.conditions("failed_when"), None),
        ignore_errors=attempt(lambda: entry.flag("ignore_errors"), False),
        check_mode=attempt(lambda: entry.optional_flag("check_mode"), None),
        diff=attempt(lambda: entry.optional_flag("diff"), None),
        throttle=attempt(lambda: _count(entry, "throttle", least=0), None) or 0,
        timeout=attempt(lambda: _timeout(entry), None),
    )
    problems.raise_any()
    return task


def _module(
    entry: Entry, inherited: Inherited, problems: Problems
) -> tuple[str, dict[str, Any], dict[str, Origin]]:
    """The key that names the module, its arguments, and the origin of each."""
    key = module_key(entry)
    if key is None:
        return "", {}, {}
    args, places = read_arguments(entry, key, problems)
    with problems.collect():
        check_files(entry, short_name(key), args, places, inherited.role, inherited.directory)
    return key, args, places


def _count(entry: Entry, key: str, least: int) -> int | None:
    """A whole number that stands there as one; None where the key is missing."""
    value = entry.value.get(key)
    if key not in entry.value:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise entry.error(f"must be a whole number from {least} on, without a template.", None, key)
    return value


def _timeout(entry: Entry) -> Any:
    value = entry.value.get("timeout")
    if is_template(value):
        entry.check_templates(value, "timeout")
        return value
    return _count(entry, "timeout", least=1)


def _register(entry: Entry) -> str | None:
    name = entry.text("register")
    if name is not None and not name.isidentifier():
        raise entry.error(
            f"'{name}' is not a variable's name.", "Names have letters, digits and underscores.", "register"
        )
    return name


def _loop(entry: Entry) -> Loop | None:
    if "loop" not in entry.value:
        if "loop_control" in entry.value:
            raise entry.error("is for a task with a loop.", "Add `loop:`.", "loop_control")
        return None
    items = entry.value["loop"]
    if not isinstance(items, list) and not is_template(items):
        raise entry.error("must be a list, or a template that yields one.", None, "loop")
    entry.check_templates(items, "loop")
    written = Written(items, entry.origin_of("loop"))
    if "loop_control" not in entry.value:
        return Loop(written)
    control = entry.at("loop_control")
    control.keys("loop_control")
    control.refuse_unknown(_LOOP_KEYS, "loop_control", LOOP_KEYS)
    label = None
    if "label" in control.value:
        control.check_templates(control.value["label"], "label")
        label = Written(control.value["label"], control.origin_of("label"))
    return Loop(written, _name(control, "loop_var") or "item", label, _name(control, "index_var"))


def _name(control: Entry, key: str) -> str | None:
    name = control.text(key)
    if name is not None and not name.isidentifier():
        raise control.error(f"'{name}' is not a variable's name.", None, key)
    return name
