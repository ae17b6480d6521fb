# SPDX-License-Identifier: Apache-2.0
"""The files that come with labctl (playbooks with their components, suites, inventories), and those of the project.

They stay at the top of the repository, where people read them. A wheel carries them inside this package. The project is
the current folder: its own files win over those that come with labctl.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "shipped_files"

PROJECT = "labctl_project"
"""The variable that gives playbooks and inventories the project's folder; Ansible's own engine knows none (``default``)."""


def shipped() -> Path:
    """Return the folder that holds ``playbooks``, ``suites`` and ``inventories``; nothing is ever written below it."""
    return _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent


def project_variables() -> dict[str, str]:
    """Return what labctl passes to every inventory and playbook; a variable of the user with the same name wins."""
    return {PROJECT: str(Path.cwd())}


def component_folders() -> tuple[Path, ...]:
    """Return where components are looked for: the project's own go before those that come with labctl."""
    return Path("components"), shipped() / "playbooks/components"


def suite_folders() -> tuple[Path, ...]:
    """Return where suites are looked for by name: the project's own go before those that come with labctl."""
    return Path("suites"), shipped() / "suites"


def find_playbook(path: Path) -> Path:
    """Return ``path``, or the shipped playbook of that name where the project has no such file."""
    return _first_existing(path, [shipped() / path] if path.parts[:1] == ("playbooks",) else [])


def find_inventory(name: Path) -> Path:
    """Return the inventory that ``name`` means: a path, or the name of a file in ``inventories``.

    The project's own goes before the one that comes with labctl. Where neither exists, ``name`` itself is returned.

    >>> find_inventory(Path("lab")).name
    'lab.yaml'
    """
    if len(name.parts) == 1:
        suffixes = ("",) if name.suffix in (".yaml", ".yml") else (".yaml", ".yml")
        paths = [Path("inventories") / f"{name}{suffix}" for suffix in suffixes]
    else:
        paths = [name] if name.parts[:1] == ("inventories",) else []
    return _first_existing(name, [*paths, *(shipped() / path for path in paths)])


def short_path(path: Path) -> Path:
    """Return ``path`` as it may be typed in the project's folder: relative to it, or by the name of a shipped file."""
    absolute = path.absolute()
    if absolute.is_relative_to(Path.cwd()):
        return absolute.relative_to(Path.cwd())
    if absolute.is_relative_to(shipped()) and not (name := absolute.relative_to(shipped())).exists():
        return name
    return path


def _first_existing(path: Path, alternatives: list[Path]) -> Path:
    return next((candidate for candidate in (path, *alternatives) if candidate.exists()), path)
