# SPDX-License-Identifier: Apache-2.0
"""Where Ansible looks for the file that a task names: in its role, then beside the playbook."""

from __future__ import annotations

from pathlib import Path

from orchestrator.load.paths import exists
from orchestrator.model.playbook import Role


def candidates(kind: str, name: str, role: Role | None, directory: Path) -> tuple[Path, ...]:
    """Paths for ``name`` in order; ``kind`` is the folder's name, ``files`` or ``templates``; ``directory`` the playbook's."""
    given = Path(name).expanduser()
    if given.is_absolute():
        return (given,)
    tops = ([role.path] if role else []) + [directory]
    return tuple(path for top in tops for path in (top / kind / given, top / given))


def find_file(kind: str, name: str, role: Role | None, directory: Path) -> Path | None:
    """The first that exists."""
    return next((path for path in candidates(kind, name, role, directory) if exists(path)), None)
