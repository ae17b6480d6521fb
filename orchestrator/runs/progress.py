# SPDX-License-Identifier: Apache-2.0
"""How a run stands, folded from its events: what terminals show. Pure but for the clock that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Any

from orchestrator.model.run import RunSpec
from orchestrator.model.stopping import FIRST


@dataclass(slots=True)
class HostView:
    """One host. ``blocks``: benchmark to blocks done; ``seconds``: benchmark to what its blocks took, where that is known.

    ``wanted``: benchmark to blocks as far as is known; ``open``: the benchmarks of which there may be more.
    ``so_far``: benchmark to its last estimate (`sofar.so_far`).
    """

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
    wanted: dict[str, int] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    so_far: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.phase in ("complete", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Left:
    """Seconds that the rest will take, by what was measured.

    ``at_least``: a benchmark in it was not measured yet, or a stopping rule may ask for more blocks.
    """

    seconds: float
    at_least: bool


class RunView:
    """Feed it every event in order."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        wanted = _known_blocks(spec)
        ruled = {plan.name for plan in spec.benchmarks if plan.precision is not None}
        self.hosts = {
            host.name: HostView(host.name, host.turns_on, wanted=dict(wanted), open=set(ruled))
            for host in spec.hosts
        }
        self.warmups = {plan.name: plan.warmup for plan in spec.benchmarks}
        self.began: datetime | None = None
        self.message = ""

    def trials_wanted(self, host: HostView) -> int:
        """As far as is known: at least so many where ``open`` says so."""
        return sum(host.wanted.values()) * len(self.spec.combinations)

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
        elif event["type"] == "goal":
            self._goal(host, event)
        elif event["type"] == "stop":
            self._stop(host, event)

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
        if event.get("so_far"):
            host.so_far[name] = event["so_far"]
        if event["seconds"] is not None:
            host.seconds.setdefault(name, []).append(event["seconds"])

    def _goal(self, host: HostView, event: Mapping[str, Any]) -> None:
        """What is granted now is certain; what it says of benchmarks behind the one under way is not yet decided."""
        for name, until in event["until"].items():
            if until > 0:
                host.wanted[name] = until

    def _stop(self, host: HostView, event: Mapping[str, Any]) -> None:
        name = event["benchmark"]
        host.open.discard(name)
        host.wanted[name] = (
            event["blocks"] + self.warmups[name] if event["blocks"] else host.blocks.get(name, 0)
        )

    def _left(self, host: HostView) -> Left:
        seconds, at_least = 0.0, bool(host.open)
        for name, wanted in host.wanted.items():
            blocks = max(0, wanted - host.blocks.get(name, 0))
            each = self._block_seconds(host, name)
            at_least |= blocks > 0 and each is None
            seconds += blocks * (each or 0.0)
        return Left(seconds, at_least)

    def _block_seconds(self, host: HostView, name: str) -> float | None:
        """Its own mean, else that of all hosts, else nobody knows."""
        own = host.seconds.get(name)
        every = [value for other in self.hosts.values() for value in other.seconds.get(name, ())]
        return fmean(own or every) if own or every else None


def _known_blocks(spec: RunSpec) -> dict[str, int]:
    """The blocks that there will be for certain: with a target the first look's, and where a budget may end it before, none."""
    wanted = {}
    for plan in spec.benchmarks:
        bound = plan.budget if plan.budget is not None else spec.budget
        fewest = plan.blocks if plan.precision is None else FIRST if bound is None else 0
        wanted[plan.name] = plan.warmup + fewest if fewest else 0
    return wanted
