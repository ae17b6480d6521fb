# SPDX-License-Identifier: Apache-2.0
"""The agents of a run's hosts: reached over SSH, brought into place once, and never restarted under somebody's run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import remote_agent
from orchestrator.files import cache_folder
from orchestrator.load.inventory import endpoint_of
from orchestrator.model.errors import ConnectionLost, HostError
from orchestrator.model.inventory import Host, Inventory
from orchestrator.model.run import RunHost, RunSpec
from orchestrator.provision.apply import apply_steps, gather_facts
from orchestrator.runs.agent import AgentClient, AgentState, AgentStatus
from orchestrator.runs.bundle import Bundle, Bundles, Target
from orchestrator.runs.deploy import LOOK, RELAY, Installed, install_steps, service_steps
from orchestrator.runs.events import Phase
from orchestrator.runs.journal import JournalCopy
from orchestrator.runs.session import Link
from orchestrator.runs.sockets import socket_of
from orchestrator.ssh import Connection, Results, connect, fan_out
from remote_agent.contract.steps import Status, Step

START_SECONDS = 60.0
"""An emulated host needs many times what a real one does to start Python and import grpc."""
OLDEST_MUSL = "1.2"
"""musl does not tell its version; wheels for 1.2 are what there is."""


@dataclass(frozen=True, slots=True)
class _OneBlob:
    """The bundle, for the steps that name it by its content."""

    bundle: Bundle

    def path(self, sha256: str) -> Path | None:
        return self.bundle.path if sha256 == self.bundle.sha256 else None


class Agents:
    """`reach` is what the conductor is given; every host's agent is deployed once in the life of this object."""

    def __init__(self, inventory: Inventory, spec: RunSpec, bundles: Bundles | None = None) -> None:
        self._inventory = inventory
        self._spec = spec
        package = Path(remote_agent.__path__[0])
        self._bundles = bundles or Bundles(cache_folder(os.environ), package)
        self._deployed: set[str] = set()

    @contextmanager
    def reach(self, host: RunHost, say: Callable[[Phase], None]) -> Iterator[Link]:
        """See `orchestrator.runs.session.Reach`."""
        known = self._host(host.name)
        sockets = {item.cri: socket_of(item.cri, known.vars) for item in self._spec.combinations}
        say(Phase.CONNECTING)
        with connect(endpoint_of(known, self._inventory)) as connection:
            if host.name not in self._deployed:
                say(Phase.DEPLOYING)
                deploy(connection, self._bundles, self._spec.id)
                self._deployed.add(host.name)
            with connection.relay(RELAY) as relay:
                yield Link(relay.path, sockets)

    def fetch(self, journal: Callable[[str], Path]) -> Results[int]:
        """Pull every host's journal to where ``journal`` says; of each host the new bytes, or why there are none."""
        hosts = [self._host(host.name) for host in self._spec.hosts]
        return fan_out(hosts, lambda host: self._fetch(host, journal(host.name)))

    def _fetch(self, host: Host, path: Path) -> int:
        with (
            connect(endpoint_of(host, self._inventory)) as connection,
            connection.relay(RELAY) as relay,
            AgentClient(host.name, relay.path) as agent,
            JournalCopy(path) as copy,
        ):
            before = copy.size
            for chunk in agent.fetch(self._spec.id, before):
                copy.append(chunk.offset, chunk.data)
            return copy.size - before

    def _host(self, name: str) -> Host:
        try:
            return self._inventory.host(name)
        except KeyError as error:
            raise HostError(
                name, f"is not in {self._inventory.path} any more.", "Put it back to finish its part."
            ) from error


def deploy(connection: Connection, bundles: Bundles, run_id: str) -> None:
    """Bring the agent into place and into service, unless it is executing this run already.

    Raises HostError: it executes another run, or a step failed; RunError: no bundle for such a host; UnreachableError.
    """
    host = connection.endpoint.host
    installed = Installed.parse(connection.run(LOOK).stdout)
    busy = _executing(connection) if installed.running else None
    if busy is not None and busy.run_id == run_id:
        return
    bundle = bundles.bundle(target_of(host, gather_facts(connection)))
    if busy is not None:
        raise HostError(
            host, f"is executing the run {busy.run_id}.", "Wait for its end, or cancel it: labctl cancel."
        )
    changed = _apply(connection, install_steps(bundle, installed), bundle)
    if _apply(connection, service_steps(changed or installed.running != bundle.version), bundle):
        with connection.relay(RELAY) as relay, AgentClient(host, relay.path) as agent:
            agent.wait_until_it_answers(START_SECONDS)


def target_of(host: str, facts: Mapping[str, Any]) -> Target:
    """What decides which wheels fit a host with these facts. Raises HostError: it does not say."""
    libc, python = facts["labctl"]["libc"], facts["labctl"]["python"]
    if libc["name"] is None:
        raise HostError(
            host, "does not say which C library it has.", "The agent's wheels need glibc or musl."
        )
    major, minor = python["version"].split(".")[:2]
    return Target(
        python=f"{major}.{minor}",
        libc=libc["name"],
        libc_version=libc["version"] or OLDEST_MUSL,
        arch=facts["architecture"],
    )


def _executing(connection: Connection) -> AgentStatus | None:
    """What the host's agent is executing; None: nothing, or it does not answer (a restart is then no harm)."""
    host = connection.endpoint.host
    try:
        with connection.relay(RELAY) as relay, AgentClient(host, relay.path) as agent:
            status = agent.status(timeout=10.0)
    except (ConnectionLost, HostError):
        return None
    return status if status.state is AgentState.EXECUTING else None


def _apply(connection: Connection, steps: Sequence[Step], bundle: Bundle) -> bool:
    """Did anything change? Raises HostError for the first step that failed."""
    outcomes = apply_steps(connection, steps, _OneBlob(bundle))
    names = {step.id: step.name for step in steps}
    for outcome in outcomes:
        if outcome.status is Status.FAILED:
            raise HostError(
                connection.endpoint.host,
                f"the agent cannot be deployed ({names[outcome.step]}): {outcome.msg}",
            )
    return any(outcome.status is Status.CHANGED for outcome in outcomes)
