# SPDX-License-Identifier: Apache-2.0
"""Numbers, sizes, times and versions."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Undefined

from orchestrator.load.filters.problem import FilterError

_UNITS = {"Y": 80, "Z": 70, "E": 60, "P": 50, "T": 40, "G": 30, "M": 20, "K": 10, "B": 0}
_SIZE = re.compile(r"^(\d*\.?\d+)\s*([A-Za-z]+)?$")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(("==", "=", "eq"), lambda a, b: bool(a == b)),
    **dict.fromkeys(("!=", "<>", "ne"), lambda a, b: bool(a != b)),
    **dict.fromkeys(("<", "lt"), lambda a, b: bool(a < b)),
    **dict.fromkeys(("<=", "le"), lambda a, b: bool(a <= b)),
    **dict.fromkeys((">", "gt"), lambda a, b: bool(a > b)),
    **dict.fromkeys((">=", "ge"), lambda a, b: bool(a >= b)),
}
_VERSION_PART = re.compile(r"(\d+|[a-z]+|\.)")


def human_readable(size: Any, isbits: bool = False, unit: str | None = None) -> str:
    for name, power in _UNITS.items():
        if (unit is None and size >= 1 << power) or (unit is not None and unit.upper() == name):
            break
    letter, word = ("b", "bits") if isbits else ("B", "Bytes")
    suffix = word if power == 0 else f"{name}{letter}"
    return f"{float(size) / (1 << power):.2f} {suffix}"


def human_to_bytes(size: Any, default_unit: str | None = None, isbits: bool = False) -> int:
    found = _SIZE.match(str(size).strip())
    if found is None:
        raise FilterError(f"human_to_bytes: {size!r} is no size.")
    unit = found[2] or default_unit or "B"
    if unit[0].upper() not in _UNITS or (len(unit) > 1 and unit[1:] not in ("b", "B", "its", "ytes")):
        raise FilterError(f"human_to_bytes: {unit!r} is no unit.")
    return round(float(found[1]) * (1 << _UNITS[unit[0].upper()]))


def root(value: float, base: float = 2) -> float:
    return math.sqrt(value) if base == 2 else math.pow(value, 1.0 / base)


def log(value: float, base: float = math.e) -> float:
    return math.log10(value) if base == 10 else math.log(value, base)


def strftime(pattern: str, second: Any = None, utc: bool = False) -> str:
    return time.strftime(
        pattern, (time.gmtime if utc else time.localtime)(None if second is None else float(second))
    )


FILTERS: Mapping[str, Callable[..., Any]] = {
    "human_readable": human_readable,
    "human_to_bytes": human_to_bytes,
    "log": log,
    "pow": math.pow,
    "root": root,
    "strftime": strftime,
    "to_datetime": lambda value, pattern="%Y-%m-%d %H:%M:%S": datetime.strptime(value, pattern),
}


def version(value: Any, other: Any, operator: str = "==") -> bool:
    """Loose versions, Ansible's default: digits as numbers, words as words, one after another."""
    if operator not in _COMPARE:
        raise FilterError(f"version: {operator!r} is no operator; there are {', '.join(_COMPARE)}.")
    if value is None or value == "" or isinstance(value, Undefined):
        raise FilterError("version: the version to compare is empty.")
    try:
        return _COMPARE[operator](_version(value), _version(other))
    except TypeError as error:
        raise FilterError(f"version: {value} and {other} cannot be compared.") from error


def _version(text: Any) -> list[int | str]:
    parts = [part for part in _VERSION_PART.split(str(text)) if part and part != "."]
    return [int(part) if part.isdigit() else part for part in parts]


TESTS: Mapping[str, Callable[..., bool]] = {
    **dict.fromkeys(("isnan", "nan"), math.isnan),
    **dict.fromkeys(("version", "version_compare"), version),
}
