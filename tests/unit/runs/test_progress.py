# SPDX-License-Identifier: Apache-2.0
"""What a terminal shows of a run: counts from events, and a time left that says when it does not know."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestrator.model.run import RunSpec
from orchestrator.runs.progress import Left, RunView

START = "2026-11-23T22:45:00+00:00"


def _event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "time": START, **fields}


def _block(host: str, benchmark: str, block: int, seconds: float | None) -> dict[str, Any]:
    return _event("block", host=host, benchmark=benchmark, block=block, warmup=False, seconds=seconds)


def test_counts_are_those_of_the_last_event(spec: RunSpec) -> None:
    view = RunView(spec)
    counts = {"benchmark": "operations.x.y", "trials": 5, "failed": 1, "leaked": 2}
    view.apply(_event("conductor", pid=1, resumed=False))
    view.apply(_event("phase", host="a", phase="executing", message=""))
    view.apply(_event("trial", host="a", **counts))
    view.apply(_block("a", "operations.x.y", 1, 2.0))
    host = view.hosts["a"]
    assert (host.phase, host.trials, host.failed, host.leaked, host.blocks) == (
        "executing",
        5,
        1,
        2,
        {"operations.x.y": 2},
    )
    assert view.trials_wanted(host) == 8
    assert view.elapsed(datetime.fromisoformat("2026-11-23T22:46:00+00:00")) == 60


def test_the_time_left_adds_neighbours_and_says_when_something_was_not_measured(spec: RunSpec) -> None:
    view = RunView(spec)
    assert view.left() == Left(0.0, at_least=True)
    view.apply(_block("a", "operations.x.y", 0, 2.0))
    # a: 2 more blocks, b: 3, one after another; c alone: 3; nobody knows scalability.x.5
    assert view.left() == Left(10.0, at_least=True)
    view.apply(_block("c", "scalability.x.5", 0, 5.0))
    assert view.left() == Left(20.0, at_least=False)
    view.apply(_event("phase", host="b", phase="failed", message="gone"))
    assert view.left() == Left(9.0, at_least=False)


def test_an_unmeasured_block_is_not_taken_for_an_instant_one(spec: RunSpec) -> None:
    view = RunView(spec)
    view.apply(_block("a", "operations.x.y", 0, None))
    assert view.left().at_least
