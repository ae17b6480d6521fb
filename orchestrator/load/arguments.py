# SPDX-License-Identifier: Apache-2.0
"""A task's module and its arguments, against the table of modules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.load.entry import Entry, did_you_mean
from orchestrator.load.filters import to_bool
from orchestrator.load.language import Blocks, Language, TemplateFailed, is_template
from orchestrator.load.modules import MODULES, short_name
from orchestrator.load.outside import TASK_KEYS, misspelt, module_hint
from orchestrator.load.parameters import UNKNOWN, ModuleSpec
from orchestrator.load.paths import NO_VAULTS, is_dir, is_vault
from orchestrator.load.problems import Problems
from orchestrator.load.search import candidates, find_file, tried
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Origin
from orchestrator.model.playbook import Role
from remote_agent.contract.truth import truth_of

_INLINE = re.compile(
    r"(?:^|\s)(creates|removes|chdir|executable|stdin|stdin_add_newline|strip_empty_ends|cmd|argv)="
)
_FOLDERS = {"template": "templates", "copy": "files", "unarchive": "files"}


def has_template(value: Any) -> bool:
    """Anywhere in the value?"""
    if isinstance(value, dict):
        return any(has_template(content) for content in value.values())
    return any(map(has_template, value)) if isinstance(value, list) else is_template(value)


def check_keys(entry: Entry, known: frozenset[str]) -> None:
    """Raises ConfigError for every key of a task that is none, and where no module or two are named."""
    problems = Problems()
    modules = _module_keys(entry)
    unknown = [key for key in entry.value if key not in known and key not in modules]
    for key in unknown:
        problems.add(_unknown_key(entry, key, known, bool(modules)))
    if len(modules) > 1:
        message = f"a task has one module, and this one has {' and '.join(modules)}."
        problems.add(entry.error(message, "Make two tasks of it.", modules[1]))
    if not modules and not unknown:
        problems.add(entry.error("this task names no module.", f"Modules: {', '.join(MODULES)}."))
    problems.raise_any()


def _unknown_key(entry: Entry, key: str, known: frozenset[str], has_module: bool) -> ConfigError:
    if hint := TASK_KEYS.get(short_name(key)) or ("Use loop." if key.startswith("with_") else None):
        return entry.outside(key, hint)
    if has_module:
        return entry.error(f"there is no key of a task '{key}'.", did_you_mean(key, known), key)
    typo = misspelt(key, known)
    hint = f"Did you mean '{typo}'?" if typo else module_hint(short_name(key), MODULES)
    return entry.error(f"labctl has no module '{key}'.", hint, key)


def module_key(entry: Entry) -> str | None:
    """The key of the task that names its module; None where no module or several are named."""
    modules = _module_keys(entry)
    return modules[0] if len(modules) == 1 else None


def _module_keys(entry: Entry) -> list[str]:
    return [key for key in entry.value if short_name(key) in MODULES]


def read_arguments(entry: Entry, key: str, problems: Problems) -> tuple[dict[str, Any], dict[str, Origin]]:
    """The arguments under their canonical names, and the origin of each; without those that are wrong."""
    spec = MODULES[short_name(key)]
    before = len(problems)
    args: dict[str, Any] = {}
    places: dict[str, Origin] = {}
    for part in (key, "args"):
        if part in entry.value:
            more, more_places = problems.attempt(partial(_read, entry, part, spec, problems), ({}, {}))
            for name in more.keys() & args.keys():
                problems.add(entry.error(f"'{name}' is there twice.", None, "args", name))
            args, places = {**args, **more}, {**places, **more_places}
    if len(problems) == before:  # else what is missing may be what was wrong
        problems.attempt(lambda: _check_together(entry, key, spec, args), None)
    return args, {f"{spec.name}.{name}": origin for name, origin in places.items()}


def _read(
    entry: Entry, key: str, spec: ModuleSpec, problems: Problems
) -> tuple[dict[str, Any], dict[str, Origin]]:
    value = entry.value[key]
    if value is None:
        return {}, {}
    if isinstance(value, str) and key != "args":
        return _free_form(entry, key, spec, value)
    if not isinstance(value, dict):
        raise entry.error("the module's parameters must be a mapping.", None, key)
    args: dict[str, Any] = {}
    places: dict[str, Origin] = {}
    for written, content in value.items():
        with problems.collect():
            name = _parameter(entry, key, spec, written, args)
            _check_value(entry, key, spec, written, content)
            args[name], places[name] = content, entry.origin_of(key, written)
    return args, places


def _parameter(entry: Entry, key: str, spec: ModuleSpec, written: Any, args: Mapping[str, Any]) -> str:
    """The canonical name of a parameter. Raises ConfigError where there is none, or it is there already."""
    name = spec.canonical(str(written))
    if written in spec.refused:
        message = f"{spec.name}'s parameter '{written}' is outside labctl's subset of Ansible."
        raise entry.error(message, spec.refused[written], key, written)
    if name is None or not isinstance(written, str):
        message = f"{spec.name} has no parameter '{written}'."
        raise entry.error(message, did_you_mean(str(written), spec.names()), key, str(written))
    if name in args:
        message = f"'{name}' is there twice: '{written}' is another name for it."
        raise entry.error(message, None, key, written)
    return name


def _free_form(
    entry: Entry, key: str, spec: ModuleSpec, text: str
) -> tuple[dict[str, Any], dict[str, Origin]]:
    if spec.free_form is None:
        raise entry.error(
            "the module's parameters must be a mapping.",
            "Write each as NAME: VALUE on a line of its own.",
            key,
        )
    if found := _INLINE.search(text):
        raise entry.error(
            f"'{found[1]}=' inside a command is not supported.",
            f"Write it below `args:` as {found[1]}: VALUE.",
            key,
        )
    entry.check_templates(text, key)
    if quote := _open_quote(text):
        raise entry.error(
            f"a quote {quote} has no end.",
            f"Ansible refuses it too, wherever it stands: write it as {spec.free_form}: below the module's name.",
            key,
        )
    if not is_template(text) and (problem := spec.params[spec.free_form].problem(text)):
        raise entry.error(f"{spec.free_form} {problem}", None, key)
    return {spec.free_form: text}, {spec.free_form: entry.origin_of(key)}


def _open_quote(text: str) -> str | None:
    """The quote that a free form leaves open, as Ansible counts: a backslash before it makes it a letter, anywhere."""
    quote = None
    for before, letter in zip(f" {text}", text, strict=False):
        if letter in "\"'" and (before != "\\" or before.isspace()):
            quote = letter if quote is None else None if letter == quote else quote
    return quote


def _check_value(entry: Entry, key: str, spec: ModuleSpec, written: str, value: Any) -> None:
    if spec.name == "assert" and spec.canonical(written) == "that":
        entry.at(key).conditions(written)
        return
    if spec.name == "debug" and written == "var":
        _check_expression(entry, key, value)
        return
    entry.check_templates(value, key, written)
    param = spec.params.get(spec.canonical(written) or "")
    if param is None:
        if not written.isidentifier():
            raise entry.error("is not a variable's name.", None, key, written)
    elif not has_template(value) and (problem := param.problem(value)):
        raise entry.error(problem, None, key, written)


def _check_expression(entry: Entry, key: str, value: Any) -> None:
    if not isinstance(value, str) or is_template(value):
        raise entry.error("must be the name of a variable, without braces.", None, key, "var")
    try:
        entry.language.expression(value)
    except TemplateFailed as error:
        raise entry.error(f"this is not an expression: {error}", None, key, "var") from error


def _check_together(entry: Entry, key: str, spec: ModuleSpec, args: dict[str, Any]) -> None:
    problems = Problems()
    for name, param in spec.params.items():
        if param.required and args.get(name) is None:
            problems.add(
                entry.error(f"{spec.name} needs the parameter '{name}'.", f"Add {name}: VALUE.", key)
            )
    problems.raise_any()
    for group in (*spec.exclusive, *spec.one_of):
        given = [name for name in group if args.get(name) is not None]
        if len(given) > 1:
            raise entry.error(
                f"{' and '.join(given)} exclude each other.", f"Leave one of them out of {spec.name}.", key
            )
        if not given and group in spec.one_of:
            raise entry.error(f"{spec.name} needs {' or '.join(group)}.", None, key)
    seen = {name: UNKNOWN if has_template(value) else value for name, value in args.items()}
    for rule in spec.rules:
        if found := rule(seen):
            raise entry.error(found[0], found[1], key)
    if spec.name == "set_fact" and not args.keys() - {"cacheable"}:
        raise entry.error("set_fact sets nothing.", "Write NAME: VALUE below it.", key)


def check_files(
    entry: Entry,
    module: str,
    args: dict[str, Any],
    places: dict[str, Origin],
    role: Role | None,
    directory: Path,
) -> None:
    """A file of the controller's that is named without a template must be there, and a template file must be right.

    Raises ConfigError at the task's src, or at the template file's own line.
    """
    src = args.get("src")
    folder = _FOLDERS.get(module)
    if folder is None or not isinstance(src, str) or is_template(src) or truth_of(args.get("remote_src")):
        return
    place = (folder, src, role, directory, entry.document.path)
    path = find_file(*place)
    if path is None:
        looked_for = tried(candidates(*place))
        raise _at(places[f"{module}.src"], f"there is no file '{src}'.", f"Looked for: {looked_for}.")
    if is_dir(path):
        raise _at(
            places[f"{module}.src"],
            f"'{src}' is a folder, which labctl does not copy.",
            "Pack it, and use unarchive.",
        )
    if is_vault(path):
        raise _at(places[f"{module}.src"], f"'{src}' is encrypted by ansible-vault.", NO_VAULTS)
    if module == "template" and not any(is_template(args.get(name)) for name in BLOCKS):
        read_template(path, entry.language, args)


BLOCKS = ("lstrip_blocks", "trim_blocks")
"""Arguments of `template` that say how a template file is read."""


def read_template(path: Path, language: Language, args: Mapping[str, Any]) -> Any:
    """The compiled template of a file, read as ``args`` say. Raises ConfigError at its own line."""
    lstrip, trim = (to_bool(args.get(name, name == "trim_blocks")) for name in BLOCKS)
    try:
        return language.file(path.read_bytes().decode(), Blocks(lstrip, trim))
    except TemplateFailed as error:
        raise ConfigError(f"this template is not right: {error}", file=path, line=error.line) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read as UTF-8 text.", file=path) from error


def _at(origin: Origin, message: str, hint: str) -> ConfigError:
    return ConfigError(
        message, file=origin.file, line=origin.line, column=origin.column, key="src", hint=hint
    )
