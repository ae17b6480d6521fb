# SPDX-License-Identifier: Apache-2.0
"""Paired comparison: against scipy and by hand, and its errors in simulation under drift, carry-over and outliers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from orchestrator.stats.paired import (
    hodges_lehmann,
    rank_sum_counts,
    signed_rank_interval,
    signed_rank_p,
    walsh_averages,
    walsh_rank,
)


def bounds(
    differences: NDArray[np.float64], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    averages, k = walsh_averages(differences), walsh_rank(differences.shape[1], level)
    return averages[:, k - 1], averages[:, -k]


def blocks(rng: np.random.Generator, runs: int, n: int) -> NDArray[np.float64]:
    """Differences of two identical combinations in random blocks: drift, a walk, carry-over to the second, outliers."""
    second = rng.integers(0, 2, (runs, n))
    when = 2 * np.arange(n) + np.stack([second, 1 - second])
    walk = np.cumsum(0.02 * rng.standard_normal((runs, 2 * n)), axis=1)
    environment = np.take_along_axis(walk, when[0], 1) - np.take_along_axis(walk, when[1], 1)
    drift = 0.01 * (when[0] - when[1])
    carried = 0.05 * (second - (1 - second))
    scale = np.where(rng.random((2, runs, n)) < 0.05, 0.5, 0.1)
    own = scale * rng.standard_normal((2, runs, n))
    return np.asarray(environment + drift + carried + own[0] - own[1])


def test_three_differences_by_hand() -> None:
    # Walsh averages of 1, 2, 6: 1, 1.5, 2, 3.5, 4, 6; their median is 2.75.
    assert hodges_lehmann(np.array([1.0, 2.0, 6.0])) == 2.75
    assert rank_sum_counts(3).tolist() == [1, 1, 1, 2, 1, 1, 1]


@pytest.mark.parametrize("n", [6, 9, 20, 40])
def test_p_is_scipys_exact_one(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.05, 0.1, n)
    assert signed_rank_p(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)


def test_ties_and_zeros_are_those_of_the_conditional_distribution() -> None:
    # Zero left out; |d| = 1, 1, 2 has ranks 1.5, 1.5, 3: T- = 1.5 with patterns {}, {1.5}, {1.5'}: 2 * 3/8.
    assert signed_rank_p(np.array([0.0, -1.0, 1.0, 2.0])) == pytest.approx(0.75)
    assert signed_rank_p(np.zeros(8)) is None


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 4), (10, 9), (20, 53), (30, 138)])
def test_the_rank_of_the_bounds_is_that_of_the_tables(n: int, k: int) -> None:
    # Wilcoxon's critical values at two-sided 0.05 are 0, 3, 8, 52, 137: k is one more.
    assert walsh_rank(n, 0.95) == k


def test_a_bound_whose_probability_is_just_what_is_allowed_is_taken() -> None:
    # Of six pairs P(T+ = 0) = 1/64: twice that is all that a level of 1 - 2/64 leaves.
    assert walsh_rank(6, 1 - 2 / 64) == 1
    assert walsh_rank(6, 1 - 1.9 / 64) == 0


def test_interval_and_test_agree() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        differences = rng.normal(0.06, 0.1, int(rng.integers(6, 25)))
        interval, p = signed_rank_interval(differences), signed_rank_p(differences)
        assert interval is not None
        assert p is not None
        assert (interval.low > 0 or interval.high < 0) == (p <= 0.05)
        assert interval.low <= hodges_lehmann(differences) <= interval.high


def test_five_pairs_give_no_interval() -> None:
    assert signed_rank_interval(np.arange(5.0)) is None


@pytest.mark.parametrize("n", [10, 15, 20])
def test_coverage_lies_between_93_and_97_percent(n: int) -> None:
    rng = np.random.default_rng(n)
    scale = np.where(rng.random((4000, n)) < 0.05, 0.5, 0.1)
    low, high = bounds(0.1 + scale * rng.standard_normal((4000, n)))
    assert 0.93 <= float(np.mean((low <= 0.1) & (high >= 0.1))) <= 0.97


@pytest.mark.parametrize("n", [6, 10, 20])
def test_identical_runtimes_are_told_apart_in_at_most_five_percent(n: int) -> None:
    runs = 4000
    low, high = bounds(blocks(np.random.default_rng(100 + n), runs, n))
    claims = float(np.mean((low > 0) | (high < 0)))
    assert claims <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)
    assert claims > 0.01
