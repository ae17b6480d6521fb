# SPDX-License-Identifier: Apache-2.0
"""Which Debian release and architecture hosts have, read before anything is built for them, over connections that are kept for later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from orchestrator.model.artifact import RELEASES, Target
from orchestrator.model.errors import HostError, LabctlError
from orchestrator.model.inventory import Host
from orchestrator.ssh import Connection, fan_out

SECONDS = 30.0
QUESTION = '. /etc/os-release 2>/dev/null; echo "${ID:-?} ${VERSION_CODENAME:-?} $(uname -m)"'
Connect = Callable[[Host], Connection]


class HeldConnections:
    """Connections that are opened early and handed out once. A host that could not be reached fails when its turn comes."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connections: dict[str, Connection] = {}
        self._errors: dict[str, LabctlError] = {}

    def targets(self, hosts: Sequence[Host], forks: int) -> tuple[Target, ...]:
        """Connect to ``hosts`` and return the targets of those that labctl provisions, each once, in the order of the hosts.

        A host of another system fails when its turn comes, before anything is changed on it.
        At most ``forks`` connections stay open: a fleet has more hosts than a process may have files.
        """
        results = fan_out(hosts, lambda host: self._target(host, forks), forks)
        self._errors.update(results.failed)
        return tuple(dict.fromkeys(results.succeeded.values()))

    def take(self, host: Host) -> Connection:
        """Return the host's connection, or a new one where it broke meanwhile. Raises as `ssh.connect`."""
        if error := self._errors.pop(host.name, None):
            raise error
        held = self._connections.pop(host.name, None)
        if held is not None and held.alive:
            return held
        return self._connect(host)

    def close(self) -> None:
        """Close what nobody took."""
        while self._connections:
            self._connections.popitem()[1].close()

    def _target(self, host: Host, most: int) -> Target:
        connection = self._connect(host)
        try:
            answer = connection.run(QUESTION, timeout=SECONDS).stdout
            target = target_of(answer)
            if target is None:
                raise _unsupported(host, answer)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            held = len(self._connections) < most
            if held:
                self._connections[host.name] = connection
        if not held:
            connection.close()
        return target


def _unsupported(host: Host, answer: str) -> HostError:
    system = " ".join(answer.split()[-3:-1]) or "an unknown system"
    return HostError(
        host.name,
        f"labctl provisions Debian {' and '.join(RELEASES.values())}, and this host has {system}.",
        "Install one of these, or leave the host out (--limit).",
    )


def target_of(answer: str) -> Target | None:
    """Return the target that a host's answer to QUESTION describes; None where it is no Debian that labctl provisions.

    >>> target_of("debian trixie x86_64")
    Target(architecture='x86_64', release='trixie')
    """
    words = answer.split()[-3:]
    if len(words) != 3 or words[0] != "debian" or words[1] not in RELEASES:
        return None
    return Target(words[2], words[1])
