# SPDX-License-Identifier: Apache-2.0
"""Paths and URLs: as texts, since they are those of hosts; a few look at the controller's files, as Ansible's do."""

from __future__ import annotations

import glob
import ntpath
import os
import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from orchestrator.load.filters.problem import FilterError


def files_like(pattern: str) -> list[str]:
    """The files that the pattern means, in the order of the folder, as Ansible has them."""
    return [path for path in glob.glob(pattern) if Path(path).is_file()]  # noqa: PTH207 (a text stays one)


def commonpath(paths: Any) -> str:
    if not isinstance(paths, list | tuple):
        raise FilterError(f"commonpath: {type(paths).__name__} is no list of paths.")
    return posixpath.commonpath(paths)


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
    "basename": posixpath.basename,
    "commonpath": commonpath,
    "dirname": posixpath.dirname,
    "expanduser": os.path.expanduser,
    "expandvars": os.path.expandvars,
    "fileglob": files_like,
    "normpath": posixpath.normpath,
    "path_join": path_join,
    "realpath": os.path.realpath,
    "relpath": posixpath.relpath,
    "splitext": lambda value: posixpath.splitext(str(value)),
    "urldecode": unquote_plus,
    "urlsplit": split_url,
    "win_basename": ntpath.basename,
    "win_dirname": ntpath.dirname,
    "win_splitdrive": ntpath.splitdrive,
}


def is_uri(value: Any, schemes: Any = None) -> bool:
    try:
        scheme = urlsplit(value).scheme
    except (ValueError, AttributeError, TypeError):
        return False
    return not schemes or scheme in schemes


def is_url(value: Any, schemes: Any = None) -> bool:
    parts = urlsplit(value) if is_uri(value, schemes) else None
    return bool(parts and (parts.netloc or parts.scheme == "file"))


TESTS: Mapping[str, Callable[..., bool]] = {
    **dict.fromkeys(("abs", "is_abs"), posixpath.isabs),
    **dict.fromkeys(("directory", "is_dir"), os.path.isdir),
    "exists": os.path.exists,
    **dict.fromkeys(("file", "is_file"), os.path.isfile),
    **dict.fromkeys(("link", "is_link"), os.path.islink),
    "link_exists": os.path.lexists,
    **dict.fromkeys(("mount", "is_mount"), os.path.ismount),
    **dict.fromkeys(("same_file", "is_same_file"), os.path.samefile),
    "uri": is_uri,
    "url": is_url,
    "urn": lambda value: is_uri(value, ["urn"]),
}
