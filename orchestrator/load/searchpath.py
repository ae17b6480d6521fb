# SPDX-License-Identifier: Apache-2.0
"""Where a lookup looks for a file of the controller's: along ansible_search_path, as Ansible's own do."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.load.jinja import MISSING, Lookup


def folders(look: Lookup) -> list[str]:
    """The folders of the task: its role's, its file's, the playbook's."""
    found = look("ansible_search_path")
    return [] if found is MISSING else [str(folder) for folder in found]


def find(look: Lookup, kind: str | None, name: str) -> Path | None:
    """The first file or folder of that name. ``kind`` is a role's folder for it: ``files``, ``templates``, or none."""
    return next(
        (path for path in _candidates(look, kind, name) if os.path.lexists(path) and path.exists()), None
    )


def _candidates(look: Lookup, kind: str | None, name: str) -> list[Path]:
    if name.startswith(("/", "~")):
        return [Path(os.path.normpath(Path(os.path.expandvars(name)).expanduser()))]
    in_role = look("role_path") is not MISSING
    named = kind is None or name.split("/", maxsplit=1)[0] == kind
    found: list[Path] = []
    for folder in map(Path, folders(look)):
        if in_role and folder.parent.name == "tasks":
            found += [folder.parent.parent / kind / name] if kind else []
            found.append(folder.parent / name)
        found += [folder / name] if named or kind is None else [folder / kind / name, folder / name]
    return found
