# SPDX-License-Identifier: Apache-2.0
"""Lists, sets and mappings."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, pass_environment
from jinja2.filters import do_unique

from orchestrator.load.filters.problem import FilterError

_MERGES: Mapping[str, Callable[[list[Any], list[Any]], list[Any]]] = {
    "replace": lambda below, above: above,
    "keep": lambda below, above: below,
    "append": lambda below, above: below + above,
    "prepend": lambda below, above: above + below,
    "append_rp": lambda below, above: [entry for entry in below if entry not in above] + above,
    "prepend_rp": lambda below, above: above + [entry for entry in below if entry not in above],
}
"""What becomes of two lists under one key, by the name of ``list_merge``."""


def combine(*mappings: Any, recursive: bool = False, list_merge: str = "replace") -> Any:
    if list_merge not in _MERGES:
        raise FilterError(f"combine: list_merge is one of {', '.join(_MERGES)}, not {list_merge!r}.")
    parts = [part for mapping in mappings for part in (mapping if isinstance(mapping, list) else [mapping])]
    if len(parts) == 1:
        return parts[0]
    merged: dict[Any, Any] = {}
    for part in parts:
        if not isinstance(part, Mapping):
            raise FilterError(f"combine: {type(part).__name__} is not a mapping.")
        merged = _merged(merged, part, recursive, list_merge)
    return merged


def _merged(
    below: Mapping[Any, Any], above: Mapping[Any, Any], recursive: bool, list_merge: str
) -> dict[Any, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if recursive and isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(old, value, recursive, list_merge)
        elif isinstance(old, list) and isinstance(value, list):
            result[key] = _MERGES[list_merge](old, value)
        else:
            result[key] = value
    return result


def once(values: Iterable[Any]) -> list[Any]:
    """Each value once, in the order of its first place. (Ansible's order is that of a hash, and differs from run to run.)"""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def flatten(value: Sequence[Any], levels: int | None = None, skip_nulls: bool = True) -> list[Any]:
    flat: list[Any] = []
    for entry in value:
        if skip_nulls and entry in (None, "None", "null"):
            continue
        if isinstance(entry, list | tuple) and levels != 0:
            flat += flatten(entry, None if levels is None else levels - 1, skip_nulls)
        else:
            flat.append(entry)
    return flat


@pass_environment
def extract(environment: Environment, key: Any, container: Any, morekeys: Any = None) -> Any:
    """What is not there is undefined, so that `default` has an answer."""
    more = morekeys if isinstance(morekeys, list) else [] if morekeys is None else [morekeys]
    value = container
    for name in (key, *more):
        value = environment.getitem(value, name)
    return value


def subelements(value: Any, path: Any, skip_missing: bool = False) -> list[tuple[Any, Any]]:
    pairs: list[tuple[Any, Any]] = []
    for element in value.values() if isinstance(value, Mapping) else value:
        found: Any = element
        for name in path.split(".") if isinstance(path, str) else path:
            if name not in found and not skip_missing:
                raise FilterError(f"subelements: an entry has no {name!r}.")
            found = found.get(name, [])
        if not isinstance(found, list):
            raise FilterError(f"subelements: {path!r} is no list.")
        pairs += [(element, entry) for entry in found]
    return pairs


def dict2items(value: Any, key_name: str = "key", value_name: str = "value") -> list[dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise FilterError(f"dict2items: {type(value).__name__} is not a mapping.")
    return [{key_name: key, value_name: content} for key, content in value.items()]


def items2dict(value: Any, key_name: str = "key", value_name: str = "value") -> dict[Any, Any]:
    if not isinstance(value, list | tuple):
        raise FilterError(f"items2dict: {type(value).__name__} is no list.")
    try:
        return {entry[key_name]: entry[value_name] for entry in value}
    except (KeyError, TypeError) as error:
        raise FilterError(f"items2dict: every entry needs {key_name} and {value_name}.") from error


def rekey_on_member(value: Any, key: Any, duplicates: str = "error") -> dict[Any, Any]:
    if duplicates not in ("error", "overwrite"):
        raise FilterError(f"rekey_on_member: duplicates is error or overwrite, not {duplicates!r}.")
    entries: dict[Any, Any] = {}
    for entry in value.values() if isinstance(value, Mapping) else value:
        if not isinstance(entry, Mapping) or key not in entry:
            raise FilterError(f"rekey_on_member: every entry needs {key!r}.")
        if entries.get(entry[key]) and duplicates == "error":
            raise FilterError(f"rekey_on_member: {entry[key]!r} is there twice.")
        entries[entry[key]] = entry
    return entries


@pass_environment
def unique(
    environment: Environment, value: Any, case_sensitive: bool | None = None, attribute: str | None = None
) -> list[Any]:
    """Jinja2's; what has no hash is compared."""
    try:
        return list(do_unique(environment, value, bool(case_sensitive), attribute))
    except TypeError:
        if case_sensitive is False or attribute:
            raise
        return once(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "combinations": lambda value, size: list(itertools.combinations(value, size)),
    "combine": combine,
    "dict2items": dict2items,
    "difference": lambda value, other: once(entry for entry in value if entry not in other),
    "extract": extract,
    "flatten": flatten,
    "intersect": lambda value, other: once(entry for entry in value if entry in other),
    "items2dict": items2dict,
    "permutations": lambda value, size=None: list(itertools.permutations(value, size)),
    "product": lambda *values, repeat=1: list(itertools.product(*values, repeat=repeat)),
    "rekey_on_member": rekey_on_member,
    "subelements": subelements,
    "symmetric_difference": lambda value, other: once(
        entry for entry in (*value, *other) if (entry in value) != (entry in other)
    ),
    "unique": unique,
    "union": lambda value, other: once((*value, *other)),
    "zip": lambda *values, strict=False: list(zip(*values, strict=strict)),
    "zip_longest": lambda *values, fillvalue=None: list(itertools.zip_longest(*values, fillvalue=fillvalue)),
}


TESTS: Mapping[str, Callable[..., bool]] = {
    **dict.fromkeys(("subset", "issubset"), lambda value, other: set(value) <= set(other)),
    **dict.fromkeys(("superset", "issuperset"), lambda value, other: set(value) >= set(other)),
    "all": all,
    "any": any,
    "contains": lambda value, member: member in value,
}
