# SPDX-License-Identifier: Apache-2.0
"""One task, with a host's facts and variables, as steps: pure, so that it can be done again when a result has come in.

A task without a loop is one unit, with a loop one a item. A unit is a step for the host, or a result that is known already: a
condition that does not hold, or a module that the controller carries out itself (assert, debug, fail, set_fact).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IMODE
from typing import Any

from orchestrator.load.arguments import BLOCKS, read_template
from orchestrator.load.language import OMIT, Language, Pending, TemplateFailed
from orchestrator.load.lookups import TemplateNames
from orchestrator.load.modules import MODULES
from orchestrator.load.paths import NO_VAULTS, is_vault
from orchestrator.load.rules import ADDRESS_WITHOUT_REMOTE_SRC
from orchestrator.load.search import candidates, find_file, tried
from orchestrator.model.errors import ConfigError
from orchestrator.model.playbook import Loop, Task, Written
from orchestrator.provision.arguments import spelled
from orchestrator.provision.fetched import DestinationProblem, fetch_arguments
from orchestrator.provision.files import Blobs
from orchestrator.provision.local import carry_out
from orchestrator.provision.scope import Scope, ValueProblem
from orchestrator.provision.throttles import Throttles
from remote_agent.contract.steps import BlobRef, Step
from remote_agent.contract.truth import truth_of

_SKIPPED = {"changed": False, "failed": False, "skipped": True, "skip_reason": "Conditional result was False"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides. ``directory`` is the playbook's; ``files``, ``language`` and ``throttles`` are shared by all hosts."""

    language: Language
    files: Blobs
    directory: Path
    check: bool = False
    diff: bool = False
    throttles: Throttles = field(default_factory=Throttles)


@dataclass(frozen=True, slots=True)
class Unit:
    """Exactly one of ``step`` and ``result`` is there. ``item`` has the loop's variables; ``label`` is how to call it.

    ``notify``: the handlers that it notifies where the task has changed something; with a loop, those of every item.
    """

    scope: Scope
    step: Step | None = None
    result: Mapping[str, Any] | None = None
    item: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """``facts`` is what set_fact sets; ``notify`` has the handlers' names of all units. ``looped``: its units are a loop's items."""

    task: Task
    name: str
    units: tuple[Unit, ...]
    notify: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    looped: bool = False

    @property
    def local(self) -> bool:
        """Is every unit's result known already?"""
        return all(unit.step is None for unit in self.units)


def compile_task(task: Task, scope: Scope, options: Options, first_id: int) -> Compiled:
    """The task as units, whose steps are numbered from ``first_id``.

    Raises Pending where it needs a result that has not come back, ValueProblem where a value cannot be had.
    """
    facts: dict[str, Any] = {}
    units: list[Unit] = []
    try:
        items = _items(task, scope)
    except _LoopUnknown as problem:
        skipped = _skipped_anyway(task, scope)
        if skipped is None:
            raise ValueProblem(str(problem)) from problem
        return Compiled(task, _name(task, scope), (skipped,), ())
    for number, (item, label) in enumerate(items):
        seen = scope.with_layer({**facts, **item}) if item or facts else scope
        unit = _item_unit(task, seen, options, first_id + number, item, label)
        units.append(unit)
        facts.update((unit.result or {}).get("ansible_facts", {}))
    notify = tuple(dict.fromkeys(name for unit in units for name in unit.notify))
    return Compiled(task, _name(task, scope), tuple(units), notify, facts, task.loop is not None)


def _item_unit(
    task: Task, scope: Scope, options: Options, number: int, item: Mapping[str, Any], label: str | None
) -> Unit:
    """As `_unit`; a value of one item that cannot be had is that item's failure, and the others are carried out."""
    try:
        return _unit(task, scope, options, number, item, label)
    except ValueProblem as problem:
        if task.loop is None:
            raise
        return Unit(scope, result=problem_of(task, str(problem)), item=item, label=label)


def problem_of(task: Task, message: str) -> dict[str, Any]:
    """The result of a task whose values cannot be had."""
    if task.no_log:
        origin = task.origin
        message = f"{origin.file}:{origin.line}:{origin.column}: a value of this task cannot be had; which is withheld (no_log)."
    return {"changed": False, "failed": True, "msg": message}


def _name(task: Task, scope: Scope) -> str:
    """The title with its templates rendered where that is possible now; a name is no reason to wait or to fail."""
    if "{{" not in task.name or task.no_log:
        return task.title
    try:
        return f"{task.role.name} : {scope.render(task.name)}" if task.role else str(scope.render(task.name))
    except (Pending, TemplateFailed):
        return task.title


def _items(task: Task, scope: Scope) -> list[tuple[dict[str, Any], str | None]]:
    """The loop's variables and label, for each item; one empty entry where there is no loop."""
    loop = task.loop
    if loop is None:
        return [({}, None)]
    try:
        items = _rendered(scope, loop.items.value, task, "loop")
    except ValueProblem as problem:
        raise _LoopUnknown(str(problem)) from problem
    if not isinstance(items, list | tuple):
        raise ValueProblem(f"the loop is over {type(items).__name__}, and needs a list.", loop.items, "loop")
    entries: list[tuple[dict[str, Any], str | None]] = []
    for index, item in enumerate(items):
        names = {
            loop.variable: item,
            "ansible_loop_var": loop.variable,
            **({loop.index: index} if loop.index else {}),
        }
        entries.append((names, _label(loop, scope.with_layer(names), item, task)))
    return entries


class _LoopUnknown(Exception):
    """What the loop is over cannot be had. That is no failure where a condition says that the task is left out."""


def _skipped_anyway(task: Task, scope: Scope) -> Unit | None:
    try:
        holds, unmet = scope.holds(task.when, "when")
    except ValueProblem:
        return None
    return None if holds else Unit(scope, result={**_SKIPPED, "false_condition": unmet})


def _label(loop: Loop, scope: Scope, item: Any, task: Task) -> str:
    if task.no_log:
        return "(withheld)"
    return str(_rendered(scope, loop.label.value, task, "loop_control")) if loop.label else str(item)


def _unit(
    task: Task, scope: Scope, options: Options, number: int, item: Mapping[str, Any], label: str | None
) -> Unit:
    holds, unmet = scope.holds(task.when, "when")
    if not holds:
        return Unit(scope, result={**_SKIPPED, "false_condition": unmet}, item=item, label=label)
    spec = MODULES[task.module]
    notify = tuple(str(_rendered(scope, name, task, "notify")) for name in task.notify)
    if spec.local:
        result = carry_out(task, scope, _arguments)
        return Unit(scope, result=result, item=item, label=label, notify=notify)
    args = _arguments(task, scope, options)
    step = Step(
        id=number,
        name=task.title,
        module=task.module,
        args=args,
        check=options.check if task.check_mode is None else task.check_mode,
        diff=options.diff if task.diff is None else task.diff,
        no_log=task.no_log,
        predicting=options.check,
        stop_on_failure=task.loop is None and task.failed_when is None and not task.ignore_errors,
        environment=_environment(task, scope),
        **_limit(task, scope),
    )
    return Unit(scope, step=step, item=item, label=label, notify=notify)


def _environment(task: Task, scope: Scope) -> dict[str, str]:
    values = {name: _rendered(scope, value, task, "environment") for name, value in task.environment.items()}
    return {name: str(value) for name, value in values.items() if value is not OMIT}


def _limit(task: Task, scope: Scope) -> dict[str, float]:
    """The step's ``timeout``, where the task says one."""
    if task.timeout is None:
        return {}
    seconds = str(_rendered(scope, task.timeout, task, "timeout")).strip()
    if not seconds.isdecimal() or int(seconds) < 1:
        problem = f"must be a number of seconds above 0, not {seconds!r}."
        raise ValueProblem(problem, Written(None, task.place("timeout")), "timeout")
    return {"timeout": float(seconds)}


def _arguments(task: Task, scope: Scope, options: Options | None = None) -> dict[str, Any]:
    """The arguments without templates, files among them as references. What a template made is checked as the loader checks."""
    spec = MODULES[task.module]
    args: dict[str, Any] = {}
    for name, written in task.args.items():
        key = f"{task.module}.{name}"
        value = _rendered(scope, written, task, key)
        if value is OMIT:
            continue
        param = spec.params.get(name)
        if param is not None:
            try:
                value = spelled(param, value)
                problem = param.problem(value) if value != written else None
            except ValueError as error:
                problem = str(error)
            if problem:
                raise ValueProblem(problem, Written(None, task.place(key)), key)
        args[name] = value
    if options is None or args.get("src") is None or truth_of(args.get("remote_src")):
        return args
    if task.module == "template":
        return _template(task, scope, args, options)
    if task.module == "fetch":
        return _fetched(task, scope, args, options)
    return _with_blob(task, args, options) if task.module in ("copy", "unarchive") else args


def _fetched(task: Task, scope: Scope, args: dict[str, Any], options: Options) -> dict[str, Any]:
    place = Written(None, task.place("fetch.dest"))
    try:
        return fetch_arguments(args, str(scope.evaluate("inventory_hostname")), options.directory)
    except DestinationProblem as error:
        raise ValueProblem(str(error), place, "fetch.dest") from error
    except OSError as error:
        raise ValueProblem(f"{error.filename}: {error.strerror}.", place, "fetch.dest") from error


def _template(task: Task, scope: Scope, args: dict[str, Any], options: Options) -> dict[str, Any]:
    src = str(args.pop("src"))
    path = _file(task, "templates", src, options)
    blocks = {name: args.pop(name) for name in BLOCKS if name in args}
    args = _preserved(args, path)
    try:
        compiled = read_template(path, options.language, blocks)
        names = TemplateNames(scope.look, src, path, str(args.get("dest")))
        content = scope.with_layer(names).render_file(compiled)
    except TemplateFailed as error:
        raise ValueProblem(
            f"{path}: {error}", Written(None, task.place("template.src")), "template.src"
        ) from error
    except ConfigError as error:
        raise ValueProblem(error.message) from error
    return {**args, "content": content, "_original_basename": path.name}


def _with_blob(task: Task, args: dict[str, Any], options: Options) -> dict[str, Any]:
    key = f"{task.module}.src"
    if task.module == "unarchive" and "://" in str(args["src"]):
        raise ValueProblem(ADDRESS_WITHOUT_REMOTE_SRC, Written(None, task.place(key)), key)
    path = _file(task, "files", str(args["src"]), options)
    if path.is_dir():
        raise ValueProblem(
            f"{path} is a folder, which labctl does not copy: pack it, and use unarchive.",
            Written(None, task.place(key)),
            key,
        )
    try:
        ref: BlobRef = options.files.add(path)
    except OSError as error:
        raise ValueProblem(
            f"{path} cannot be read: {error.strerror}.", Written(None, task.place(key)), key
        ) from error
    name = {"_original_basename": path.name} if task.module == "copy" else {}
    return {**_preserved(args, path), "src": ref.to_json(), **name}


def _preserved(args: dict[str, Any], path: Path) -> dict[str, Any]:
    """``mode: preserve`` means that of the controller's file."""
    return {**args, "mode": f"{S_IMODE(path.stat().st_mode):04o}"} if args.get("mode") == "preserve" else args


def _file(task: Task, folder: str, src: str, options: Options) -> Path:
    place = (folder, src, task.role, options.directory, task.origin.file)
    path = find_file(*place)
    if path is None:
        looked_for = tried(candidates(*place))
        key = f"{task.module}.src"
        raise ValueProblem(
            f"there is no file '{src}' (looked for: {looked_for}).", Written(None, task.place(key)), key
        )
    if is_vault(path):
        key = f"{task.module}.src"
        problem = f"{path} is encrypted by ansible-vault. {NO_VAULTS}"
        raise ValueProblem(problem, Written(None, task.place(key)), key)
    return path


def _rendered(scope: Scope, value: Any, task: Task, key: str) -> Any:
    try:
        return scope.render(value)
    except TemplateFailed as error:
        raise ValueProblem(str(error), Written(None, task.place(key)), key) from error
