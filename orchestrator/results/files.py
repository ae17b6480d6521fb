# SPDX-License-Identifier: Apache-2.0
"""A run's files, written as labctl writes every file; what goes wrong is said as a result's error."""

from __future__ import annotations

from pathlib import Path

from orchestrator import files
from orchestrator.model.errors import DiskFull, ResultError


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by ``text``, atomically. Raises ResultError; DiskFull, if that is why."""
    try:
        files.write_text(path, text)
    except OSError as error:
        kind = DiskFull if error.errno in files.FULL else ResultError
        raise kind(f"{path}: cannot be written: {error.strerror}.") from error
