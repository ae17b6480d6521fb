# SPDX-License-Identifier: Apache-2.0
"""Whose turn is it? Hosts that share a machine are neighbours, and a neighbour is noise: they execute block by block, one
host at a time. A host that is alone on its machine gets everything at once, so that it never waits for the controller.

Pure: what is asked and how far each host is go in, the next grant comes out. So a conductor that was killed
and started again decides as the one before it would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.model.run import BenchmarkPlan


@dataclass(frozen=True, slots=True)
class HostProgress:
    """How far one host is. ``granted`` and ``done``: benchmark to the number of blocks.

    ``met``: has been heard of since this conductor began; before that it may be doing anything.
    ``reachable``: connected now. ``finished``: complete, failed or cancelled; it takes no more turns.
    ``closed``: it has been told that nothing more will come.
    """

    name: str
    granted: Mapping[str, int] = field(default_factory=dict)
    done: Mapping[str, int] = field(default_factory=dict)
    met: bool = True
    reachable: bool = True
    finished: bool = False
    closed: bool = False

    @property
    def busy(self) -> bool:
        """It may be executing: something is granted that is not done, or nobody knows."""
        return not self.met or any(until > self.done.get(name, 0) for name, until in self.granted.items())


@dataclass(frozen=True, slots=True)
class Grant:
    """``host`` may execute each benchmark's blocks below ``until``; ``last``: there will be no more."""

    host: str
    until: Mapping[str, int]
    last: bool


def totals(benchmarks: Sequence[BenchmarkPlan]) -> dict[str, int]:
    """Each benchmark's number of blocks, warm-up ones included, in the order of execution."""
    return {plan.name: plan.warmup + plan.blocks for plan in benchmarks}


def next_grant(benchmarks: Sequence[BenchmarkPlan], machine: Sequence[HostProgress]) -> Grant | None:
    """The next grant on one machine, whose hosts are given in the run's order. None: nothing to grant now.

    Of hosts that share it, the one that is furthest behind has the turn; nobody gets one while another may be
    executing, reachable or not. A host without connection only loses turns that it would have had meanwhile.
    """
    wanted = totals(benchmarks)
    live = [host for host in machine if not host.finished]
    if len(live) == 1:
        host = live[0]
        return Grant(host.name, wanted, last=True) if host.reachable and not host.closed else None
    if any(host.busy for host in live):
        return None
    waiting = [host for host in live if host.reachable and not host.closed]
    turn = min(waiting, key=lambda host: _position(wanted, host), default=None)
    return _one_block(wanted, turn) if turn else None


def _position(wanted: Mapping[str, int], host: HostProgress) -> tuple[int, int]:
    """The place of the host's next block: benchmark, block. Hosts at the same place keep their order."""
    for index, (name, total) in enumerate(wanted.items()):
        if host.granted.get(name, 0) < total:
            return index, host.granted.get(name, 0)
    return len(wanted), 0


def _one_block(wanted: Mapping[str, int], host: HostProgress) -> Grant:
    until = {name: min(host.granted.get(name, 0), total) for name, total in wanted.items()}
    index, block = _position(wanted, host)
    if index < len(wanted):
        until[list(wanted)[index]] = block + 1
    return Grant(host.name, until, last=until == dict(wanted))
