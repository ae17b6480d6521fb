# SPDX-License-Identifier: Apache-2.0
"""Ansible's filters, tests and lookups, as far as playbooks for runtimes use them; Jinja2's own are there besides.

Each behaves as its namesake in ansible-core; what a filter refuses is a FilterError with one sentence.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Undefined

from orchestrator.load.further_filters import FURTHER_FILTERS, FURTHER_TESTS, FilterError

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


def to_json(value: Any, **options: Any) -> str:
    return json.dumps(value, **options)


def to_nice_json(value: Any, indent: int = 4, sort_keys: bool = True, **options: Any) -> str:
    return json.dumps(value, indent=indent, sort_keys=sort_keys, separators=(",", ": "), **options)


def to_yaml(value: Any, **options: Any) -> str:
    return str(
        yaml.safe_dump(
            value, allow_unicode=True, default_flow_style=options.pop("default_flow_style", None), **options
        )
    )


def to_nice_yaml(value: Any, indent: int = 4, **options: Any) -> str:
    return str(yaml.safe_dump(value, indent=indent, allow_unicode=True, default_flow_style=False, **options))


def from_json(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError) as error:
        raise FilterError(f"from_json: not JSON: {error}.") from error


def from_yaml(value: Any) -> Any:
    try:
        return yaml.safe_load(value) if isinstance(value, str) else value
    except yaml.YAMLError as error:
        raise FilterError(f"from_yaml: not YAML: {str(error).splitlines()[0]}.") from error


def dict2items(value: Any, key_name: str = "key", value_name: str = "value") -> list[dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise FilterError(f"dict2items: {type(value).__name__} is not a mapping.")
    return [{key_name: key, value_name: content} for key, content in value.items()]


def items2dict(value: Any, key_name: str = "key", value_name: str = "value") -> dict[Any, Any]:
    try:
        return {entry[key_name]: entry[value_name] for entry in value}
    except (KeyError, TypeError) as error:
        raise FilterError(f"items2dict: every entry needs {key_name} and {value_name}.") from error


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


FILTERS: Mapping[str, Callable[..., Any]] = {
    **FURTHER_FILTERS,
    "b64decode": b64decode,
    "b64encode": lambda value, encoding="utf-8": base64.b64encode(str(value).encode(encoding)).decode(),
    "basename": lambda value: posixpath.basename(str(value)),
    "bool": to_bool,
    "dict2items": dict2items,
    "dirname": lambda value: posixpath.dirname(str(value)),
    "from_json": from_json,
    "from_yaml": from_yaml,
    "hash": hash_of,
    **dict.fromkeys(("checksum", "sha1"), hash_of),
    "md5": lambda value: hash_of(value, "md5"),
    "items2dict": items2dict,
    "mandatory": mandatory,
    "quote": lambda value: shlex.quote("" if value is None else str(value)),
    "regex_escape": lambda value: re.escape(str(value)),
    "regex_findall": regex_findall,
    "regex_replace": regex_replace,
    "regex_search": regex_search,
    "splitext": lambda value: posixpath.splitext(str(value)),
    "ternary": ternary,
    "to_json": to_json,
    "to_nice_json": to_nice_json,
    "to_nice_yaml": to_nice_yaml,
    "to_yaml": to_yaml,
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


def matches(value: Any, pattern: str, ignorecase: bool = False, multiline: bool = False) -> bool:
    return re.match(pattern, str(value), _flags(ignorecase, multiline)) is not None


def finds(
    value: Any, pattern: str, ignorecase: bool = False, multiline: bool = False, match_type: str = "search"
) -> bool:
    if match_type not in ("search", "match", "fullmatch"):
        raise FilterError(f"regex: match_type is search, match or fullmatch, not {match_type!r}.")
    compiled = re.compile(pattern, _flags(ignorecase, multiline))
    return getattr(compiled, match_type)(str(value)) is not None


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(("==", "=", "eq"), lambda a, b: bool(a == b)),
    **dict.fromkeys(("!=", "<>", "ne"), lambda a, b: bool(a != b)),
    **dict.fromkeys(("<", "lt"), lambda a, b: bool(a < b)),
    **dict.fromkeys(("<=", "le"), lambda a, b: bool(a <= b)),
    **dict.fromkeys((">", "gt"), lambda a, b: bool(a > b)),
    **dict.fromkeys((">=", "ge"), lambda a, b: bool(a >= b)),
}
_VERSION_PART = re.compile(r"(\d+|[a-z]+|\.)")


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
    **FURTHER_TESTS,
    **dict.fromkeys(("changed", "change"), is_changed),
    **dict.fromkeys(("failed", "failure"), is_failed),
    **dict.fromkeys(("skipped", "skip"), is_skipped),
    **dict.fromkeys(("succeeded", "success", "successful"), is_succeeded),
    **dict.fromkeys(("version", "version_compare"), version),
    "contains": lambda value, member: member in value,
    "match": matches,
    "regex": finds,
    "search": finds,
}


def lookup(environ: Mapping[str, str]) -> Callable[..., Any]:
    """``lookup('env', NAME)`` and ``lookup('file', PATH)``; PATH is absolute."""

    def look(kind: str, name: str, default: str = "", **options: Any) -> Any:
        kind = kind.removeprefix("ansible.builtin.")
        if kind == "env":
            return environ.get(name, default)
        if kind == "file" and posixpath.isabs(name):
            return _text_of(Path(name))
        raise FilterError(
            f"lookup('{kind}', {name!r}) is not supported: there are lookup('env', NAME) and lookup('file', '/PATH')."
        )

    return look


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise FilterError(f"lookup('file'): {path} cannot be read.") from error
