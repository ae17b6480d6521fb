# SPDX-License-Identifier: Apache-2.0
"""Lookups: what is on the controller."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.load.filters.problem import FilterError


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
