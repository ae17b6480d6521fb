# SPDX-License-Identifier: Apache-2.0
"""Takes leftovers, or everything that labctl brought, off hosts: playbooks, carried out as every other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.load.inventory import load_inventory, select_hosts
from orchestrator.pipeline.provision import Recap, Request
from orchestrator.pipeline.provision import provision as carry_out
from orchestrator.provision.events import EventSink
from orchestrator.shipped import shipped

PLAYBOOKS = shipped() / "playbooks"


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What `labctl clean` was asked for. ``purge``: everything, and not only leftovers. ``state`` is labctl's own folder."""

    inventory: Path
    limit: str | None = None
    purge: bool = False
    check: bool = False
    forks: int = 64
    state: Path = Path(".labctl")

    @property
    def playbook(self) -> Path:
        return PLAYBOOKS / ("purge.yaml" if self.purge else "clean.yaml")

    def hosts(self) -> Sequence[str]:
        """Names of the hosts that are meant. Raises ConfigError, UsageError."""
        return [host.name for host in select_hosts(load_inventory(self.inventory, PLAYBOOKS), self.limit)]


def clean(cleaning: Cleaning, sink: EventSink) -> Recap:
    """Every host at the same time. Raises ConfigError, UsageError before any is reached."""
    request = Request(
        cleaning.inventory,
        playbook=cleaning.playbook,
        limit=cleaning.limit,
        check=cleaning.check,
        forks=cleaning.forks,
        state=cleaning.state,
    )
    return carry_out(request, sink)
