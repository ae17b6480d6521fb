# SPDX-License-Identifier: Apache-2.0
"""Roles: a folder with tasks, handlers, defaults and vars, each in main.yaml or main.yml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.load.document import load_document
from orchestrator.load.entry import Entry, did_you_mean
from orchestrator.load.language import Language, is_template
from orchestrator.load.outside import ROLE_KEYS
from orchestrator.load.paths import is_dir
from orchestrator.load.problems import NO_TEXTS, NO_VARIABLES, Problems
from orchestrator.load.tasks import Inherited, read_task_file
from orchestrator.load.variables import layer_of
from orchestrator.model.playbook import Role, Task

_NAMES = ("main.yml", "main.yaml")
_KEYS = frozenset(("role", "name", "tags", "when", "vars", "become", "become_user"))


@dataclass(frozen=True, slots=True)
class LoadedRole:
    """``use`` is the same for entries that ask for the same, which is done once; None: each is done."""

    role: Role
    use: str | None
    tasks: tuple[Task, ...]
    handlers: tuple[Task, ...]


def read_role(entry: Entry, inherited: Inherited) -> LoadedRole:
    """One entry below ``roles``: a name, or {role, tags, when, vars}. Raises ConfigError."""
    name = _name_of(entry)
    path = _find(entry, name, inherited.directory)
    problems = Problems()
    attempt = problems.attempt
    written: dict[str, Any] = {}
    around = inherited
    if isinstance(entry.value, dict):
        written = attempt(lambda: entry.variables("vars"), NO_VARIABLES)
        around = replace(
            inherited,
            when=(*inherited.when, *(attempt(lambda: entry.conditions("when"), None) or ())),
            tags=inherited.tags | frozenset(attempt(lambda: entry.texts("tags", commas=True), NO_TEXTS)),
        )
        attempt(lambda: _check_become(entry, inherited.become), None)
    defaults = attempt(lambda: _vars(entry, path / "defaults"), NO_VARIABLES)
    role = Role(name, path, defaults, attempt(lambda: _vars(entry, path / "vars"), NO_VARIABLES), written)
    again = attempt(lambda: _read_meta(path), False)
    around = replace(around, role=role)
    loaded = LoadedRole(
        role,
        None if again else _use(path, entry.value),
        attempt(lambda: _tasks(entry, path / "tasks", around), ()),
        attempt(lambda: _tasks(entry, path / "handlers", replace(around, handlers=True)), ()),
    )
    problems.raise_any()
    return loaded


def _check_become(entry: Entry, become: bool) -> None:
    if entry.optional_flag("become") not in (None, become):
        raise entry.error(
            "differs from the play's: a play is done as one user.", "Write it at the play.", "become"
        )


def _name_of(entry: Entry) -> str:
    value = entry.value
    if isinstance(value, str):
        return value
    problems = Problems()
    for key in entry.keys("a role"):
        if key in ROLE_KEYS:
            problems.add(entry.outside(key, ROLE_KEYS[key]))
        elif key not in _KEYS:
            hint = f"A variable for the role goes below `vars:`: {key}: VALUE."
            problems.add(entry.error(f"'{key}' is no key of a role.", hint, key))
    problems.raise_any()
    name = entry.text("role") or entry.text("name")
    if name is None or is_template(name):
        raise entry.error("needs the name of a role, without a template.", "Write `role: NAME`.")
    return name


def _find(entry: Entry, name: str, directory: Path) -> Path:
    """Beside the playbook in roles/, or beside the playbook."""
    whole = Path(name).expanduser()
    candidates = (whole,) if whole.is_absolute() else (directory / "roles" / name, directory / name)
    found = next((path for path in candidates if is_dir(path)), None)
    if found is not None:
        return found
    folder = directory / "roles"
    known = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    raise entry.error(
        f"there is no role '{name}'.", did_you_mean(name, known) or f"Looked for: {candidates[0]}."
    )


def _main(folder: Path) -> Path | None:
    return next((folder / name for name in _NAMES if (folder / name).is_file()), None)


def _tasks(entry: Entry, folder: Path, inherited: Inherited) -> tuple[Task, ...]:
    path = _main(folder)
    return read_task_file(path, entry.language, inherited) if path else ()


def _vars(entry: Entry, folder: Path) -> dict[str, Any]:
    path = _main(folder)
    return read_vars_file(path, entry.language) if path else {}


def read_vars_file(path: Path, language: Language) -> dict[str, Any]:
    """A file of variables, its templates checked. Raises ConfigError."""
    document = load_document(path)
    entry = Entry(document, (), language)
    values = {name: variable.value for name, variable in layer_of(document).items()}
    problems = Problems()
    for name, value in values.items():
        problems.attempt(partial(entry.check_templates, value, name), None)
    problems.raise_any()
    return values


def _use(path: Path, written: Any) -> str:
    """Ansible's rule: the same role with the same variables, conditions and tags has been carried out already."""
    keys = written if isinstance(written, dict) else {}
    return f"{path} {[keys.get(key) for key in ('vars', 'when', 'tags')]!r}"


def _read_meta(path: Path) -> bool:
    """May the role be carried out again, though it has been already (allow_duplicates)? Raises ConfigError for dependencies."""
    meta = _main(path / "meta")
    if meta is None:
        return False
    document = load_document(meta)
    if not isinstance(document.value, dict):
        return False
    if document.value.get("dependencies"):
        raise document.error(
            ("dependencies",),
            "dependencies of a role are outside labctl's subset of Ansible.",
            "List the role before this one in the play.",
        )
    return bool(document.value.get("allow_duplicates"))
