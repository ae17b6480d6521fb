# SPDX-License-Identifier: Apache-2.0
"""A planned run in words: whether its blocks are enough, and for what not."""

from __future__ import annotations

import pytest

from orchestrator.cli.planned_run import requirement_line
from orchestrator.cli.words import about
from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from orchestrator.stats.block_requirement import block_requirement

NAMES = ("runc", "crun", "runsc", "runc-mine")


def _line(
    *plans: BenchmarkPlan, combinations: int = 4, budget: float | None = None, runs: int | None = None
) -> str:
    compared = tuple(Combination("c", name) for name in NAMES[:combinations])
    hosts = (RunHost("h", "m"),)
    spec = RunSpec("id", "s", "i", "t", 1, hosts, compared, plans, "c/runc", "0", budget=budget)
    return requirement_line(spec, block_requirement(spec), runs)


def _plans(blocks: int, *names: str) -> list[BenchmarkPlan]:
    return [BenchmarkPlan(name, blocks) for name in names]


def test_a_plan_that_suffices_says_what_it_can_claim() -> None:
    assert _line(*_plans(12, *"abcdefghij")) == (
        "Enough to claim a difference that stands alone among 30 comparisons: it needs 11 blocks."
    )


def test_few_that_are_short_are_named_with_their_counts() -> None:
    plans = [*_plans(12, *"abcdefg"), *_plans(6, "h"), *_plans(8, "i", "j")]
    assert _line(*plans) == (
        "A difference that stands alone among 30 comparisons can be claimed from 11 blocks on. "
        "h has 6, i and j have 8: differences there can be claimed only together with others."
    )


def test_many_that_are_short_are_counted() -> None:
    assert "comparisons can be claimed from 11 blocks on. 9 of 10 benchmarks have 6: " in _line(
        *_plans(6, *"abcdefghi"), *_plans(12, "j")
    )
    assert "on. Every benchmark has 6: " in _line(*_plans(6, *"abcdefghij"))


@pytest.mark.parametrize(("runs", "named"), [(6, True), (None, False)])
def test_the_number_to_type_is_named_where_one_was_typed(runs: int | None, named: bool) -> None:
    line = _line(*_plans(6, *"abcdefghij"), runs=runs)
    assert line.endswith(" `--runs 11` would be enough.") == named


def test_a_target_has_at_least_its_first_look_unless_a_budget_ends_earlier() -> None:
    targets = [BenchmarkPlan("x", 60, precision=0.03)] * 300
    assert "Every benchmark has at least 15: " in _line(*targets)
    assert _line(*targets[:2]).endswith(" it needs 8 blocks.")
    assert _line(*targets[:2], budget=60.0).endswith(" it needs 8 blocks, unless a budget ends earlier.")


def test_one_combination_compares_nothing() -> None:
    assert _line(*_plans(1, "a"), combinations=1) == "Nothing is compared: the suite has one combination."


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (42.4, "42 s"),
        (63.0, "1 min"),
        (596.0, "10 min"),
        (594.0, "9 min 50 s"),
        (3592.0, "1 h"),
        (5000.0, "1 h 23 min"),
    ],
)
def test_an_estimate_is_no_finer_than_it_can_be(seconds: float, said: str) -> None:
    assert about(seconds) == said
