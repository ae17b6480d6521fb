# SPDX-License-Identifier: Apache-2.0
"""When it is enough: the looks, the target, the budget's shares, and what is never waited for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from orchestrator.model.stopping import Halt, Standing, StopReason
from orchestrator.stats.paired import signed_rank_interval
from orchestrator.stats.stopping import decide, goal, reached

BASE, OTHER, THIRD = "c/runc", "c/crun", "c/runsc"
PLAN = BenchmarkPlan("x", 60, warmup=1, precision=0.03)


def _values(counted: int, spread: float, factor: float = 1.0, seed: int = 1) -> dict[int, float]:
    """Blocks 1.. (0 is warm-up) of lognormal values."""
    noise = np.random.default_rng(seed).standard_normal(counted)
    return {block + 1: float(factor * math.exp(spread * noise[block])) for block in range(counted)}


def _standing(
    counted: int, spread: float = 0.001, seconds: float = 1.0, **more: Mapping[int, float]
) -> Standing:
    values = {BASE: _values(counted, spread), OTHER: _values(counted, spread, 2.0, seed=2), **more}
    return Standing(counted + 1, (counted + 1) * seconds, values)


def _spec(*plans: BenchmarkPlan, budget: float | None = None) -> RunSpec:
    combinations = (Combination("c", "runc"), Combination("c", "crun"))
    return RunSpec(
        "id", "s", "i", "t", 1, (RunHost("h", "m"),), combinations, plans, BASE, "0", budget=budget
    )


def test_a_fixed_count_is_that_count() -> None:
    plan = BenchmarkPlan("x", 20, warmup=2)
    assert decide(plan, Standing(21), BASE, None) == 22
    assert decide(plan, Standing(22), BASE, None) == Halt(StopReason.FIXED)


@pytest.mark.parametrize(
    ("counted", "until"), [(-1, 16), (0, 16), (14, 16), (15, 21), (17, 21), (20, 26), (54, 56), (55, 61)]
)
def test_looks_come_after_15_blocks_and_then_after_every_5(counted: int, until: int) -> None:
    """``until`` has the warm-up block in it."""
    wide = _standing(max(counted, 0), spread=0.5)
    assert decide(PLAN, replace(wide, blocks=counted + 1), BASE, None) == until


def test_between_two_looks_nothing_is_looked_at() -> None:
    assert decide(PLAN, _standing(14), BASE, None) == 16
    assert decide(PLAN, _standing(17), BASE, None) == 21
    assert isinstance(decide(PLAN, _standing(20), BASE, None), Halt)


def test_it_stops_when_the_half_width_is_within_the_target_and_not_before() -> None:
    standing = _standing(15, spread=0.02)
    differences = np.array(
        [math.log(standing.values[OTHER][b] / standing.values[BASE][b]) for b in range(1, 16)]
    )
    interval = signed_rank_interval(differences)
    assert interval is not None
    width = math.expm1((interval.high - interval.low) / 2)
    assert reached(standing, BASE) == pytest.approx(width)
    within = replace(PLAN, precision=width * 1.001)
    assert decide(within, standing, BASE, None) == Halt(StopReason.PRECISION, reached(standing, BASE))
    assert decide(replace(PLAN, precision=width * 0.999), standing, BASE, None) == 21


def test_every_interval_counts_and_the_widest_decides() -> None:
    narrow = _standing(15)
    assert isinstance(decide(PLAN, narrow, BASE, None), Halt)
    wide = {**narrow.values, THIRD: _values(15, 0.3, seed=3)}
    assert decide(PLAN, replace(narrow, values=wide), BASE, None) == 21


def test_significance_stops_nothing() -> None:
    """Twice as slow in every block, p = 2^-14, and the interval is wide: it goes on."""
    base, other = _values(15, 0.0), _values(15, 0.15, 2.0)
    standing = Standing(16, 1.0, {BASE: base, OTHER: other})
    interval = signed_rank_interval(np.log(np.array(list(other.values()))))
    assert interval is not None
    assert interval.low > 0.5
    assert decide(PLAN, standing, BASE, None) == 21


def test_the_most_is_the_most() -> None:
    assert decide(PLAN, _standing(60, spread=0.5), BASE, None) == Halt(
        StopReason.MAXIMUM, reached(_standing(60, spread=0.5), BASE)
    )


def test_a_combination_that_never_gives_a_sample_is_not_waited_for() -> None:
    standing = _standing(15)
    unsupported = replace(standing, values={**standing.values, THIRD: {}})
    assert decide(PLAN, unsupported, BASE, None) == decide(PLAN, standing, BASE, None)


def test_one_that_gives_few_is_waited_for() -> None:
    standing = _standing(15)
    few = replace(standing, values={**standing.values, THIRD: {3: 1.0, 4: 1.1}})
    assert reached(few, BASE) is None
    assert decide(PLAN, few, BASE, None) == 21


def test_without_the_baseline_the_medians_own_intervals_count() -> None:
    alone = Standing(16, 1.0, {OTHER: _values(15, 0.001)})
    assert isinstance(decide(PLAN, alone, BASE, None), Halt)
    wide = Standing(16, 1.0, {OTHER: _values(15, 0.001), THIRD: _values(15, 0.5)})
    assert decide(PLAN, wide, BASE, None) == 21
    single = Standing(16, 1.0, {BASE: _values(15, 0.001)})
    assert isinstance(decide(PLAN, single, BASE, None), Halt)


@pytest.mark.parametrize("values", [{}, {BASE: {}, OTHER: {}}, {BASE: {1: 0.0}, OTHER: {1: -1.0}}])
def test_where_nothing_can_be_judged_the_first_look_ends_it(values: dict[str, dict[int, float]]) -> None:
    assert decide(PLAN, Standing(15, 1.0, values), BASE, None) == 16
    assert decide(PLAN, Standing(16, 1.0, values), BASE, None) == Halt(StopReason.UNMEASURED)


def test_a_budget_pays_for_what_fits_by_the_mean_of_the_blocks_so_far() -> None:
    assert decide(PLAN, Standing(), BASE, 100.0) == 1, "nothing is known before the first block"
    assert decide(PLAN, Standing(1, 10.0), BASE, 75.0) == 1 + 3, "six fit, half of them at a time"
    assert decide(PLAN, Standing(6, 60.0), BASE, 75.0) == 7
    assert decide(PLAN, Standing(1, 10.0), BASE, 1000.0) == 16, "never past the next look"
    assert decide(PLAN, Standing(7, 70.0), BASE, 75.0) == Halt(StopReason.BUDGET)
    assert decide(PLAN, Standing(), BASE, 0.0) == Halt(StopReason.BUDGET)
    used = _standing(15, spread=0.5, seconds=10.0)
    assert decide(PLAN, used, BASE, 165.0) == Halt(StopReason.BUDGET, reached(used, BASE))


def test_what_is_precise_enough_is_not_said_to_have_run_out_of_time() -> None:
    halt = decide(PLAN, _standing(15, seconds=10.0), BASE, 160.0)
    assert isinstance(halt, Halt)
    assert halt.reason is StopReason.PRECISION


def test_a_budget_is_shared_evenly_by_what_is_left_to_do() -> None:
    plans = (PLAN, replace(PLAN, name="y"), replace(PLAN, name="z"))
    spec = _spec(*plans, budget=300.0)
    assert goal(spec, {"x": Standing(1, 10.0)}).until == {"x": 1 + 5, "y": 0, "z": 0}, "a third of 300 s"
    early = _standing(15, seconds=10.0)
    found = goal(replace(spec, budget=600.0), {"x": early, "y": Standing(1, 30.0)})
    assert found.halts["x"].reason is StopReason.PRECISION
    assert found.until == {"x": 16, "y": 1 + 3, "z": 0}, (
        "(600 - 160) / 2 - 30 s pay for 6 more, half at a time"
    )
    assert not found.final


def test_a_budget_of_its_own_is_its_own_and_a_fixed_count_costs_nothing() -> None:
    fixed = BenchmarkPlan("f", 3, warmup=0)
    own = replace(PLAN, name="own", budget=25.0)
    spec = _spec(fixed, own, PLAN, budget=100.0)
    standings = {"f": Standing(3, 90.0), "own": Standing(2, 20.0), "x": Standing(1, 10.0)}
    found = goal(spec, standings)
    assert (found.halts["f"].reason, found.halts["own"].reason) == (StopReason.FIXED, StopReason.BUDGET)
    assert found.until == {"f": 3, "own": 2, "x": 1 + 5}


def test_a_target_is_decided_before_what_stands_behind_it_begins() -> None:
    fixed = BenchmarkPlan("f", 3, warmup=1)
    found = goal(_spec(fixed, PLAN, replace(fixed, name="g")), {})
    assert found.until == {"f": 4, "x": 16, "g": 0}
    assert not found.final
    done = goal(_spec(fixed, PLAN, replace(fixed, name="g")), {"f": Standing(4, 1.0), "x": _standing(15)})
    assert done.until == {"f": 4, "x": 16, "g": 4}
    assert done.final
    assert not done.firm


def test_fixed_counts_alone_are_known_from_the_beginning() -> None:
    found = goal(_spec(BenchmarkPlan("f", 3), BenchmarkPlan("g", 2, warmup=0)), {})
    assert (found.until, found.final, found.firm) == ({"f": 4, "g": 2}, True, True)


@given(
    spread=st.floats(0.0, 0.3),
    precision=st.floats(0.01, 0.2),
    budget=st.none() | st.floats(1.0, 100.0),
    step=st.integers(1, 5),
)
def test_it_always_ends_and_never_goes_back(
    spread: float, precision: float, budget: float | None, step: int
) -> None:
    """Played in steps of at most ``step`` blocks, as neighbours do: the same end as in one go."""
    plan = replace(PLAN, precision=precision)
    ends = []
    for width in (step, 60):
        blocks = 0
        while isinstance(until := decide(plan, _standing_of(blocks, spread), BASE, budget), int):
            assert blocks < until <= 61
            blocks = min(until, blocks + width)
        ends.append((blocks, until))
    assert ends[0] == ends[1]
    reason = ends[0][1].reason
    assert reason in (StopReason.PRECISION, StopReason.BUDGET, StopReason.MAXIMUM)
    assert reason is not StopReason.BUDGET or ends[0][0] + 1 > (budget or 0.0)


def _standing_of(blocks: int, spread: float) -> Standing:
    counted = max(0, blocks - 1)
    return replace(_standing(counted, spread), blocks=blocks, seconds=float(blocks))
