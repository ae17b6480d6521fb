# SPDX-License-Identifier: Apache-2.0
"""Paths and URLs: as texts, since they are those of hosts."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from orchestrator.load.filters.problem import FilterError


def path_join(parts: Any) -> str:
    return posixpath.join(parts) if isinstance(parts, str) else posixpath.join(*parts)


def split_url(value: str, query: str = "") -> Any:
    parts = urlsplit(value)
    names = ("fragment", "hostname", "netloc", "password", "path", "port", "query", "scheme", "username")
    found = {name: getattr(parts, name) for name in names}
    if query and query not in found:
        raise FilterError(f"urlsplit: there is no part {query!r}; there are {', '.join(found)}.")
    return found[query] if query else found


FILTERS: Mapping[str, Callable[..., Any]] = {
    "basename": lambda value: posixpath.basename(str(value)),
    "commonpath": posixpath.commonpath,
    "dirname": lambda value: posixpath.dirname(str(value)),
    "normpath": posixpath.normpath,
    "path_join": path_join,
    "relpath": posixpath.relpath,
    "splitext": lambda value: posixpath.splitext(str(value)),
    "urldecode": unquote_plus,
    "urlsplit": split_url,
}


TESTS: Mapping[str, Callable[..., bool]] = {
    **dict.fromkeys(("abs", "is_abs"), posixpath.isabs),
}
