# SPDX-License-Identifier: Apache-2.0
"""True and false: of values, of variables, and of what became of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Undefined

from orchestrator.load.filters.problem import FilterError

_TRUE = frozenset(("yes", "on", "1", "true"))
_FALSE = frozenset(("no", "off", "0", "false"))


def to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise FilterError(f"{value!r} is neither true nor false.")


def mandatory(value: Any, msg: str | None = None) -> Any:
    if isinstance(value, Undefined):
        raise FilterError(msg or f"Mandatory variable {value._undefined_name!r} is not defined.")
    return value


def ternary(value: Any, true: Any, false: Any, none: Any = None) -> Any:
    if value is None and none is not None:
        return none
    return true if value else false


FILTERS: Mapping[str, Callable[..., Any]] = {
    "bool": to_bool,
    "mandatory": mandatory,
    "ternary": ternary,
    "type_debug": lambda value: type(value).__name__,
}


def _result(value: Any, test: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FilterError(f"The test '{test}' expects a registered result, not {type(value).__name__}.")
    return value


def is_changed(value: Any) -> bool:
    return bool(_result(value, "changed").get("changed", False))


def is_failed(value: Any) -> bool:
    return bool(_result(value, "failed").get("failed", False))


def is_skipped(value: Any) -> bool:
    return bool(_result(value, "skipped").get("skipped", False))


def is_succeeded(value: Any) -> bool:
    return not is_failed(value)


def truthy(value: Any, convert_bool: bool = False) -> bool:
    word = str(value).strip().lower()
    if convert_bool and word in ("no", "off", "0", "false", "f", "n", "0.0"):
        return False
    return bool(value)


TESTS: Mapping[str, Callable[..., bool]] = {
    **dict.fromkeys(("changed", "change"), is_changed),
    **dict.fromkeys(("failed", "failure"), is_failed),
    **dict.fromkeys(("skipped", "skip"), is_skipped),
    **dict.fromkeys(("succeeded", "success", "successful"), is_succeeded),
    "falsy": lambda value, convert_bool=False: not truthy(value, convert_bool),
    "truthy": truthy,
}
