# SPDX-License-Identifier: Apache-2.0
"""The shift between two samples: by hand, against scipy and brute force, as properties, and its errors in simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from orchestrator.model.interval import Interval
from orchestrator.stats import twosample
from orchestrator.stats.twosample import (
    EXACT,
    difference_rank,
    least_p,
    rank_sum_p,
    rank_sum_probabilities,
    shift_estimate,
)

Floats = NDArray[np.float64]
R = 2000
sizes = st.integers(6, 25)
seeds = st.integers(0, 2**32 - 1)


def sample(seed: int, n: int, shift: float = 0.0) -> Floats:
    return np.random.default_rng(seed).normal(shift, 0.1, n)


def bounds(first: Floats, second: Floats, level: float = 0.95) -> Interval:
    found = shift_estimate(first, second, (level,))[1][0]
    assert found is not None
    return found


def test_the_estimate_by_hand() -> None:
    # 4 and 9 less 1, 2 and 6: -2, 2, 3, 3, 7, 8; the middle two are 3 and 3. With 10 for 9: -2, 2, 3, 4, 8, 9.
    assert shift_estimate(np.array([1.0, 2.0, 6.0]), np.array([4.0, 9.0]), ())[0] == 3.0
    assert shift_estimate(np.array([1.0, 2.0, 6.0]), np.array([4.0, 10.0]), ())[0] == 3.5


@pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 4), (5, 3), (6, 6)])
def test_the_distribution_is_that_of_all_divisions(first: int, second: int) -> None:
    """Every way to choose which ranks are the second sample's, counted out."""
    counts = np.zeros(first * second + 1)
    for chosen in itertools.combinations(range(first + second), second):
        counts[sum(rank - place for place, rank in enumerate(chosen))] += 1
    assert rank_sum_probabilities(first, second) == pytest.approx(counts / math.comb(first + second, first))


@pytest.mark.parametrize(("n", "m", "k"), [(6, 6, 6), (8, 8, 14), (10, 10, 24), (20, 20, 128), (6, 10, 12)])
def test_the_rank_of_the_bounds_is_that_of_the_tables(n: int, m: int, k: int) -> None:
    # Critical values of U, two-sided 0.05: 5, 13, 23, 127, 11; k is one more.
    assert difference_rank(n, m, 0.95) == difference_rank(m, n, 0.95) == k


@pytest.mark.parametrize(("first", "second"), [(101, 101), (60, 200)])
def test_the_normal_limit_gives_the_ranks_of_the_exact_distribution(first: int, second: int) -> None:
    assert first * second > EXACT
    below = 2 * np.cumsum(rank_sum_probabilities(first, second))
    for level in (0.95, 0.90):
        exact = int(np.searchsorted(below, 1 - level, side="right"))
        assert abs(difference_rank(first, second, level) - exact) <= 1


@pytest.mark.parametrize(("first", "second"), [(6, 6), (7, 12), (20, 20), (45, 60)])
def test_p_is_scipys_exact_one(first: int, second: int) -> None:
    a, b = sample(first, first), sample(second + 1, second, 0.07)
    assert rank_sum_p(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)


def test_ties_and_large_samples_have_the_limit() -> None:
    tied = np.round(sample(1, 20), 1), np.round(sample(2, 25, 0.05), 1)
    large = sample(3, 300), sample(4, 200, 0.01)
    for a, b in (tied, large):
        expected = stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=True).pvalue
        assert rank_sum_p(a, b) == pytest.approx(expected)
    assert rank_sum_p(*tied) != pytest.approx(stats.mannwhitneyu(*tied, method="exact").pvalue)


def test_where_nothing_can_be_told_there_is_no_p() -> None:
    assert rank_sum_p(np.ones(8), np.ones(8)) is None
    assert rank_sum_p(np.ones(0), np.ones(8)) is None


def test_the_least_p_is_that_of_samples_that_do_not_overlap() -> None:
    assert least_p(6, 7) == pytest.approx(rank_sum_p(np.arange(6.0), np.arange(10.0, 17.0)))


def test_five_values_have_an_estimate_and_no_interval() -> None:
    assert shift_estimate(np.arange(5.0), np.arange(20.0) + 10, (0.95, 0.9))[1] == (None, None)
    assert shift_estimate(np.arange(6.0), np.arange(20.0) + 10, (0.95,))[1][0] is not None
    with pytest.raises(ValueError, match="empty"):
        shift_estimate(np.empty(0), np.ones(3), ())


@given(seeds, sizes, sizes)
@settings(deadline=None, max_examples=60)
def test_the_bounds_are_those_of_all_differences(seed: int, n: int, m: int) -> None:
    a, b = sample(seed, n), sample(seed + 1, m)
    every = sorted(float(y - x) for x in a for y in b)
    estimate, (interval,) = shift_estimate(a, b, (0.95,))
    k = difference_rank(n, m, 0.95)
    assert interval == Interval(every[k - 1], every[-k], 0.95)
    assert estimate == pytest.approx(float(np.median(every)))


@given(seeds, sizes, sizes, st.floats(-2, 2), st.floats(-2, 2))
@settings(deadline=None, max_examples=60)
def test_what_is_added_to_either_side_is_in_the_shift(
    seed: int, n: int, m: int, one: float, other: float
) -> None:
    a, b = sample(seed, n), sample(seed + 1, m)
    estimate, (interval,) = shift_estimate(a, b, (0.95,))
    moved, (shifted,) = shift_estimate(a + one, b + other, (0.95,))
    assert interval and shifted
    assert moved == pytest.approx(estimate + other - one, abs=1e-9)
    assert shifted.low == pytest.approx(interval.low + other - one, abs=1e-9)
    assert shifted.high == pytest.approx(interval.high + other - one, abs=1e-9)


@given(seeds, sizes, sizes)
@settings(deadline=None, max_examples=60)
def test_the_other_way_round_it_is_turned_round(seed: int, n: int, m: int) -> None:
    a, b = sample(seed, n), sample(seed + 1, m, 0.05)
    estimate, (interval,) = shift_estimate(a, b, (0.9,))
    back, (turned,) = shift_estimate(b, a, (0.9,))
    assert interval and turned
    assert (back, turned.low, turned.high) == pytest.approx((-estimate, -interval.high, -interval.low))
    assert rank_sum_p(a, b) == pytest.approx(rank_sum_p(b, a))


@given(seeds, sizes, sizes)
@settings(deadline=None, max_examples=60)
def test_the_order_of_values_says_nothing(seed: int, n: int, m: int) -> None:
    a, b = sample(seed, n), sample(seed + 1, m)
    assert shift_estimate(a[::-1], np.sort(b), (0.95,)) == shift_estimate(a, b, (0.95,))


@given(seeds, sizes, sizes)
@settings(deadline=None, max_examples=100)
def test_p_is_scipys_for_any_sizes(seed: int, n: int, m: int) -> None:
    a, b = sample(seed, n), sample(seed + 1, m, 0.05)
    assert rank_sum_p(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)


@given(seeds, sizes, sizes)
@settings(deadline=None, max_examples=100)
def test_interval_and_test_agree(seed: int, n: int, m: int) -> None:
    a, b = sample(seed, n), sample(seed + 1, m, 0.08)
    interval, p = bounds(a, b), rank_sum_p(a, b)
    assert p is not None
    assert (interval.low > 0 or interval.high < 0) == (p <= 0.05)


def test_very_many_values_give_what_all_differences_would(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = sample(7, 300), sample(8, 211, 0.2)
    made, intervals = shift_estimate(a, b, (0.95, 0.9))
    monkeypatch.setattr(twosample, "DIRECT", 0)
    estimate, enclosed = shift_estimate(a, b, (0.95, 0.9))
    assert estimate == pytest.approx(made, abs=1e-12)
    for one, other in zip(intervals, enclosed, strict=True):
        assert one and other
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(10, 10), (15, 15), (20, 12)])
def test_coverage_lies_between_93_and_97_percent_and_false_positives_below_5(n: int, m: int) -> None:
    """Log-scale noise with 5 % outliers, as in STATISTICS.md."""
    rng, shift, covered, false = np.random.default_rng(n * m), 0.05, 0, 0
    for _ in range(R):
        scale = np.where(rng.random(n + m) < 0.05, 0.5, 0.1)
        values = scale * rng.standard_normal(n + m)
        interval, p = bounds(values[:n], values[n:] + shift), rank_sum_p(values[:n], values[n:])
        covered += interval.low <= shift <= interval.high
        false += p is not None and p < 0.05
    assert 0.93 <= covered / R <= 0.97
    assert 0.01 < false / R <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / R)
