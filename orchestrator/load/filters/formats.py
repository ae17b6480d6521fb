# SPDX-License-Identifier: Apache-2.0
"""JSON and YAML, to and from."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import date, time
from typing import Any

import yaml
from jinja2 import Undefined

from orchestrator.load.filters.problem import FilterError

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Also what is like a mapping or a list."""


def _undefined(dumper: Any, value: Any) -> Any:
    str(value)  # says what is missing


_Dumper.add_multi_representer(Undefined, _undefined)
_Dumper.add_multi_representer(Mapping, _Dumper.represent_dict)
_Dumper.add_multi_representer(Collection, _Dumper.represent_list)


def json_default(value: Any) -> Any:
    """What JSON has no type for. Raises UndefinedError, TypeError."""
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | range):
        return list(value)
    raise TypeError(f"a value of type {type(value).__name__} has no form in JSON")


def _with_text_keys(value: Any) -> Any:
    """As Ansible's encoder: a key is its text where JSON has no such key, so that keys of several types can be sorted."""
    if isinstance(value, Mapping):
        return {_key(key): _with_text_keys(content) for key, content in value.items()}
    return [_with_text_keys(entry) for entry in value] if isinstance(value, list | tuple) else value


def _key(key: Any) -> str:
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(key)
    if not isinstance(key, str):
        raise FilterError(f"a key of type {type(key).__name__} has no form in JSON.")
    return key


def to_json(value: Any, **options: Any) -> str:
    return json.dumps(_with_text_keys(value), default=json_default, **options)


def to_nice_json(value: Any, indent: int = 4, sort_keys: bool = True, **options: Any) -> str:
    options["separators"] = (",", ": ")
    return to_json(value, indent=indent, sort_keys=sort_keys, **options)


def to_yaml(value: Any, *_: Any, default_flow_style: bool | None = None, **options: Any) -> str:
    return str(
        yaml.dump(value, Dumper=_Dumper, allow_unicode=True, default_flow_style=default_flow_style, **options)
    )


def to_nice_yaml(
    value: Any, indent: int = 4, *_: Any, default_flow_style: bool = False, **options: Any
) -> str:
    return to_yaml(value, indent=indent, default_flow_style=default_flow_style, **options)


def from_json(value: Any, **options: Any) -> Any:
    try:
        return json.loads(value, **options)
    except (TypeError, ValueError) as error:
        raise FilterError(f"from_json: not JSON: {error}.") from error


def from_yaml(value: Any) -> Any:
    try:
        return yaml.load(value, Loader=_LOADER) if isinstance(value, str) else value
    except yaml.YAMLError as error:
        raise FilterError(f"from_yaml: not YAML: {str(error).splitlines()[0]}.") from error


def from_yaml_all(value: Any) -> Any:
    try:
        documents = yaml.load_all(value, Loader=_LOADER) if isinstance(value, str) else value
        return [] if documents is None else list(documents)
    except yaml.YAMLError as error:
        raise FilterError(f"from_yaml_all: not YAML: {str(error).splitlines()[0]}.") from error


FILTERS: Mapping[str, Callable[..., Any]] = {
    "from_json": from_json,
    "from_yaml": from_yaml,
    "from_yaml_all": from_yaml_all,
    "to_json": to_json,
    "to_nice_json": to_nice_json,
    "to_nice_yaml": to_nice_yaml,
    "to_yaml": to_yaml,
}
