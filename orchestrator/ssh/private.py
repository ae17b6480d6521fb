# SPDX-License-Identifier: Apache-2.0
"""Private temporary folders for sockets, which do not outlive their process for long, even where it was killed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

PREFIX = "labctl-relay-"
_NAME = re.compile(rf"{PREFIX}([0-9]+)-")


def new_folder() -> Path:
    """A new folder of mode 700 with this process's id in its name; those of this user's dead processes are removed first.

    A path here is short, as a Unix socket's must be (107 bytes).
    """
    base = Path(tempfile.gettempdir())
    sweep(base)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))


def sweep(base: Path) -> None:
    """Remove what processes of this user that are gone (killed, not ended) have left in ``base``."""
    for folder in base.glob(f"{PREFIX}*"):
        found = _NAME.match(folder.name)
        if found and not _is_alive(int(found[1])) and _is_mine(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_mine(folder: Path) -> bool:
    try:
        return folder.lstat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False
