# SPDX-License-Identifier: Apache-2.0
"""Is there such a file? Asked of a name that somebody wrote: no, and no error, where no file can have it (too long, a loop)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def exists(path: Path) -> bool:
    return _answer(path.exists)


def is_file(path: Path) -> bool:
    return _answer(path.is_file)


def is_dir(path: Path) -> bool:
    return _answer(path.is_dir)


def _answer(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:
        return False
