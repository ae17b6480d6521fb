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
    mandatory_count: int = 0,
) -> str:
    compiled = re.compile(pattern, _flags(ignorecase, multiline))
    text, number = compiled.subn(replacement, str(value), count=count)
    if mandatory_count and mandatory_count != number:
        raise FilterError(f"regex_replace: {pattern!r} is there {number} times, not {mandatory_count}.")
    return text


def regex_search(
    value: Any, pattern: str, *groups: str, ignorecase: bool = False, multiline: bool = False, **_: Any
) -> Any:
    names = [_group(name) for name in groups]
    found = re.search(pattern, str(value), _flags(ignorecase, multiline))
    if found is None or not groups:
        return found.group() if found else None
    return [found.group(name) for name in names]


def _group(name: str) -> int | str:
    if match := re.fullmatch(r"\\g<(\S+)>", name):
        return match[1]
    if match := re.fullmatch(r"\\(\d+)", name):
        return int(match[1])
    raise FilterError(f"regex_search: {name!r} names no group; write '\\\\1' or '\\\\g<NAME>'.")


def regex_findall(value: Any, pattern: str, multiline: bool = False, ignorecase: bool = False) -> list[Any]:
    return re.findall(pattern, str(value), _flags(ignorecase, multiline))


def hash_of(value: Any, hashtype: str = "sha1") -> str:
    try:
        return hashlib.new(hashtype, str(value).encode()).hexdigest()
    except ValueError as error:
        raise FilterError(f"hash: there is no {hashtype!r} here.") from error


def regex_escape(value: Any, re_type: str = "python") -> str:
    if re_type == "posix_basic":
        return re.sub(r"([].[^$*\\])", r"\\\1", str(value))
    if re_type != "python":
        raise FilterError(f"regex_escape: re_type is python or posix_basic, not {re_type!r}.")
    return re.escape(str(value))


def b64encode(value: Any, encoding: str = "utf-8", urlsafe: bool = False) -> str:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    return encode(str(value).encode(encoding)).decode()


def b64decode(value: Any, encoding: str = "utf-8", urlsafe: bool = False) -> str:
    try:
        return (base64.urlsafe_b64decode if urlsafe else base64.b64decode)(str(value)).decode(encoding)
    except ValueError as error:
        raise FilterError(f"b64decode: {error}.") from error


def comment(text: str, style: str = "plain", **options: Any) -> str:
    known = {
        "decoration",
        "beginning",
        "end",
        "prefix",
        "prefix_count",
        "postfix",
        "postfix_count",
        "newline",
    }
    if style not in _COMMENTS or options.keys() - known:
        raise FilterError(f"comment: styles are {', '.join(_COMMENTS)}; options {', '.join(sorted(known))}.")
    first, mark, last = _COMMENTS[style]
    mark = options.get("decoration", mark)
    line = options.get("newline", "\n")
    before = options.get("prefix", mark.rstrip())
    after = options.get("postfix", mark.rstrip())
    first, last = options.get("beginning", first), options.get("end", last)
    body = f"{mark}{text.replace(line, f'{line}{mark}')}".replace(f"{mark}{line}", f"{mark.rstrip()}{line}")
    return "".join(
        (
            f"{first}{line}" if first else "",
            (line if before == line else f"{before}{line}") * int(options.get("prefix_count", 1))
            if before
            else "",
            body,
            f"{line}{after}" * int(options.get("postfix_count", 1)),
            f"{line}{last}" if last else "",
        )
    )


def _split(value: Any, *words: Any) -> list[str]:
    if not isinstance(value, str):
        raise FilterError(f"split: {type(value).__name__} is no text.")
    return value.split(*words)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "b64decode": b64decode,
    "b64encode": b64encode,
    "comment": comment,
    "hash": hash_of,
    **dict.fromkeys(("checksum", "sha1"), hash_of),
    "md5": lambda value: hash_of(value, "md5"),
    "quote": lambda value: shlex.quote("" if value is None else str(value)),
    "regex_escape": regex_escape,
    "regex_findall": regex_findall,
    "regex_replace": regex_replace,
    "regex_search": regex_search,
    "split": _split,
    "to_uuid": lambda value, namespace=_ANSIBLE_UUIDS: str(uuid.uuid5(uuid.UUID(str(namespace)), str(value))),
}


def matches(value: Any, pattern: str = "", ignorecase: bool = False, multiline: bool = False) -> bool:
    return finds(value, pattern, ignorecase, multiline, "match")


def searches(value: Any, pattern: str = "", ignorecase: bool = False, multiline: bool = False) -> bool:
    return finds(value, pattern, ignorecase, multiline, "search")


def finds(
    value: Any,
    pattern: str = "",
    ignorecase: bool = False,
    multiline: bool = False,
    match_type: str = "search",
) -> bool:
    if match_type not in ("search", "match", "fullmatch"):
        raise FilterError(f"regex: match_type is search, match or fullmatch, not {match_type!r}.")
    compiled = re.compile(pattern, _flags(ignorecase, multiline))
    return getattr(compiled, match_type)(str(value)) is not None


TESTS: Mapping[str, Callable[..., bool]] = {
    "match": matches,
    "regex": finds,
    "search": searches,
}
