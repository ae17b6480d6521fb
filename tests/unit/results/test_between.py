# SPDX-License-Identifier: Apache-2.0
"""Two runs as two samples: what goes in, what a control takes out, what is missing and why, and errors in simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from orchestrator.model.comparison import Change, Method
from orchestrator.model.estimates import Measure, Settings
from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from orchestrator.model.samples import Series
from orchestrator.results.between import between
from orchestrator.results.changed_verdicts import judged
from orchestrator.results.matching import Common, Recorded
from orchestrator.stats.families import benjamini_hochberg
from orchestrator.stats.twosample import rank_sum_p

BENCH, RUNC, CRUN, RUNSC = "a.b.c", "containerd/runc", "containerd/crun", "containerd/runsc"
Values = Mapping[str, Sequence[float]]
R = 1000


def measure(metric: str = "Time", *, better: str = "lower", primary: bool = True) -> Measure:
    return Measure(BENCH, metric, "s", better, primary=primary, per_item=False, timed="")


def recorded(
    values: Values, measures: Sequence[Measure] = (measure(),), warm: float | None = None
) -> Recorded:
    """A run of one host; with ``warm`` each series begins with such a warm-up value. NaN: the block failed."""
    spec = RunSpec(
        id="x", suite="s", inventory="i", created="2026-01-02T03:04:05+00:00", seed=1,
        hosts=(RunHost("h1", "alpha"),),
        combinations=tuple(Combination(*name.split("/")) for name in values),
        benchmarks=(BenchmarkPlan(BENCH, 10),), baseline=RUNC, labctl_version="0",
    )  # fmt: skip
    series = {}
    for one in measures:
        for name, numbers in values.items():
            array = np.array([*(() if warm is None else (warm,)), *numbers])
            kept = ~np.isnan(array)
            warmup = np.arange(len(array)) < (warm is not None)
            series["h1", BENCH, one.metric, name] = Series(
                "h1",
                BENCH,
                one.metric,
                "s",
                name,
                array[kept],
                np.arange(len(array))[kept],
                None,
                warmup[kept],
            )
    return Recorded(spec, tuple(measures), (), (), series, None, {})


def changes(
    a: Values, b: Values, control: str | None = None, measures: Sequence[Measure] = (measure(),)
) -> dict[tuple[str, str], Change]:
    both = Common((RunHost("h1", "alpha"),), tuple(name for name in a if name in b), tuple(measures), ())
    found, _ = between(recorded(a, measures), recorded(b, measures), both, control, 0.05)
    return {(one.change.combination, one.change.metric): one.change for one in found}


def noise(rng: np.random.Generator, n: int, level: float = 1.0) -> list[float]:
    return list(level * np.exp(0.1 * rng.standard_normal(n)))


def test_without_a_control_it_is_the_shift_of_the_logs() -> None:
    rng = np.random.default_rng(1)
    a, b = noise(rng, 9), noise(rng, 12, 1.3)
    change = changes({RUNC: a}, {RUNC: b})[RUNC, "Time"]
    every = [math.log(y / x) for x in a for y in b]
    assert change.ratio == pytest.approx(math.exp(np.median(every)))
    assert (change.method, change.a, change.b) == (Method.DIRECT, 9, 12)
    assert change.p == pytest.approx(rank_sum_p(np.log(a), np.log(b)))
    assert (change.median_a, change.median_b) == (np.median(a), np.median(b))


def test_with_a_control_it_is_the_shift_of_the_log_ratios_within_blocks() -> None:
    """Paired by block: a block that lacks a side is left out, on that side only."""
    rng = np.random.default_rng(2)
    a = {RUNC: noise(rng, 8), CRUN: noise(rng, 8, 0.8)}
    b = {RUNC: noise(rng, 10, 1.5), CRUN: noise(rng, 10, 1.5)}
    a[CRUN][2] = b[RUNC][7] = math.nan
    change = changes(a, b, RUNC)[CRUN, "Time"]
    before = [math.log(y / x) for x, y in zip(a[RUNC], a[CRUN], strict=True) if not math.isnan(x + y)]
    after = [math.log(y / x) for x, y in zip(b[RUNC], b[CRUN], strict=True) if not math.isnan(x + y)]
    assert (change.method, change.a, change.b) == (Method.CONTROLLED, 7, 9)
    assert change.ratio == pytest.approx(math.exp(np.median([y - x for x in before for y in after])))


def test_the_controls_own_change_is_drift_and_no_change() -> None:
    rng = np.random.default_rng(3)
    a, b = {RUNC: noise(rng, 8), CRUN: noise(rng, 8)}, {RUNC: noise(rng, 8, 2), CRUN: noise(rng, 8, 2)}
    both = Common((RunHost("h1", "alpha"),), (RUNC, CRUN), (measure(),), ())
    found, drift = between(recorded(a), recorded(b), both, RUNC, 0.05)
    assert [one.change.combination for one in found] == [CRUN]
    assert [(one.combination, one.method) for one in drift] == [(RUNC, Method.DIRECT)]
    assert drift[0].ratio == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize(
    ("machines", "level"), [(("alpha",), 0.95), (("alpha", "beta", "gamma", "gamma"), 1 - 0.05 / 3)]
)
def test_machines_are_held_to_disagree_at_alpha_over_their_number(
    machines: tuple[str, ...], level: float
) -> None:
    rng = np.random.default_rng(8)
    hosts = tuple(RunHost(f"h{number}", machine) for number, machine in enumerate(machines, 1))
    both = Common(hosts, (RUNC,), (measure(),), ())
    found, _ = between(recorded({RUNC: noise(rng, 9)}), recorded({RUNC: noise(rng, 9)}), both, None, 0.05)
    (only,) = found  # the other hosts have no values
    assert only.own is not None
    assert only.own.level == pytest.approx(level)


def test_warm_up_is_left_out() -> None:
    both = Common((RunHost("h1", "alpha"),), (RUNC,), (measure(),), ())
    rng = np.random.default_rng(4)
    a, b = {RUNC: noise(rng, 8)}, {RUNC: noise(rng, 8)}
    warm = between(recorded(a, warm=1e6), recorded(b, warm=1e-6), both, None, 0.05)
    cold = between(recorded(a), recorded(b), both, None, 0.05)
    assert [(one.change, one.own) for one in warm[0]] == [(one.change, one.own) for one in cold[0]]


def test_higher_is_better_turns_the_ratio_round_and_not_the_values() -> None:
    rng = np.random.default_rng(5)
    a, b = {RUNC: noise(rng, 9)}, {RUNC: noise(rng, 9, 2)}
    lower = changes(a, b)[RUNC, "Time"]
    higher = changes(a, b, measures=[measure(better="higher")])[RUNC, "Time"]
    assert lower.ratio and higher.ratio and lower.interval and higher.interval
    assert higher.ratio == pytest.approx(1 / lower.ratio)
    assert higher.of_values == pytest.approx(lower.ratio)
    turned = higher.interval_of_values(higher.interval)
    assert turned is not None
    assert (turned.low, turned.high) == pytest.approx((lower.interval.low, lower.interval.high))


def test_the_correction_runs_over_the_primary_metrics_and_nothing_else() -> None:
    rng = np.random.default_rng(6)
    names, measures = (RUNC, CRUN, RUNSC), (measure(), measure("Other", primary=False))
    a = {name: noise(rng, 10) for name in names}
    b = {name: noise(rng, 10, 1 + 0.06 * index) for index, name in enumerate(names)}
    both = Common((RunHost("h1", "alpha"),), names, measures, ())
    found, _ = between(recorded(a, measures), recorded(b, measures), both, None, 0.05)
    made = judged(found, measures, None, Settings(0.05, 0.05))
    by_name = {(one.combination, one.metric): one for one in made.changes}
    primary = [by_name[name, "Time"] for name in names]
    expected = benjamini_hochberg([one.p or 0 for one in primary])
    assert [one.adjusted for one in primary] == pytest.approx(expected)
    assert all(by_name[name, "Other"].adjusted is None for name in names)
    assert made.family.size == 3
    assert [(one.combination, one.metric) for one in made.changes] == [
        (one.change.combination, one.change.metric) for one in found
    ]


@pytest.mark.parametrize(
    ("a", "b", "control", "reason"),
    [
        ({RUNC: [1] * 9, CRUN: []}, {RUNC: [1] * 9, CRUN: [1] * 9}, None, "no counted trial succeeded in A"),
        ({RUNC: [1] * 9, CRUN: [1] * 9}, {RUNC: [1] * 9, CRUN: []}, RUNC, "no counted trial succeeded in B"),
        ({RUNC: [], CRUN: [1] * 9}, {RUNC: [1] * 9, CRUN: [1] * 9}, RUNC, "no block of A has it and containerd/runc"),
        ({RUNC: [1] * 9, CRUN: [1] * 9}, {RUNC: [1] * 9, CRUN: [0] * 9}, None, "zero or below has no ratio (B)"),
        ({RUNC: [1] * 9, CRUN: [1] * 5}, {RUNC: [1] * 9, CRUN: [1] * 9}, None, "5 and 9 blocks, and an interval needs 6"),
    ],
)  # fmt: skip
def test_what_is_missing_has_a_reason(a: Values, b: Values, control: str | None, reason: str) -> None:
    change = changes(a, b, control)[CRUN, "Time"]
    assert reason in (change.reason or "")
    assert change.interval is None


def test_what_neither_run_has_is_not_there() -> None:
    assert (CRUN, "Time") not in changes({RUNC: [1] * 9, CRUN: []}, {RUNC: [1] * 9, CRUN: []})


def claims(control: str | None, drift: float, change: float = 1.0, n: int = 15) -> tuple[float, float]:
    """How often a change is claimed at p < 0.05, and how often the 95 % interval covers ``change``.

    The machine is slower by ``drift`` in B, and wanders from block to block in both.
    """
    rng, claimed, covered = np.random.default_rng(77), 0, 0
    for _ in range(R):
        sides = []
        for level in (1.0, drift):
            walk = np.exp(0.03 * np.cumsum(rng.standard_normal(n)))
            scale = np.where(rng.random((2, n)) < 0.05, 0.5, 0.1)
            own = np.exp(scale * rng.standard_normal((2, n)))
            crun = change if level is drift else 1.0
            sides.append({RUNC: list(level * walk * own[0]), CRUN: list(level * crun * walk * own[1])})
        found = changes(sides[0], sides[1], control)[CRUN, "Time"]
        assert found.interval is not None and found.p is not None
        claimed += found.p < 0.05
        covered += found.interval.low <= change <= found.interval.high
    return claimed / R, covered / R


def test_a_drifting_machine_is_no_change_with_a_control_and_one_without() -> None:
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / R)
    false, covered = claims(RUNC, 1.2)
    assert 0.01 < false <= allowed
    assert 0.93 <= covered <= 0.97
    assert claims(None, 1.2)[0] > 0.5


def test_a_true_change_is_covered_and_found_under_drift() -> None:
    claimed, covered = claims(RUNC, 1.2, change=1.2)
    assert 0.93 <= covered <= 0.97
    assert claimed > 0.7
