# SPDX-License-Identifier: Apache-2.0
"""Joins standard input and output to the agent's socket. It runs at the far end of an SSH channel, and starts fast."""

from __future__ import annotations

import os
import socket
import threading

CHUNK = 64 * 1024
STDIN, STDOUT = 0, 1


def relay(path: str) -> None:
    """Carry bytes both ways until the agent ends its side. When the input ends, the agent is told, and its rest still carried.

    Raises OSError: nobody listens at ``path``.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.connect(path)
        threading.Thread(target=_up, args=(agent,), daemon=True).start()
        _down(agent)


def _up(agent: socket.socket) -> None:
    """Input to agent. Either side may be gone at any time: the other direction then ends the relay."""
    try:
        while data := os.read(STDIN, CHUNK):
            agent.sendall(data)
        agent.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _down(agent: socket.socket) -> None:
    try:
        while data := agent.recv(CHUNK):
            view = memoryview(data)
            while view:
                view = view[os.write(STDOUT, view) :]
    except OSError:
        return
