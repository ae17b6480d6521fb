# SPDX-License-Identifier: Apache-2.0
"""Facts and steps over a connection, without any playbook: what deploys the agent, and what `labctl facts` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from orchestrator.provision.channel import Channel, Connection
from orchestrator.provision.files import BlobSource
from remote_agent.contract.bootstrap import SETUP
from remote_agent.contract.steps import Outcome, Status, Step


class StepSink(Protocol):
    """Who is told of steps as they go."""

    def progress(self, step: Step, message: str) -> None: ...
    def outcome(self, step: Step, outcome: Outcome) -> None: ...


class Silent:
    """A sink for those who only want the outcomes."""

    def progress(self, step: Step, message: str) -> None:
        pass

    def outcome(self, step: Step, outcome: Outcome) -> None:
        pass


def gather_facts(connection: Connection) -> dict[str, Any]:
    """Everything that the host says of itself. Raises HostError, UnreachableError."""
    with Channel(connection, {SETUP}) as channel:
        facts = channel.facts()
        channel.end()
        return facts


def apply_steps(
    connection: Connection, steps: Sequence[Step], blobs: BlobSource, sink: StepSink | None = None
) -> list[Outcome]:
    """Carry out ``steps``, whose ids differ, in order over one channel; the outcomes come in the same order.

    After a failed step with ``stop_on_failure`` the later ones are left out, so there may be fewer outcomes than steps. Raises
    HostError, UnreachableError where the runner or the connection is lost.
    """
    sink = sink or Silent()
    by_id = {step.id: step for step in steps}
    outcomes: list[Outcome] = []
    with Channel(connection, {step.module for step in steps}) as channel:
        for step in steps:
            channel.send(step)
        for step in steps:
            outcome = channel.outcome(blobs, lambda number, message: sink.progress(by_id[number], message))
            outcomes.append(outcome)
            sink.outcome(step, outcome)
            if outcome.status is Status.FAILED and step.stop_on_failure:
                break
        channel.end()
    return outcomes
