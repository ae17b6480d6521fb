# SPDX-License-Identifier: Apache-2.0
"""How values of a module's arguments travel: as ansible-core spells what templates and YAML have made of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Any

from orchestrator.load.parameters import HIGHEST_MODE, Param


def spelled(param: Param, value: Any) -> Any:
    """The value in the form in which the runner takes it. Raises ValueError with a sentence where JSON has no form for it."""
    if param.kind == "mode" and isinstance(value, int) and not isinstance(value, bool):
        return f"{value:04o}" if 0 <= value <= HIGHEST_MODE else value
    if param.kind == "any":
        return value
    if param.kind == "content":
        return _content(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if param.kind in ("str", "list", "map", "regex", "url", "checksum"):
        return _texts(value)
    return _in_json(value)


def _content(value: Any) -> Any:
    """Of copy: a structure becomes JSON on the host, all else is Python's text."""
    if value is None or isinstance(value, dict | list | str):
        return _in_json(value)
    return str(value)


def _texts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _texts(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_texts(entry) for entry in value]
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, bool) else _in_json(value)


def _in_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_in_json(name): _in_json(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_in_json(entry) for entry in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"has a value of type {type(value).__name__}, which JSON has no form for.")
