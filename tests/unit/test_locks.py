# SPDX-License-Identifier: Apache-2.0
"""The lock of an installation and that of development: what is in both is the same, to the hash."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENTRY = re.compile(r"^(\S+==\S+) \\\n((?:    --hash=\S+(?: \\)?\n)+)", re.MULTILINE)


def locked(name: str) -> dict[str, set[str]]:
    """``NAME==VERSION`` to its hashes."""
    found = ENTRY.findall((ROOT / name).read_text())
    return {entry: set(re.findall(r"--hash=(\S+)", hashes)) for entry, hashes in found}


def test_the_development_lock_holds_everything_that_an_installation_has() -> None:
    """`make .venv/dev` installs both, one after the other: they must not undo each other."""
    installation, development = locked("requirements.lock"), locked("requirements-dev.lock")
    assert len(installation) > 20
    assert {entry: development.get(entry) for entry in installation} == installation
