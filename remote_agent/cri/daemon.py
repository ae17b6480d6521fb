# SPDX-License-Identifier: Apache-2.0
"""Who answers at a runtime's socket? So that a daemon that went away in a trial is noticed, even where it is back already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remote_agent.host.daemons import listener
from remote_agent.host.read import Absent


@dataclass(frozen=True, slots=True)
class Daemon:
    """The process that listens, and the socket's inode: a daemon that starts again binds a new one, whatever its pid."""

    pid: int
    inode: int


def daemon(path: str) -> Daemon | None:
    """The one that listens at ``path`` now; None: nobody does."""
    try:
        return Daemon(listener(path), Path(path).stat().st_ino)
    except (Absent, OSError):
        return None
