# SPDX-License-Identifier: Apache-2.0
"""What a terminal says of a run with a stopping rule: "at least", estimates so far, and why a benchmark has enough."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from orchestrator.cli.follow import block_line, headline, live_view, notice, remaining, stop_line
from orchestrator.cli.sofar_view import phrase
from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from orchestrator.runs.progress import Left, RunView

NAME = "operations.container.lifecycle"
SO_FAR = {
    "metric": "CreateAndRun",
    "unit": "s",
    "of": [
        {
            "combination": "containerd/crun",
            "what": "ratio",
            "n": 9,
            "value": 0.7553,
            "low": 0.61,
            "high": 0.87,
        },
        {"combination": "crio/runc", "what": "ratio", "n": 3, "value": 1.2, "low": None, "high": None},
    ],
}


def _view(hosts: int = 1, precision: float | None = 0.03, budget: float | None = None) -> RunView:
    plans = (
        BenchmarkPlan(NAME, 60 if precision else 20, precision=precision),
        BenchmarkPlan("scalability.runtime.5", 6),
    )
    combinations = (Combination("containerd", "runc"), Combination("containerd", "crun"))
    there = tuple(RunHost(f"debian13-{number}", f"m{number}") for number in range(hosts))
    return RunView(
        RunSpec("id", "s", "i", "t", 7, there, combinations, plans, "containerd/runc", "0", budget=budget)
    )


def _event(kind: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "time": "2026-11-23T22:45:00+00:00", "host": f"debian13-{number}", **fields}


def _block(block: int, seconds: float | None = 2.0, number: int = 0, **more: Any) -> dict[str, Any]:
    fields = {"benchmark": NAME, "block": block, "warmup": block == 0, "seconds": seconds, **more}
    return _event("block", number, **fields)


def _shown(view: RunView, height: int = 24) -> str:
    console = Console(width=80, height=height, highlight=False)
    with console.capture() as captured:
        console.print(live_view(view, height))
    return captured.get()


def test_with_a_target_it_is_at_least_until_it_is_known() -> None:
    view = _view()
    assert view.left() == Left(0.0, at_least=True)
    view.apply(_event("goal", until={NAME: 16, "scalability.runtime.5": 0}, open=True))
    view.apply(_block(0))
    assert view.left() == Left(15 * 2.0, at_least=True)
    for block in range(1, 16):
        view.apply(_block(block))
    assert view.left() == Left(0.0, at_least=True), "the other benchmark was not measured yet"
    view.apply(_event("goal", until={NAME: 21, "scalability.runtime.5": 0}, open=True))
    assert view.left() == Left(5 * 2.0, at_least=True)
    view.apply(_event("stop", benchmark=NAME, reason="precision", reached=0.02, blocks=15))
    view.apply(_event("block", benchmark="scalability.runtime.5", block=0, warmup=True, seconds=3.0))
    assert view.left() == Left(6 * 3.0, at_least=False)


def test_what_is_measured_is_at_least_while_a_rule_may_ask_for_more() -> None:
    view = _view()
    view.apply(_event("goal", until={NAME: 16, "scalability.runtime.5": 0}, open=True))
    view.apply(_block(0))
    view.apply(_event("block", benchmark="scalability.runtime.5", block=0, warmup=True, seconds=3.0))
    assert view.left() == Left(15 * 2.0 + 6 * 3.0, at_least=True)


def test_a_fixed_count_is_known_from_the_beginning() -> None:
    view = _view(precision=None)
    view.apply(_block(0))
    view.apply(_event("block", benchmark="scalability.runtime.5", block=0, warmup=True, seconds=3.0))
    assert view.left() == Left(20 * 2.0 + 6 * 3.0, at_least=False)
    assert "1/21" not in _shown(view)
    assert "0/56" in _shown(view)


def test_under_a_budget_no_first_look_is_promised() -> None:
    view = _view(budget=60.0)
    assert view.hosts["debian13-0"].wanted[NAME] == 0
    view.apply(_event("stop", benchmark=NAME, reason="budget", reached=None, blocks=0))
    assert not view.left().seconds


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (Left(0.0, at_least=True), "time left: not known yet"),
        (Left(65.0, at_least=True), "at least 1 min 5 s left"),
        (Left(65.0, at_least=False), "about 1 min 5 s left"),
        (Left(0.0, at_least=False), ""),
    ],
)
def test_the_time_left_in_words(left: Left, words: str) -> None:
    assert remaining(left) == words


def test_a_line_a_block_has_the_estimate_so_far() -> None:
    view = _view()
    event = _block(9, so_far=SO_FAR)
    view.apply(event)
    assert block_line(view, event) == (
        f"debian13-0: {NAME} block 10/16+, 2.00 s; CreateAndRun so far: "
        "containerd/crun 0.755 (0.610–0.870), crio/runc 1.200"
    )
    assert headline(view).startswith("Run id: up to 68 blocks of 2 combinations")


def test_a_median_is_said_in_a_unit_that_fits() -> None:
    one = {
        "combination": "containerd/runc",
        "what": "median",
        "n": 9,
        "value": 0.1191,
        "low": 0.106,
        "high": 0.142,
    }
    said = phrase({"metric": "CreateAndRun", "unit": "s", "of": [one]})
    assert said == "CreateAndRun so far: containerd/runc 119 ms (106–142)"


def test_the_live_display_shows_estimates_of_what_is_under_way_in_80_columns() -> None:
    view = _view()
    view.apply(_event("phase", phase="executing", message=""))
    view.apply(_block(9, so_far=SO_FAR))
    shown = _shown(view)
    assert "10/16+" in shown
    assert "0/46+" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    row = next(line for line in shown.splitlines() if "containerd/crun" in line)
    assert row.split() == ["debian13-0", "containerd/crun", "CreateAndRun", "9", "0.755", "0.610–0.870"]
    view.apply(_event("phase", phase="complete", message=""))
    assert "containerd/crun" not in _shown(view)


def test_the_live_display_never_outgrows_the_screen() -> None:
    view = _view(hosts=6)
    for number in range(6):
        view.apply(_event("phase", number, phase="executing", message=""))
        view.apply(_block(9, number=number, so_far=SO_FAR))
    shown = _shown(view)
    assert len(shown.splitlines()) <= 23, "and the headline above it"
    assert "and 6 more" in shown
    assert "estimate so far" not in _shown(view, height=18)


@pytest.mark.parametrize(
    ("reason", "reached", "words"),
    [
        ("precision", 0.0211, "15 blocks counted, then every interval was within 3 % (2.11 %)."),
        (
            "budget",
            None,
            "15 blocks counted, then the time budget was used (too few for intervals, 3 % asked for).",
        ),
        (
            "maximum",
            0.04,
            "15 blocks counted, the most there may be (intervals within 4.00 %, 3 % asked for).",
        ),
        ("unmeasured", None, "15 blocks counted, and no combination gave a value to judge."),
    ],
)
def test_why_a_benchmark_has_enough(reason: str, reached: float | None, words: str) -> None:
    event = _event("stop", benchmark=NAME, reason=reason, reached=reached, blocks=15)
    assert stop_line(_view(), event) == f"debian13-0: {NAME}: {words}"


def test_of_a_fixed_count_there_is_nothing_to_say() -> None:
    assert stop_line(_view(), _event("stop", benchmark=NAME, reason="fixed", reached=None, blocks=20)) is None


def test_what_is_not_supported_is_said_once_and_a_failure_each_time() -> None:
    def trial(block: int, status: str) -> dict[str, Any]:
        words: dict[str, Any] = {
            "benchmark": NAME,
            "combination": "containerd/crun",
            "reason": "It is too old.",
            "leaks": [],
        }
        return {**_event("trial", block=block, status=status), **words}

    said = [notice(trial(block, "unsupported")) for block in range(3)]
    assert said == [f"debian13-0: containerd/crun {NAME} block 1 unsupported: It is too old.", None, None]
    assert all(notice(trial(block, "failed")) for block in range(3))
    assert notice(trial(1, "ok")) is None
