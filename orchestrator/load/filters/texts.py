# SPDX-License-Identifier: Apache-2.0
"""Texts: patterns, quoting, comments, digests."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.load.filters.problem import FilterError

_ANSIBLE_UUIDS = uuid.UUID("361E6D51-FAEC-444A-9079-341386DA8E2E")
_COMMENTS = {
    "plain": ("", "# ", ""),
    "erlang": ("", "% ", ""),
    "c": ("", "// ", ""),
    "cblock": ("/*", " * ", " */"),
    "xml": ("<!--", " - ", "-->"),
}


def _flags(ignorecase: bool, multiline: bool) -> int:
    return (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)


def regex_replace(
    value: Any,
    pattern: str,
    replacement: str = "",
    ignorecase: bool = False,
    multiline: bool = False,
    count: int = 0,
) -> str:
    return re.sub(pattern, replacement, str(value), count=count, flags=_flags(ignorecase, multiline))


def regex_search(
    value: Any, pattern: str, *groups: str, ignorecase: bool = False, multiline: bool = False
) -> Any:
    found = re.search(pattern, str(value), _flags(ignorecase, multiline))
    if found is None or not groups:
        return found.group() if found else None
    return [found.group(_group(name)) for name in groups]


def _group(name: str) -> int | str:
    if match := re.fullmatch(r"\\g<(\S+)>", name):
        return match[1]
    if match := re.fullmatch(r"\\(\d+)", name):
        return int(match[1])
    raise FilterError(f"regex_search: {name!r} names no group; write '\\\\1' or '\\\\g<NAME>'.")


def regex_findall(value: Any, pattern: str, ignorecase: bool = False, multiline: bool = False) -> list[Any]:
    return re.findall(pattern, str(value), _flags(ignorecase, multiline))


def hash_of(value: Any, hashtype: str = "sha1") -> str:
    try:
        return hashlib.new(hashtype, str(value).encode()).hexdigest()
    except ValueError as error:
        raise FilterError(f"hash: there is no {hashtype!r} here.") from error


def b64decode(value: Any, encoding: str = "utf-8") -> str:
    try:
        return base64.b64decode(str(value)).decode(encoding)
    except ValueError as error:
        raise FilterError(f"b64decode: {error}.") from error


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


FILTERS: Mapping[str, Callable[..., Any]] = {
    "b64decode": b64decode,
    "b64encode": lambda value, encoding="utf-8": base64.b64encode(str(value).encode(encoding)).decode(),
    "comment": comment,
    "hash": hash_of,
    **dict.fromkeys(("checksum", "sha1"), hash_of),
    "md5": lambda value: hash_of(value, "md5"),
    "quote": lambda value: shlex.quote("" if value is None else str(value)),
    "regex_escape": lambda value: re.escape(str(value)),
    "regex_findall": regex_findall,
    "regex_replace": regex_replace,
    "regex_search": regex_search,
    "split": lambda value, *words: str(value).split(*words),
    "to_uuid": lambda value, namespace=_ANSIBLE_UUIDS: str(uuid.uuid5(uuid.UUID(str(namespace)), str(value))),
}


def matches(value: Any, pattern: str, ignorecase: bool = False, multiline: bool = False) -> bool:
    return re.match(pattern, str(value), _flags(ignorecase, multiline)) is not None


def finds(
    value: Any, pattern: str, ignorecase: bool = False, multiline: bool = False, match_type: str = "search"
) -> bool:
    if match_type not in ("search", "match", "fullmatch"):
        raise FilterError(f"regex: match_type is search, match or fullmatch, not {match_type!r}.")
    compiled = re.compile(pattern, _flags(ignorecase, multiline))
    return getattr(compiled, match_type)(str(value)) is not None


TESTS: Mapping[str, Callable[..., bool]] = {
    "match": matches,
    "regex": finds,
    "search": finds,
}
