# SPDX-License-Identifier: Apache-2.0
"""Whose turn is it? Hosts that share a machine are neighbours, and a neighbour is noise: they execute block by block, one
host at a time. A host that is alone on its machine gets everything that its goal allows at once, so that it never waits for
the controller but where the stopping rule has to look at results first.

Pure: what is asked and how far each host is go in, the next grant comes out. So a conductor that was killed
and started again decides as the one before it would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.model.stopping import Goal


@dataclass(frozen=True, slots=True)
class HostProgress:
    """How far one host is. ``granted`` and ``done``: benchmark to the number of blocks.

    ``goal``: how far it may go; None: not known before its journal is read as far as it is done.
    ``met``: has been heard of since this conductor began; before that it may be doing anything.
    ``reachable``: connected now. ``finished``: complete, failed or cancelled; it takes no more turns.
    ``closed``: it has been told that nothing more will come.
    """

    name: str
    goal: Goal | None
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


def next_grant(machine: Sequence[HostProgress]) -> Grant | None:
    """The next grant on one machine, whose hosts are given in the run's order. None: nothing to grant now.

    Of hosts that share it, the one that is furthest behind has the turn; nobody gets one while another may be
    executing, reachable or not. A host without connection only loses turns that it would have had meanwhile.
    """
    live = [host for host in machine if not host.finished]
    if len(live) == 1:
        return _everything(live[0])
    if any(host.busy for host in live):
        return None
    waiting = [(host.goal, host) for host in live if host.goal is not None and _due(host.goal, host)]
    turn = min(waiting, key=lambda item: _position(*item), default=None)
    return _one_block(*turn) if turn else None


def _due(goal: Goal, host: HostProgress) -> bool:
    """Is there a block for it, or the word that there will be no more?"""
    more = _position(goal, host)[0] < len(goal.until)
    return host.reachable and not host.closed and (more or goal.final)


def _everything(host: HostProgress) -> Grant | None:
    """For a host that is alone. While it executes, only what no result can change is granted again: it might have got lost."""
    goal = host.goal
    if goal is None or not host.reachable or host.closed or (host.busy and not goal.firm):
        return None
    until = {name: max(count, host.granted.get(name, 0)) for name, count in goal.until.items()}
    if not goal.final and all(count <= host.granted.get(name, 0) for name, count in until.items()):
        return None
    return Grant(host.name, until, last=goal.final)


def _position(goal: Goal, host: HostProgress) -> tuple[int, int]:
    """The place of the host's next block: benchmark, block. Hosts at the same place keep their order."""
    for index, (name, until) in enumerate(goal.until.items()):
        if host.granted.get(name, 0) < until:
            return index, host.granted.get(name, 0)
    return len(goal.until), 0


def _one_block(goal: Goal, host: HostProgress) -> Grant:
    until = {name: host.granted.get(name, 0) for name in goal.until}
    index, block = _position(goal, host)
    if index < len(until):
        until[list(until)[index]] = block + 1
    done = all(until[name] >= count for name, count in goal.until.items())
    return Grant(host.name, until, last=goal.final and done)
