# SPDX-License-Identifier: Apache-2.0
"""The files that come with labctl: playbooks with their components, suites and inventories.

They stay at the top of the repository, where people read them. A wheel carries them inside this package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "shipped_files"


def shipped() -> Path:
    """Return the folder that holds ``playbooks``, ``suites`` and ``inventories``; nothing is ever written below it."""
    return _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
