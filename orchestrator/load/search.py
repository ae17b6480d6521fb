# SPDX-License-Identifier: Apache-2.0
"""Where ansible-core looks for a file that a task, a play or an import names. Tests hold it to ansible-core.

Paths are candidates in order, the first that exists is meant. ``directory`` is the playbook's folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.load.paths import exists, is_dir, is_file
from orchestrator.model.playbook import Role

_ROLE_FILES = tuple(
    f"{folder}/{name}" for folder in ("tasks", "meta") for name in ("main.yml", "main.yaml", "main")
)


def candidates(
    kind: str, name: str, role: Role | None, directory: Path, task_file: Path | None = None
) -> tuple[Path, ...]:
    """Paths for a file of a task: in its role, beside the file that the task stands in, beside the playbook.

    ``kind`` is the subfolder that is tried first: ``files``, ``templates`` or ``vars``.
    """
    if whole := _whole(name):
        return (whole,)
    tops = [*([role.path] if role else []), *([task_file.parent] if task_file else []), directory]
    own = [] if Path(name).parts[:1] == (kind,) else [kind]
    return _unique(top / Path(*folder, name) for top in tops for folder in ([own, []] if own else [[]]))


def find_file(
    kind: str, name: str, role: Role | None, directory: Path, task_file: Path | None = None
) -> Path | None:
    """The first of `candidates` that exists."""
    return next((path for path in candidates(kind, name, role, directory, task_file) if exists(path)), None)


@dataclass(frozen=True, slots=True)
class TaskImports:
    """The imports around a file of tasks: the folder of each as written, the innermost last (``sub`` of ``sub/a.yml``)."""

    folders: tuple[Path, ...] = ()

    def below(self, name: str) -> TaskImports:
        """Those around the tasks of the file ``name``."""
        return TaskImports((*self.folders, Path(name).parent))

    def candidates(self, name: str, role: Role | None, directory: Path, handlers: bool) -> tuple[Path, ...]:
        """Paths for the file of an ``import_tasks``: beside the file that imports, then beside each that imports that one."""
        kind = "handlers" if handlers else "tasks"
        if whole := _whole(name):
            return (whole,)
        paths: list[Path] = []
        for folder in self._cumulative():
            if role:
                paths += _relative(role.path / kind / folder, kind, name, directory)
            else:
                paths += _relative(directory, "" if folder == Path() else str(folder), name, directory)
        paths += _relative(role.path, kind, name, directory) if role else [directory / name]
        return _unique(paths)

    def find(self, name: str, role: Role | None, directory: Path, handlers: bool) -> Path | None:
        """The first of `candidates` that is a file."""
        return next(
            (path for path in self.candidates(name, role, directory, handlers) if is_file(path)), None
        )

    def _cumulative(self) -> Iterator[Path]:
        """``b``, then ``a/b`` for a file of the folder ``b`` that was imported by one of the folder ``a``."""
        joined = Path()
        for folder in reversed(self.folders):
            joined = folder / joined
            yield joined


def _relative(top: Path, kind: str, name: str, directory: Path) -> list[Path]:
    """ansible-core's path_dwim_relative, without what it looks for in the working directory of the call."""
    paths = [top / kind / name]
    if not name.endswith(kind) and _looks_like_a_role(top):
        paths.append(top / "tasks" / name)
    return [*paths, top / name, directory / kind / name, directory / name]


def _looks_like_a_role(top: Path) -> bool:
    return is_dir(top) and any(exists(folder / name) for folder in (top, top.parent) for name in _ROLE_FILES)


def _whole(name: str) -> Path | None:
    """The path itself where it needs no search: from / or a home on."""
    if not name.startswith(("/", "~")):
        return None
    return Path(os.path.normpath(Path(os.path.expandvars(name)).expanduser()))


def _unique(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(Path(os.path.normpath(path)) for path in paths))


def tried(paths: Sequence[Path]) -> str:
    """For a message."""
    return ", ".join(str(path) for path in paths)
