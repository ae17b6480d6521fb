# SPDX-License-Identifier: Apache-2.0
"""Turns: neighbours execute one at a time, block by block; whoever is alone gets everything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.stopping import Goal
from orchestrator.runs.turns import Grant, HostProgress, next_grant

ALL = {"x": 3, "y": 1}
GOAL = Goal(ALL, {}, final=True, firm=True)
LOOK = Goal({"x": 3, "y": 0}, {}, final=False, firm=False)
ENOUGH = Goal(ALL, {}, final=True, firm=False)


def _at(name: str, x: int = 0, y: int = 0, goal: Goal | None = GOAL, **more: bool) -> HostProgress:
    return HostProgress(name, goal, {"x": x, "y": y}, {"x": x, "y": y}, **more)


def _busy(name: str, goal: Goal | None = GOAL) -> HostProgress:
    return HostProgress(name, goal, {"x": 1}, {"x": 0})


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        pytest.param([_at("a")], Grant("a", ALL, True), id="alone: everything"),
        pytest.param([_at("a", 3, 1)], Grant("a", ALL, True), id="alone and done: it is closed"),
        pytest.param([_at("a", 3, 1, closed=True)], None, id="alone and closed"),
        pytest.param([_at("a", reachable=False)], None, id="alone and away"),
        pytest.param(
            [_at("a"), _at("b")], Grant("a", {"x": 1, "y": 0}, False), id="first block to the first"
        ),
        pytest.param([_busy("a"), _at("b")], None, id="the neighbour waits"),
        pytest.param([_at("a", 1), _at("b")], Grant("b", {"x": 1, "y": 0}, False), id="then to the second"),
        pytest.param(
            [_at("a", 1), _at("b", 1)], Grant("a", {"x": 2, "y": 0}, False), id="then the next block"
        ),
        pytest.param([_at("a", 3), _at("b", 3)], Grant("a", ALL, True), id="the last block closes"),
        pytest.param(
            [_at("a", 3, 1), _at("b", 3, 1)], Grant("a", ALL, True), id="done, killed before closing"
        ),
        pytest.param(
            [_at("a", 3, 1, closed=True), _at("b", 3)], Grant("b", ALL, True), id="closed: the other"
        ),
        pytest.param(
            [_at("a", finished=True), _at("b")], Grant("b", ALL, True), id="a failed neighbour is none"
        ),
        pytest.param(
            [_at("a", 0, reachable=False), _at("b", 1)],
            Grant("b", {"x": 2, "y": 0}, False),
            id="away: loses turns",
        ),
        pytest.param(
            [replace(_busy("a"), reachable=False), _at("b")], None, id="away, but may be executing: all wait"
        ),
        pytest.param([_at("a"), _at("b", met=False)], None, id="not yet met: it may be executing"),
        pytest.param(
            [_at("a", met=False, finished=True), _at("b")], Grant("b", ALL, True), id="never met, over"
        ),
        pytest.param([_at("a", finished=True), _at("b", finished=True)], None, id="all finished"),
        pytest.param(
            [_at("a", goal=LOOK)], Grant("a", LOOK.until, False), id="alone: as far as the next look"
        ),
        pytest.param([_at("a", 3, goal=LOOK)], None, id="alone: nothing more before the look"),
        pytest.param([_at("a", goal=None)], None, id="alone: its journal is not read yet"),
        pytest.param([_busy("a", ENOUGH)], None, id="alone and at work: no look before it is done"),
        pytest.param(
            [_busy("a")], Grant("a", ALL, True), id="alone and at work: what is firm is granted again"
        ),
        pytest.param([_at("a", 3, 1, goal=ENOUGH)], Grant("a", ALL, True), id="alone: enough, and told so"),
        pytest.param(
            [_at("a", goal=None), _at("b", 2, goal=LOOK)],
            Grant("b", {"x": 3, "y": 0}, False),
            id="a neighbour whose journal is not read yet loses a turn",
        ),
        pytest.param(
            [_at("a", 3, goal=LOOK), _at("b", 3, goal=LOOK)], None, id="two: nothing before the look"
        ),
        pytest.param(
            [_at("a", 3, 1, goal=ENOUGH), _at("b", 3, goal=LOOK)],
            Grant("a", ALL, True),
            id="one has enough, the other is looked at",
        ),
    ],
)
def test_the_next_grant(machine: list[HostProgress], expected: Grant | None) -> None:
    assert next_grant(machine) == expected


@given(
    blocks=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=3),
    hosts=st.integers(1, 4),
    cut=st.integers(0, 30),
)
def test_every_block_once_and_never_two_at_a_time(
    blocks: list[tuple[int, int]], hosts: int, cut: int
) -> None:
    """Played to its end; after ``cut`` grants a new conductor knows only what hosts say: granted and done."""
    totals = {f"b{index}": count + warm for index, (count, warm) in enumerate(blocks)}
    goal = Goal(totals, {}, final=True, firm=True)
    machine = {f"h{index}": HostProgress(f"h{index}", goal) for index in range(hosts)}
    executed: list[tuple[str, str, int]] = []
    for step in range(1000):
        if step == cut:
            machine = {name: replace(host, closed=False) for name, host in machine.items()}
        grant = next_grant(list(machine.values()))
        if grant is None:
            break
        host = machine[grant.host]
        if hosts > 1 and grant.until != host.done:
            during = [replace(h, granted=grant.until) if h is host else h for h in machine.values()]
            assert next_grant(during) is None
        for name, until in grant.until.items():
            executed += [(grant.host, name, block) for block in range(host.done.get(name, 0), until)]
        machine[grant.host] = replace(host, granted=grant.until, done=grant.until, closed=grant.last)
    assert len(executed) == len(set(executed)) == hosts * sum(totals.values())
    assert all(host.closed for host in machine.values())
    if hosts > 1:
        first = [name for name, _, _ in executed[:hosts]]
        assert first == list(machine)


def test_grants_never_shrink_what_a_host_has() -> None:
    ahead = HostProgress("a", GOAL, {"x": 3, "y": 0}, {"x": 3, "y": 0})
    behind = HostProgress("b", GOAL, {"x": 1}, {"x": 1})
    grant = next_grant([ahead, behind])
    assert grant == Grant("b", {"x": 2, "y": 0}, False)
