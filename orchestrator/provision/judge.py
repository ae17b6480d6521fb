# SPDX-License-Identifier: Apache-2.0
"""From a host's outcome to the task's result: changed_when, failed_when, ignore_errors, and a loop's results as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.load.language import Pending
from orchestrator.model.playbook import Task
from orchestrator.provision.compile import Unit, problem_of
from orchestrator.provision.scope import ValueProblem
from remote_agent.contract.steps import Outcome, Status

Result = dict[str, Any]


def result_of(outcome: Outcome) -> Result:
    """The registered result: the runner's return values, and what its status says."""
    result = dict(outcome.result)
    result.setdefault("changed", outcome.status is Status.CHANGED)
    result["failed"] = outcome.status is Status.FAILED
    if outcome.status is Status.SKIPPED:
        result["skipped"] = True
    if outcome.msg:
        result.setdefault("msg", outcome.msg)
    return result


def judged(task: Task, unit: Unit, result: Mapping[str, Any]) -> Result:
    """The result with changed and failed as the task's own conditions want them."""
    found = dict(result)
    if task.changed_when is None and task.failed_when is None:
        return found
    if found.get("skipped") and unit.step is None:
        return found
    scope = unit.scope.with_layer({**unit.item, **({task.register: found} if task.register else {})})
    try:
        if task.changed_when is not None:
            found["changed"] = scope.holds(task.changed_when, "changed_when")[0]
        if task.failed_when is not None:
            found["failed"] = found["failed_when_result"] = scope.holds(task.failed_when, "failed_when")[0]
    except ValueProblem as error:
        return {**found, **problem_of(task, str(error))}
    except Pending as pending:
        return {**found, **problem_of(task, f"'{pending.name}' is registered only later.")}
    return found


def status_of(result: Mapping[str, Any]) -> Status:
    if result.get("failed"):
        return Status.FAILED
    if result.get("skipped"):
        return Status.SKIPPED
    return Status.CHANGED if result.get("changed") else Status.OK


def aggregated(units: Sequence[Unit], results: Sequence[Mapping[str, Any]]) -> Result:
    """What Ansible registers for a loop: {results: [...]} and the items' changed, failed and skipped joined."""
    entries = [{**result, **unit.item} for unit, result in zip(units, results, strict=True)]
    joined: Result = {
        "results": entries,
        "changed": any(result.get("changed") for result in results),
        "skipped": all(result.get("skipped") for result in results),
        "msg": "All items completed",
    }
    if joined["skipped"]:
        joined["msg"] = "All items skipped" if results else "No items in the list"
    if any(result.get("failed") for result in results):
        joined |= {"failed": True, "msg": "One or more items failed"}
    return joined
