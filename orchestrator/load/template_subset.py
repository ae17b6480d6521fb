# SPDX-License-Identifier: Apache-2.0
"""What can be seen of a template before it has a value: filters, tests and functions that are not there, arguments that do not fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from orchestrator.load import outside

_BOUND = frozenset(("caller", "loop", "self", "super"))
"""Names that Jinja2 itself gives a function to."""
_FUNCTIONS: Mapping[str, str] = {
    "now": "take ansible_date_time from the host's facts, or register a command: date",
    "undef": "use the module assert, or fail",
}


def check_subset(environment: Environment, tree: nodes.Template) -> None:
    """Raises TemplateSyntaxError with the line of the first thing that cannot work."""
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        _check_use(environment, node)
    known = _BOUND | environment.globals.keys() | _assigned(tree)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name not in known:
            hint = _FUNCTIONS.get(call.node.name)
            message = f"there is no function {call.node.name!r}{f': {hint}' if hint else ''}"
            raise TemplateSyntaxError(message, call.lineno)


def unknown_name(kind: str, name: str, known: Collection[str]) -> str:
    """The sentence for a filter or test that does not exist; ``kind`` is the one or the other word."""
    hint = (outside.FILTERS if kind == "filter" else outside.TESTS).get(name.rpartition(".")[2])
    typo = None if hint else outside.misspelt(name, known)
    more = (
        f": {hint[:1].lower()}{hint[1:].rstrip('.')}"
        if hint
        else f" (did you mean {typo!r}?)"
        if typo
        else ""
    )
    return f"there is no {kind} {name!r}{more}"


def _check_use(environment: Environment, node: Any) -> None:
    """``node`` is a Filter or a Test."""
    kind = "filter" if isinstance(node, nodes.Filter) else "test"
    table: Mapping[str, Any] = environment.filters if kind == "filter" else environment.tests
    if node.name not in table:
        raise TemplateSyntaxError(unknown_name(kind, node.name, table), node.lineno)
    if node.dyn_args is None and node.dyn_kwargs is None:
        names = [keyword.key for keyword in node.kwargs]
        if problem := _misfit(table[node.name], len(node.args), names):
            raise TemplateSyntaxError(f"{kind} {node.name!r}: {problem}", node.lineno)


def _misfit(function: Callable[..., Any], count: int, names: Iterable[str]) -> str | None:
    """Why a function cannot take a value, ``count`` further arguments and those ``names``; None where it can."""
    try:
        own = inspect.unwrap(function)  # Jinja2 wraps what has an asynchronous variant
        signature = inspect.signature(own)
    except (TypeError, ValueError):
        return None
    around = 1 if hasattr(own, "jinja_pass_arg") else 0
    try:
        signature.bind(*[None] * (around + 1 + count), **dict.fromkeys(names))
    except TypeError as error:
        return str(error)
    return None


def _assigned(tree: nodes.Template) -> set[str]:
    """Names that the template itself gives a value."""
    stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    return stored | {macro.name for macro in tree.find_all(nodes.Macro)}
