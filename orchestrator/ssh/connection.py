# SPDX-License-Identifier: Apache-2.0
"""A connection to one host, and the three things that are done over it: stream, run, relay."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.model.endpoint import Endpoint
from orchestrator.ssh.session import open_stream
from orchestrator.ssh.stream import Stream

if TYPE_CHECKING:
    import fabric

    from orchestrator.ssh.failures import Where
    from orchestrator.ssh.relay import Relay

IDLE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended. ``stderr`` is its last 64 KiB."""

    stdout: str
    stderr: str
    exit_status: int


class Connection:
    """Made by `connect`. A context manager: leaving it closes the connection, and the jump hosts' on its way."""

    def __init__(self, endpoint: Endpoint, connection: fabric.Connection, where: Where) -> None:
        self.endpoint = endpoint
        self._connection = connection
        self._where = where

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def user(self) -> str:
        """Who logged in (not who one becomes by sudo)."""
        return self._where.user

    @property
    def alive(self) -> bool:
        """False once the connection is known to be gone."""
        return bool(self._connection.is_connected)

    def close(self) -> None:
        """May be called twice."""
        from orchestrator.ssh.dial import hang_up

        hang_up(self._connection)

    def stream(self, command: str, idle_timeout: float = IDLE_SECONDS) -> Stream:
        """Start ``command`` (text for the host's shell; quote what you put into it) as the endpoint's user, and speak with it.

        A read or write that makes no progress for ``idle_timeout`` seconds raises HostError. Raises ConnectionLost,
        ConnectionTimeout, HostError (too many sessions, or too slow a program), LoginRefused (sudo).
        """
        transport = self._connection.transport
        return open_stream(transport, self.endpoint, self._where, command, idle_timeout)

    def run(self, command: str, timeout: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run ``command`` to its end, within ``timeout`` seconds in all. Raises as `stream`."""
        deadline = time.monotonic() + timeout
        with self.stream(command, idle_timeout=timeout) as stream:
            stream.stdin.write(stdin)
            stream.stdin.close()
            stdout = stream.read_all(deadline)
            status = stream.wait(max(0.01, deadline - time.monotonic()))
            return Completed(stdout.decode("utf-8", "replace"), stream.stderr_tail(1000), status)

    def relay(self, command: str) -> Relay:
        """A Unix socket on this machine, each connection to it joined to a run of ``command`` on the host. See `Relay`."""
        from orchestrator.ssh.relay import Relay  # sockets and temporary folders, which most verbs do without

        return Relay(lambda: self.stream(command))


def connect(endpoint: Endpoint) -> Connection:
    """Connect and log in, within about ``endpoint.connect_timeout`` seconds a stage.

    Raises UnknownHostKey, ChangedHostKey, ConnectionRefused, ConnectionTimeout, AddressNotFound, LoginRefused,
    ConnectionLost, UnreachableError (it does not speak SSH), ConfigError (~/.ssh/config, known_hosts).
    """
    import orchestrator.ssh.lean  # noqa: F401  # before what dial imports
    from orchestrator.ssh.dial import dial

    connection, where = dial(endpoint)
    return Connection(endpoint, connection, where)
