# SPDX-License-Identifier: Apache-2.0
"""What the engine needs of a host. Apart from the executor that does it, which an idle agent need not have loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from remote_agent.agent.schedule import DoTrial
    from remote_agent.agent.spec import RunSpec
    from remote_agent.contract.journal import Leak, Trial
    from remote_agent.host.audit import Snapshot
    from remote_agent.host.noise import Counters

FORGOTTEN = (
    "The runtime has forgotten it, and it has no label that says whose it is: look, and remove it by hand."
)

Note = Callable[[str, str, str], None]
"""Called with level, message, hint."""


class Torn(Exception):
    """The attempt is no measurement of its combination and has to be redone; it is cleaned up. The text says why."""


class Executor(Protocol):
    def clean(self, spec: RunSpec, note: Note) -> int:
        """Remove what carries labctl's labels, and its own empty control groups; the number of labelled things that were there."""

    def snapshot(self, spec: RunSpec) -> Snapshot:
        """What the leak audit sees now, of all of the run's runtimes."""

    def leaks(self, spec: RunSpec, before: Snapshot) -> tuple[Leak, ...]:
        """What has come since a crash, and does not go: the runtimes may still be making or removing what it interrupted."""

    def fingerprint(self, spec: RunSpec) -> Mapping[str, Any]: ...

    def counters(self) -> Counters: ...

    def trial(self, spec: RunSpec, due: DoTrial, checkpoint: Callable[[], None], note: Note) -> Trial:
        """Execute it. Raises Cancelled, cleaned up, where ``checkpoint`` does, and Torn; all else is a failed trial."""

    def finish(self, spec: RunSpec) -> None:
        """Remove what the run as a whole left: its control groups, its connections."""
