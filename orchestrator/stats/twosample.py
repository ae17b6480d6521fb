# SPDX-License-Identifier: Apache-2.0
"""Two samples that share no block: Hodges-Lehmann shift from the first to the second, rank-sum interval and test.

H. B. Mann, D. R. Whitney: On a test of whether one of two random variables is stochastically larger than the other.
Ann. Math. Statist. 18 (1947) 50-60: the test, and the recursion of its exact distribution.
J. L. Hodges, E. L. Lehmann: Estimates of location based on rank tests. Ann. Math. Statist. 34 (1963) 598-611: the estimate, the
median of all differences of a second value and a first one.
Hollander, Wolfe, Chicken: Nonparametric Statistical Methods, 3rd ed. 2014, sections 4.1 to 4.3: the interval from the ordered
differences (4.3), and the normal limits for large samples, used here with the continuity correction.

The model is a shift: both samples are of one shape. On the log scale that is one factor for all values. Where the spread is another,
samples of one size bear it (twice the spread, 15 and 15 values: 5.2 % false claims), and a smaller sample that is the noisier one does not
(30 values, and 10 of twice their spread: 10.9 %; R = 10,000). For what was measured in two runs; values that share a block know more of
each other (`orchestrator.stats.paired`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.interval import Interval

Floats = NDArray[np.float64]

EXACT = 10_000
"""Up to so many differences (100 values on each side) the distribution is the exact one, beyond it the normal limit.

At 101 values on each side the limit gives the ranks of the bounds at 95 % and 90 % to within one of 10,201 differences; with 6 on one
side and 1,700 on the other to within 17 of 10,200, where it is at its worst.
"""
FEWEST = 6
"""Values on each side below which no interval is given, as for a median and for pairs (STATISTICS.md, "Few samples")."""
DIRECT = 4_000_000
"""Up to so many differences all are made (32 MB); beyond, each that is wanted is enclosed by counting."""
HALVINGS = 100
ROUNDING = 1e-12


@cache
def rank_sum_probabilities(first: int, second: int) -> Floats:
    """P(U = u) for u = 0 .. first*second where both samples are of one distribution.

    U counts the pairs in which the second sample has the larger value. The largest value of all is of the first sample with
    probability i/(i+j), and then exceeds all j, else of the second, and then exceeds i: p(i,j,u) = i/(i+j) p(i-1,j,u) +
    j/(i+j) p(i,j-1,u-i).
    """
    if first > second:
        return rank_sum_probabilities(second, first)  # U and first*second - U have one distribution
    column = [np.ones(1)] * (second + 1)
    for i in range(1, first + 1):
        below = [np.ones(1)]
        for j in range(1, second + 1):
            found = np.zeros(i * j + 1)
            found[: (i - 1) * j + 1] += i / (i + j) * column[j]
            found[i:] += j / (i + j) * below[j - 1]
            below.append(found)
        column = below
    return column[second]


@cache
def difference_rank(first: int, second: int, level: float) -> int:
    """k: the interval runs from the k-th smallest to the k-th largest difference.

    k is the largest integer with 2 P(U <= k-1) <= 1 - level; 0 if the samples are too small for any.
    """
    if first * second > EXACT:
        z = NormalDist().inv_cdf((1 - level) / 2)
        deviation = math.sqrt(first * second * (first + second + 1) / 12)
        return max(0, math.floor(first * second / 2 + z * deviation + 0.5))
    below = np.cumsum(rank_sum_probabilities(first, second))
    return int(np.searchsorted(2 * below, (1 - level) * (1 + ROUNDING), side="right"))


def least_p(first: int, second: int) -> float:
    """The least two-sided p that samples of these sizes can have: that of two that do not overlap."""
    return min(1.0, 2 / math.comb(first + second, first))


def shift_estimate(
    first: Floats, second: Floats, levels: Sequence[float]
) -> tuple[float, tuple[Interval | None, ...]]:
    """The shift from ``first`` to ``second`` and its interval at each of ``levels`` (None below six values a side).

    Intervals are exact: coverage is at least the level. Raises ValueError for an empty sample.
    """
    total = len(first) * len(second)
    if not total:
        raise ValueError("a sample is empty")
    enough = min(len(first), len(second)) >= FEWEST
    bounds = [difference_rank(len(first), len(second), level) if enough else 0 for level in levels]
    wanted = [(total + 1) // 2, total // 2 + 1, *(rank for k in bounds if k for rank in (k, total + 1 - k))]
    found = dict(zip(wanted, _differences(first, second, wanted), strict=True))
    intervals = tuple(
        Interval(found[k], found[total + 1 - k], level) if k else None
        for k, level in zip(bounds, levels, strict=True)
    )
    return (found[wanted[0]] + found[wanted[1]]) / 2, intervals


def rank_sum_p(first: Floats, second: Floats) -> float | None:
    """Two-sided p of "both are of one distribution"; None where a sample is empty, or all values are equal.

    Exact up to EXACT differences where no two values are equal: the numbers of scipy's `mannwhitneyu`, from the distribution that is
    kept for the interval, in a fortieth of the time. Else scipy's normal limit, with the continuity correction and the variance of the
    mid-ranks (Hollander, Wolfe, Chicken, section 4.1).
    """
    values = np.concatenate([first, second])
    distinct = len(np.unique(values))
    if not len(first) or not len(second) or distinct == 1:
        return None
    if distinct == len(values) and len(first) * len(second) <= EXACT:
        return _exact_p(first, second)
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(first, second, method="asymptotic").pvalue)


def _exact_p(first: Floats, second: Floats) -> float:
    larger = int(np.searchsorted(np.sort(first), second).sum())
    tail = min(larger, len(first) * len(second) - larger)
    return min(1.0, 2 * float(rank_sum_probabilities(len(first), len(second))[: tail + 1].sum()))


def _differences(first: Floats, second: Floats, ranks: Sequence[int]) -> list[float]:
    """The differences of the given ``ranks``, from 1."""
    if len(first) * len(second) <= DIRECT:
        every = np.subtract.outer(second, first).ravel()
        indices = np.array(ranks) - 1
        return [float(value) for value in np.partition(every, np.unique(indices))[indices]]
    first, second = np.sort(first), np.sort(second)
    return [_enclosed(first, second, rank) for rank in ranks]


def _enclosed(first: Floats, second: Floats, rank: int) -> float:
    """The least value that ``rank`` differences do not exceed, to the last digits of a float, by bisection; both ascend."""
    low, high = float(second[0] - first[-1]), float(second[-1] - first[0])
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if int(np.searchsorted(second, first + middle, side="right").sum()) >= rank:
            high = middle
        else:
            low = middle
    return high
