# SPDX-License-Identifier: Apache-2.0
"""JSON and YAML, to and from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from orchestrator.load.filters.problem import FilterError


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


FILTERS: Mapping[str, Callable[..., Any]] = {
    "from_json": from_json,
    "from_yaml": from_yaml,
    "to_json": to_json,
    "to_nice_json": to_nice_json,
    "to_nice_yaml": to_nice_yaml,
    "to_yaml": to_yaml,
}
