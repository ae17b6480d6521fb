# SPDX-License-Identifier: Apache-2.0
"""The statistics prove themselves, in short: fixed seeds, a few thousand runs each. `python -m perf.simulate` is the long version.

First the arrays of tests/fixtures/simulations.py are held equal to the functions that a report uses: else they would prove nothing.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.stats import families, fleet, paired
from tests.fixtures import simulations
from tests.fixtures.simulations import EXPERIMENTS, OTHER_DESIGNS, POWER, Experiment

RUNS = 6000
SEED = 1


@pytest.mark.parametrize("n", [6, 13, 20])
def test_many_runs_at_once_have_the_numbers_that_each_alone_has(n: int) -> None:
    rows = simulations.World().logs(np.random.default_rng(n), 50, 2, n)
    differences = 0.05 + rows[:, 1] - rows[:, 0]
    p, middle = simulations.p_values(differences), simulations.estimates(differences)
    for level in (0.90, 0.95):
        low, high = simulations.intervals(differences, level)
        for index, row in enumerate(differences):
            estimate, (interval,) = paired.signed_rank_estimate(row, (level,))
            assert interval is not None
            assert (middle[index], low[index], high[index]) == pytest.approx(
                (estimate, interval.low, interval.high)
            )
            assert p[index] == pytest.approx(paired.signed_rank_p(row))


def test_many_families_at_once_have_the_numbers_that_each_alone_has() -> None:
    p = np.random.default_rng(1).random((40, 7)) ** 3
    for row, adjusted in zip(p, simulations.holm(p), strict=True):
        assert adjusted.tolist() == pytest.approx(families.holm(row.tolist()))
    for row, adjusted in zip(p, simulations.benjamini_hochberg(p), strict=True):
        assert adjusted.tolist() == pytest.approx(families.benjamini_hochberg(row.tolist()))


@pytest.mark.parametrize("machines", [3, 8])
def test_many_fleets_at_once_have_the_numbers_that_each_alone_has(machines: int) -> None:
    logs = np.random.default_rng(machines).normal(0.1, 0.2, (40, machines))
    mean, reach, p = simulations.fleets(logs)
    for index, row in enumerate(logs):
        alone = fleet.effect(row.tolist())
        assert (mean[index], mean[index] + reach[index], p[index]) == pytest.approx(
            (alone.mean, alone.interval.high, alone.p)
        )
        if alone.prediction is not None:
            further = reach[index] * math.sqrt(machines + 1)
            assert mean[index] + further == pytest.approx(alone.prediction.high)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: f"{one.subject}: {one.setting}")
def test_it_holds(experiment: Experiment) -> None:
    rate = experiment.rate(RUNS, SEED)
    assert experiment.fine(rate, RUNS), f"{rate:.4f}"
    assert experiment.error or rate < 1


def test_errors_do_happen() -> None:
    """A test that never claims anything would hold every bound on errors: about as many as are allowed must be made."""
    made = [one.rate(RUNS, SEED) for one in EXPERIMENTS if one.subject == "identical ones are told apart"]
    assert min(made) > 0.03


def test_what_is_not_done_would_err_where_blocks_do_not() -> None:
    rates = {one.setting: one.rate(RUNS, SEED) for one in OTHER_DESIGNS}
    assert rates["apart, drift, 20 pairs"] > 0.15
    assert rates["fixed, carry-over, 20 pairs"] > 0.15
    assert rates["random, drift, 20 pairs"] < 0.065
    assert rates["random, carry-over, 20 pairs"] < 0.065


def test_more_blocks_and_more_company_find_more() -> None:
    rates = {one.setting: one.rate(RUNS, SEED) for one in POWER}
    for share in ("half of the benchmarks", "one of ten benchmarks"):
        few, some, many = (rates[f"35 % in {share}, {n} blocks"] for n in (10, 12, 20))
        assert few < some < many
        assert some > 0.3
    for n in (10, 12, 20):
        assert (
            rates[f"35 % in half of the benchmarks, {n} blocks"]
            > rates[f"35 % in one of ten benchmarks, {n} blocks"]
        )
        assert (
            rates[f"35 % in half of the benchmarks, {n} blocks"]
            > rates[f"20 % in half of the benchmarks, {n} blocks"]
        )
