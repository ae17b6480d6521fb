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


def as_bool(value: Any) -> bool:
    """The filter: what is no word for true is false, as in Ansible."""
    if isinstance(value, str | int):
        return str(value).lower() in _TRUE
    return bool(value == 1)


def mandatory(value: Any, msg: str | None = None) -> Any:
    if isinstance(value, Undefined):
        raise FilterError(msg or f"Mandatory variable {value._undefined_name!r} is not defined.")
    return value


def ternary(value: Any, true: Any, false: Any, none: Any = None) -> Any:
    if value is None and none is not None:
        return none
    return true if value else false


def type_debug(value: Any) -> str:
    return "UndefinedMarker" if isinstance(value, Undefined) else type(value).__name__


FILTERS: Mapping[str, Callable[..., Any]] = {
    "bool": as_bool,
    "mandatory": mandatory,
    "ternary": ternary,
    "type_debug": type_debug,
}


def _result(value: Any, test: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FilterError(f"The test '{test}' expects a registered result, not {type(value).__name__}.")
    return value


def _result_is_there(value: Any) -> bool:
    """Every task of labctl's has ended when it has a result."""
    return bool(_result(value, "finished").get("finished", True))


def is_changed(value: Any) -> bool:
    found = _result(value, "changed")
    entries = found.get("results")
    if "changed" not in found and isinstance(entries, list):
        return any(isinstance(entry, Mapping) and entry.get("changed") for entry in entries)
    return bool(found.get("changed", False))


def is_failed(value: Any) -> bool:
    return bool(_result(value, "failed").get("failed", False))


def is_skipped(value: Any) -> bool:
    return bool(_result(value, "skipped").get("skipped", False))


def is_succeeded(value: Any) -> bool:
    return not is_failed(value)


def is_unreachable(value: Any) -> bool:
    return bool(_result(value, "unreachable").get("unreachable", False))


def timed_out(value: Any) -> bool:
    found = _result(value, "timedout").get("timedout")
    return isinstance(found, Mapping) and bool(found.get("period"))


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
    **dict.fromkeys(("finished", "started"), _result_is_there),
    "reachable": lambda value: not is_unreachable(value),
    "timedout": timed_out,
    "truthy": truthy,
    "unreachable": is_unreachable,
    "vault_encrypted": lambda value: str(value).startswith("$ANSIBLE_VAULT"),
}
