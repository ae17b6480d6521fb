# SPDX-License-Identifier: Apache-2.0
"""How a run stands, folded from its events: what terminals show. Pure but for the clock that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Any

from orchestrator.model.run import RunSpec
from orchestrator.runs.turns import totals


@dataclass(slots=True)
class HostView:
    """One host. ``blocks``: benchmark to blocks done; ``seconds``: benchmark to what its blocks took, where that is known."""

    name: str
    machine: str
    phase: str = "waiting"
    message: str = ""
    benchmark: str = ""
    trials: int = 0
    failed: int = 0
    leaked: int = 0
    blocks: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.phase in ("complete", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Left:
    """Seconds that the rest will take, by what was measured; ``at_least``: a benchmark in it was not measured yet."""

    seconds: float
    at_least: bool


class RunView:
    """Feed it every event in order."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.hosts = {host.name: HostView(host.name, host.machine) for host in spec.hosts}
        self.totals = totals(spec.benchmarks)
        self.warmups = {plan.name: plan.warmup for plan in spec.benchmarks}
        self.began: datetime | None = None
        self.message = ""

    @property
    def trials_wanted(self) -> int:
        """Of each host."""
        return sum(self.totals.values()) * len(self.spec.combinations)

    def apply(self, event: Mapping[str, Any]) -> None:
        self.began = self.began or datetime.fromisoformat(event["time"])
        if event["type"] == "end":
            self.message = event["message"]
        host = self.hosts.get(str(event.get("host")))
        if host is None:
            return
        if event["type"] == "phase":
            host.phase, host.message = event["phase"], event["message"]
        elif event["type"] == "trial":
            host.benchmark = event["benchmark"]
            host.trials, host.failed, host.leaked = event["trials"], event["failed"], event["leaked"]
        elif event["type"] == "block":
            self._block(host, event)

    def elapsed(self, now: datetime) -> float:
        return (now - self.began).total_seconds() if self.began else 0.0

    def left(self) -> Left:
        """Hosts of one machine work one after another, machines at the same time."""
        machines: dict[str, list[Left]] = {}
        for host in self.hosts.values():
            if not host.over:
                machines.setdefault(host.machine, []).append(self._left(host))
        sums = [
            Left(sum(host.seconds for host in hosts), any(host.at_least for host in hosts))
            for hosts in machines.values()
        ]
        return Left(max((item.seconds for item in sums), default=0.0), any(item.at_least for item in sums))

    def _block(self, host: HostView, event: Mapping[str, Any]) -> None:
        name = event["benchmark"]
        host.benchmark = name
        host.blocks[name] = max(host.blocks.get(name, 0), event["block"] + 1)
        if event["seconds"] is not None:
            host.seconds.setdefault(name, []).append(event["seconds"])

    def _left(self, host: HostView) -> Left:
        seconds, at_least = 0.0, False
        for name, total in self.totals.items():
            blocks = total - host.blocks.get(name, 0)
            each = self._block_seconds(host, name)
            at_least |= blocks > 0 and each is None
            seconds += blocks * (each or 0.0)
        return Left(seconds, at_least)

    def _block_seconds(self, host: HostView, name: str) -> float | None:
        """Its own mean, else that of all hosts, else nobody knows."""
        own = host.seconds.get(name)
        every = [value for other in self.hosts.values() for value in other.seconds.get(name, ())]
        return fmean(own or every) if own or every else None
