# SPDX-License-Identifier: Apache-2.0
"""Modules that the controller carries out itself: assert, debug, fail, set_fact, meta. Pure: they only look and answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.load.language import TemplateFailed
from orchestrator.model.playbook import Task, Written
from orchestrator.provision.scope import Scope, ValueProblem

Result = dict[str, Any]
Arguments = Callable[[Task, Scope], Mapping[str, Any]]


def carry_out(task: Task, scope: Scope, arguments: Arguments) -> Result:
    """Ansible's return values. Raises Pending, ValueProblem."""
    if task.module == "assert":
        return _assert(task, scope)
    if task.module == "debug":
        return _debug(task, scope, arguments)
    args = arguments(task, scope)
    if task.module == "fail":
        return _result(failed=True, msg=str(args.get("msg", "Failed as requested from task")))
    if task.module == "set_fact":
        return _result(ansible_facts={name: value for name, value in args.items() if name != "cacheable"})
    return _result()


def _result(**values: Any) -> Result:
    return {"changed": False, "failed": False, **values}


def _assert(task: Task, scope: Scope) -> Result:
    that = task.args["that"]
    where = task.place("assert.that")
    conditions = [Written(condition, where) for condition in (that if isinstance(that, list) else [that])]
    holds, unmet = scope.holds(conditions, "that")
    message = task.args.get("success_msg" if holds else "fail_msg")
    default = "All assertions passed" if holds else f"Assertion failed: {unmet}"
    said = default if message is None else _rendered(scope, message, default)
    if holds:
        return _result(msg=said)
    return _result(failed=True, msg=said, assertion=unmet, evaluated_to=False)


def _rendered(scope: Scope, message: Any, default: str) -> str:
    try:
        return str(scope.render(message))
    except TemplateFailed as error:
        return f"{default} (the message itself cannot be had: {error})"


def _debug(task: Task, scope: Scope, arguments: Arguments) -> Result:
    args = arguments(task, scope)
    if int(args.get("verbosity") or 0) > 0:
        return {"changed": False, "skipped": True, "skipped_reason": "Verbosity threshold not met."}
    if "var" not in task.args:
        return _result(msg=args.get("msg", "Hello world!"))
    name = str(task.args["var"])
    try:
        value = scope.evaluate(name)
    except TemplateFailed as error:
        if not error.undefined:
            raise ValueProblem(str(error), Written(None, task.place("debug.var")), "debug.var") from error
        value = "VARIABLE IS NOT DEFINED!"
    return _result(**{name: value})
