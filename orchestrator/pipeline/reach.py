# SPDX-License-Identifier: Apache-2.0
"""From an inventory to its hosts, and from its hosts to connections: what every verb that reaches hosts begins with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from orchestrator.load.inventory import endpoint_of, load_inventory, select_hosts
from orchestrator.model.errors import HostError, LabctlError
from orchestrator.model.inventory import Host, Inventory
from orchestrator.model.text import printable_line
from orchestrator.ssh import Connection, Results, Stream, connect, fan_out

T = TypeVar("T")

TURNS = 5
ANSWER_SECONDS = 30.0
_HELLO = '(. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null || echo; id -un; exec cat'
"""Says the system and the user, one a line, then what it is told: so that turns can be timed without a process start."""


@dataclass(frozen=True, slots=True)
class Selection:
    """An inventory, and those of its hosts that are meant."""

    inventory: Inventory
    hosts: tuple[Host, ...]

    def on_each(
        self,
        work: Callable[[Host, Connection], T],
        forks: int = 64,
        on_end: Callable[[Host, T | LabctlError], None] | None = None,
    ) -> Results[T]:
        """Connect to every host and do ``work`` there; one connection a host, closed when its work has ended."""

        def with_connection(host: Host) -> T:
            with connect(endpoint_of(host, self.inventory)) as connection:
                return work(host, connection)

        return fan_out(self.hosts, with_connection, forks, on_end)


@dataclass(frozen=True, slots=True)
class Pong:
    """A host's answer. ``user`` is who one is there, after sudo; ``system`` is None where the host does not say.

    ``connect_ms``: until one is logged in; ``round_trip_ms``: median of some turns to a program that is already running.
    """

    user: str
    system: str | None
    connect_ms: float
    round_trip_ms: float


def select(inventory: Path, limit: str | None = None, playbook_dir: Path | None = None) -> Selection:
    """Raises ConfigError: the inventory is wrong; UsageError: the limit names nothing."""
    loaded = load_inventory(inventory, playbook_dir)
    return Selection(loaded, select_hosts(loaded, limit))


def ping(
    selection: Selection,
    forks: int = 64,
    on_end: Callable[[Host, Pong | LabctlError], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Results[Pong]:
    """Reach every host, and say how fast it answers. A host that fails does not keep the others."""

    def one(host: Host) -> Pong:
        began = clock()
        with connect(endpoint_of(host, selection.inventory)) as connection:
            connected = clock()
            with connection.stream(_HELLO, idle_timeout=ANSWER_SECONDS) as stream:
                return _answer(host, stream, (connected - began) * 1000, clock)

    return fan_out(selection.hosts, one, forks, on_end)


def _answer(host: Host, stream: Stream, connect_ms: float, clock: Callable[[], float]) -> Pong:
    system, user = _line(host, stream), _line(host, stream)
    turns: list[float] = []
    for number in range(TURNS):
        began = clock()
        stream.stdin.write(b"%d\n" % number)
        _line(host, stream)
        turns.append((clock() - began) * 1000)
    return Pong(user, system or None, connect_ms, statistics.median(turns))


def _line(host: Host, stream: Stream) -> str:
    line = stream.stdout.readline()
    if not line.endswith(b"\n"):
        raise HostError(
            host.name,
            "let us in, and runs no command.",
            stream.stderr_tail(3) or stream.shell_tail() or "Is the user's shell a POSIX shell?",
        )
    return printable_line(line.decode("utf-8", "replace").strip())
