# SPDX-License-Identifier: Apache-2.0
"""Starts the agent for whoever wants something of it: it ends by itself when nobody does (idle.py)."""

from __future__ import annotations

import socket
import time
from pathlib import Path

SOCKET = Path("/run/labctl/agent.sock")
UNIT = "labctl-agent.service"
PATIENCE_S = 20.0
PAUSE_S = 0.02


def listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        try:
            agent.connect(str(path))
        except OSError:
            return False
    return True


def wake(path: Path) -> bool:
    """Start the service, where it is the one that serves ``path``, and wait until somebody listens there; whether somebody does."""
    if path != SOCKET:
        return listening(path)
    import subprocess  # seldom needed: a relay starts fast

    try:
        subprocess.run(("systemctl", "start", UNIT), capture_output=True, timeout=PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return listening(path)
    deadline = time.monotonic() + PATIENCE_S
    while not (there := listening(path)) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
    return there
