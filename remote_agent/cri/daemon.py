# SPDX-License-Identifier: Apache-2.0
"""Who answers at a runtime's socket? So that a daemon that went away in a trial is noticed, even where it is back already."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

CREDENTIALS = struct.Struct("3i")
"""struct ucred: pid, uid, gid. Of a listening socket, those of the process that called listen: unix(7), SO_PEERCRED."""

CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Daemon:
    """The process that listens, and the socket's inode: a daemon that starts again binds a new one, whatever its pid."""

    pid: int
    inode: int


def daemon(path: str) -> Daemon | None:
    """The one that listens at ``path`` now; None: nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(path)
            pid, _, _ = CREDENTIALS.unpack(
                probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
            )
            return Daemon(pid, Path(path).stat().st_ino)
        except OSError:
            return None
