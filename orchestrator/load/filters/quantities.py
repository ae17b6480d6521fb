# SPDX-License-Identifier: Apache-2.0
"""Numbers, sizes, times and versions."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from orchestrator.load.filters.problem import FilterError

_UNITS = {"Y": 80, "Z": 70, "E": 60, "P": 50, "T": 40, "G": 30, "M": 20, "K": 10, "B": 0}
_PREFIXES = {
    **{"K": "kilo", "M": "mega", "G": "giga", "T": "tera", "P": "peta", "E": "exa", "Z": "zeta"},
    "Y": "yotta",
}
_SIZE = re.compile(r"^([0-9]*\.?[0-9]+)(?:\s*([A-Za-z]+))?\s*$")
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
    found = _SIZE.match(str(size))
    if found is None:
        raise FilterError(f"human_to_bytes: {size!r} is no size.")
    unit = found[2] or default_unit or "B"
    letter = unit[0].upper()
    if letter not in _UNITS or (len(unit) > 1 and not _is_unit(unit, letter, isbits)):
        raise FilterError(f"human_to_bytes: {unit!r} is no unit.")
    return round(float(found[1]) * (1 << _UNITS[letter]))


def _is_unit(unit: str, letter: str, isbits: bool) -> bool:
    """MB and megabyte, or Mb and megabit: a capital B is a byte."""
    word = f"{_PREFIXES.get(letter, '')}{'bit' if isbits else 'byte'}"
    return unit == f"{letter}{'b' if isbits else 'B'}" or unit.lower() == word


def root(value: float, base: float = 2) -> float:
    return math.sqrt(value) if base == 2 else math.pow(value, 1.0 / base)


def log(value: float, base: float = math.e) -> float:
    return math.log10(value) if base == 10 else math.log(value, base)


def strftime(pattern: str, second: Any = None, utc: bool = False) -> str:
    return time.strftime(
        pattern, (time.gmtime if utc else time.localtime)(None if second is None else float(second))
    )


def pick(end: Any, start: Any = None, step: Any = None, seed: Any = None) -> Any:
    chance: random.Random = random.SystemRandom() if seed is None else random.Random(seed)
    if isinstance(end, int):
        return chance.randrange(start or 0, end, step or 1)
    if start or step:
        raise FilterError("random: start and step are for a number.")
    return chance.choice(end)


def shuffled(values: Any, seed: Any = None) -> list[Any]:
    entries = list(values)
    (random.Random(seed) if seed else random.SystemRandom()).shuffle(entries)
    return entries


FILTERS: Mapping[str, Callable[..., Any]] = {
    "human_readable": human_readable,
    "human_to_bytes": human_to_bytes,
    "log": log,
    "pow": math.pow,
    "random": pick,
    "root": root,
    "shuffle": shuffled,
    "strftime": strftime,
    "to_datetime": lambda value, pattern="%Y-%m-%d %H:%M:%S": datetime.strptime(value, pattern),
}


def version(
    value: Any, other: Any, operator: str = "==", strict: bool | None = None, version_type: str | None = None
) -> bool:
    """Loose versions, Ansible's default: digits as numbers, words as words, one after another."""
    if operator not in _COMPARE:
        raise FilterError(f"version: {operator!r} is no operator; there are {', '.join(_COMPARE)}.")
    if strict is not None and version_type is not None:
        raise FilterError("version: strict and version_type exclude each other.")
    kind = "strict" if strict else version_type or "loose"
    if kind not in _VERSIONS:
        raise FilterError(f"version: version_type is one of {', '.join(_VERSIONS)}, not {kind!r}.")
    if not value or not other:
        raise FilterError("version: the version to compare is empty.")
    try:
        return _COMPARE[operator](_VERSIONS[kind](str(value)), _VERSIONS[kind](str(other)))
    except TypeError as error:
        raise FilterError(f"version: {value} and {other} cannot be compared.") from error


def _loose(text: str) -> list[int | str]:
    parts = [part for part in _VERSION_PART.split(text) if part and part != "."]
    return [int(part) if part.isdigit() else part for part in parts]


def _strict(text: str) -> Any:
    """1.2, 1.2.3, 1.2b1: one with letters comes before the one without."""
    found = re.fullmatch(r"(\d+)\.(\d+)(?:\.(\d+))?(?:([ab])(\d+))?", text)
    if found is None:
        raise FilterError(f"version: {text!r} is no strict version (1.2, 1.2.3, 1.2b1).")
    letter, number = (found[4], int(found[5])) if found[4] else ("z", 0)
    return int(found[1]), int(found[2]), int(found[3] or 0), letter, number


def _semantic(text: str) -> Any:
    """https://semver.org: what follows + does not count, numbers come before words, the release after what leads to it."""
    number = r"0|[1-9]\d*"
    found = re.fullmatch(
        rf"({number})\.({number})\.({number})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", text
    )
    if found is None:
        raise FilterError(f"version: {text!r} is no semantic version (1.2.3, 1.2.3-rc.1).")
    words = found[4].split(".") if found[4] else []
    before = [(0, int(word), "") if word.isdigit() else (1, 0, word) for word in words]
    return int(found[1]), int(found[2]), int(found[3]), not before, before


_VERSIONS: Mapping[str, Callable[[str], Any]] = {
    "loose": _loose,
    "strict": _strict,
    **dict.fromkeys(("semver", "semantic"), _semantic),
}


def _is_nan(value: Any) -> bool:
    return isinstance(value, int | float) and math.isnan(value)


TESTS: Mapping[str, Callable[..., bool]] = {
    **dict.fromkeys(("isnan", "nan"), _is_nan),
    **dict.fromkeys(("version", "version_compare"), version),
}
