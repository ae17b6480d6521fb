# SPDX-License-Identifier: Apache-2.0
"""More of ansible-core's filters and tests: those over sequences, numbers, paths, dates and addresses.

What would look at the controller's files or its chance (fileglob, random, shuffle, password_hash, `is directory`) is left out.
"""

from __future__ import annotations

import itertools
import math
import posixpath
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from jinja2 import TemplateError

_UNITS = {"Y": 80, "Z": 70, "E": 60, "P": 50, "T": 40, "G": 30, "M": 20, "K": 10, "B": 0}
_SIZE = re.compile(r"^(\d*\.?\d+)\s*([A-Za-z]+)?$")
_ANSIBLE_UUIDS = uuid.UUID("361E6D51-FAEC-444A-9079-341386DA8E2E")
_COMMENTS = {
    "plain": ("", "# ", ""),
    "erlang": ("", "% ", ""),
    "c": ("", "// ", ""),
    "cblock": ("/*", " * ", " */"),
    "xml": ("<!--", " - ", "-->"),
}
_MERGES: Mapping[str, Callable[[list[Any], list[Any]], list[Any]]] = {
    "replace": lambda below, above: above,
    "keep": lambda below, above: below,
    "append": lambda below, above: below + above,
    "prepend": lambda below, above: above + below,
    "append_rp": lambda below, above: [entry for entry in below if entry not in above] + above,
    "prepend_rp": lambda below, above: above + [entry for entry in below if entry not in above],
}
"""What becomes of two lists under one key, by the name of ``list_merge``."""


class FilterError(TemplateError):
    """One sentence: why a filter, a test or a lookup has no answer."""


def combine(*mappings: Any, recursive: bool = False, list_merge: str = "replace") -> dict[Any, Any]:
    if list_merge not in _MERGES:
        raise FilterError(f"combine: list_merge is one of {', '.join(_MERGES)}, not {list_merge!r}.")
    merged: dict[Any, Any] = {}
    for mapping in mappings:
        for part in mapping if isinstance(mapping, list) else [mapping]:
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


def extract(key: Any, container: Any, morekeys: Any = None) -> Any:
    more = morekeys if isinstance(morekeys, list) else [] if morekeys is None else [morekeys]
    value = container
    for name in (key, *more):
        try:
            value = value[name]
        except (LookupError, TypeError) as error:
            raise FilterError(f"extract: there is no {name!r} in it.") from error
    return value


def subelements(value: Any, path: Any, skip_missing: bool = False) -> list[tuple[Any, Any]]:
    pairs: list[tuple[Any, Any]] = []
    for element in value.values() if isinstance(value, Mapping) else value:
        found: Any = element
        for name in path.split(".") if isinstance(path, str) else path:
            if name not in found and not skip_missing:
                raise FilterError(f"subelements: an entry has no {name!r}.")
            found = found.get(name, [])
        pairs += [(element, entry) for entry in found]
    return pairs


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


def path_join(parts: Any) -> str:
    return posixpath.join(parts) if isinstance(parts, str) else posixpath.join(*parts)


def split_url(value: str, query: str = "") -> Any:
    parts = urlsplit(value)
    names = ("fragment", "hostname", "netloc", "password", "path", "port", "query", "scheme", "username")
    found = {name: getattr(parts, name) for name in names}
    if query and query not in found:
        raise FilterError(f"urlsplit: there is no part {query!r}; there are {', '.join(found)}.")
    return found[query] if query else found


def strftime(pattern: str, second: Any = None, utc: bool = False) -> str:
    return time.strftime(
        pattern, (time.gmtime if utc else time.localtime)(None if second is None else float(second))
    )


def comment(text: str, style: str = "plain", **options: Any) -> str:
    if style not in _COMMENTS or options.keys() - {"decoration", "beginning", "end"}:
        raise FilterError(f"comment: styles are {', '.join(_COMMENTS)}; options decoration, beginning, end.")
    first, mark, last = _COMMENTS[style]
    first, mark, last = (
        str(options.get("beginning", first)),
        str(options.get("decoration", mark)),
        str(options.get("end", last)),
    )
    body = [f"{mark}{line}".rstrip() for line in text.split("\n")]
    around = [mark.rstrip()]
    return "\n".join([*([first] if first else []), *around, *body, *around, *([last] if last else [])])


FURTHER_FILTERS: Mapping[str, Callable[..., Any]] = {
    "combinations": lambda value, size: list(itertools.combinations(value, size)),
    "combine": combine,
    "comment": comment,
    "commonpath": posixpath.commonpath,
    "difference": lambda value, other: once(entry for entry in value if entry not in other),
    "extract": extract,
    "flatten": flatten,
    "human_readable": human_readable,
    "human_to_bytes": human_to_bytes,
    "intersect": lambda value, other: once(entry for entry in value if entry in other),
    "log": log,
    "normpath": posixpath.normpath,
    "path_join": path_join,
    "permutations": lambda value, size=None: list(itertools.permutations(value, size)),
    "pow": math.pow,
    "product": lambda *values, repeat=1: list(itertools.product(*values, repeat=repeat)),
    "relpath": posixpath.relpath,
    "root": root,
    "split": lambda value, *words: str(value).split(*words),
    "strftime": strftime,
    "subelements": subelements,
    "symmetric_difference": lambda value, other: once(
        entry for entry in (*value, *other) if (entry in value) != (entry in other)
    ),
    "to_datetime": lambda value, pattern="%Y-%m-%d %H:%M:%S": datetime.strptime(value, pattern),
    "to_uuid": lambda value, namespace=_ANSIBLE_UUIDS: str(uuid.uuid5(uuid.UUID(str(namespace)), str(value))),
    "type_debug": lambda value: type(value).__name__,
    "union": lambda value, other: once((*value, *other)),
    "urldecode": unquote_plus,
    "urlsplit": split_url,
    "zip": lambda *values: list(zip(*values, strict=False)),
    "zip_longest": lambda *values, fillvalue=None: list(itertools.zip_longest(*values, fillvalue=fillvalue)),
}


def truthy(value: Any, convert_bool: bool = False) -> bool:
    word = str(value).strip().lower()
    if convert_bool and word in ("no", "off", "0", "false", "f", "n", "0.0"):
        return False
    return bool(value)


FURTHER_TESTS: Mapping[str, Callable[..., bool]] = {
    **dict.fromkeys(("subset", "issubset"), lambda value, other: all(entry in other for entry in value)),
    **dict.fromkeys(("superset", "issuperset"), lambda value, other: all(entry in value for entry in other)),
    **dict.fromkeys(("abs", "is_abs"), posixpath.isabs),
    **dict.fromkeys(("isnan", "nan"), math.isnan),
    "all": all,
    "any": any,
    "falsy": lambda value, convert_bool=False: not truthy(value, convert_bool),
    "truthy": truthy,
}
