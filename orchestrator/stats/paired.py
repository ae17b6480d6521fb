# SPDX-License-Identifier: Apache-2.0
"""Two combinations on one host, paired by block: Hodges-Lehmann estimate, signed-rank interval and test.

F. Wilcoxon: Individual comparisons by ranking methods. Biometrics Bulletin 1 (1945) 80-83.
J. L. Hodges, E. L. Lehmann: Estimates of location based on rank tests. Ann. Math. Statist. 34 (1963) 598-611.
The interval from ordered Walsh averages is J. W. Tukey's (1949); Hollander, Wolfe, Chicken: Nonparametric
Statistical Methods, 3rd ed. 2014, section 3.3. What STATISTICS.md asks for: exact distribution, no approximation.

That holds up to EXACT pairs, three times as many as the stopping rule ever asks for. Beyond, the exact distribution costs
the cube of the pairs, and it is replaced by its normal limit with the continuity correction, the variance being that of the
ranks as they are, ties included (Hollander, Wolfe, Chicken, sections 3.1 and 3.3). At 200 pairs the limit gives the same ranks
of the bounds as the exact distribution, give or take one of 20,100 averages, and a p of 0.0047 for 0.0045: it errs to the safe
side. The Walsh averages themselves are exact for any n (`orchestrator.stats.walsh`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestrator.model.interval import Interval
from orchestrator.stats.walsh import walsh_order

EXACT = 200
"""Up to so many pairs the distribution is the exact one, beyond it the normal limit."""
FEWEST = 6
"""Below so many pairs the exact two-sided test can never reach p < 0.05, and no 95 % interval exists."""


DIGITS = 12
"""Decimals of a paired difference: two that are equal up to the last bits of their logarithms have equal ranks."""


def log_ratios(ours: ArrayLike, theirs: ArrayLike) -> NDArray[np.float64]:
    """``theirs`` to ``ours`` (shape (n,), above 0), log scale.

    Taken as ln b - ln a and rounded, so that a change and its reverse tie: ln(b/a) may differ from -ln(a/b) by one bit.
    """
    return np.asarray(np.round(np.log(theirs) - np.log(ours), DIGITS))


@cache
def rank_sum_counts(n: int) -> NDArray[np.float64]:
    """How many of the 2^n sign patterns give each signed-rank sum 0 .. n(n+1)/2. Exact in float64 for n <= 52."""
    return _subset_sums(np.arange(1, n + 1))


def _subset_sums(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.zeros(int(ranks.sum()) + 1)
    counts[0] = 1.0
    for rank in ranks:
        shifted = counts[: len(counts) - rank].copy()
        counts[rank:] += shifted
    return counts


@cache
def walsh_rank(n: int, level: float) -> int:
    """k: the interval runs from the k-th smallest to the k-th largest Walsh average.

    k is the largest integer with 2 P(T+ <= k-1) <= 1 - level; 0 if ``n`` is too small for any.
    """
    if n > EXACT:
        z = NormalDist().inv_cdf((1 - level) / 2)
        deviation = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return math.floor(n * (n + 1) / 4 + z * deviation + 0.5)
    below = np.cumsum(rank_sum_counts(n)) / 2.0**n
    return int(np.searchsorted(2 * below, 1 - level, side="right"))


def walsh_averages(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """All (d_i + d_j)/2 with i <= j, ascending: (..., n) gives (..., n(n+1)/2)."""
    n = differences.shape[-1]
    first, second = np.triu_indices(n)
    return np.sort((differences[..., first] + differences[..., second]) / 2, axis=-1)


def hodges_lehmann(differences: NDArray[np.float64]) -> float:
    """Median of the Walsh averages of ``differences`` (shape (n,), log scale). Raises ValueError for none."""
    return signed_rank_estimate(differences, ())[0]


def signed_rank_interval(differences: NDArray[np.float64], level: float = 0.95) -> Interval | None:
    """Exact interval of the Hodges-Lehmann estimate, log scale; None for n < 6, or too few for such a ``level``.

    Exact means: coverage is at least ``level``; for few pairs the steps are coarse (0.969 at n = 6).
    """
    n = len(differences)
    if n < FEWEST or walsh_rank(n, level) < 1:
        return None
    return signed_rank_estimate(differences, (level,))[1][0]


def signed_rank_estimate(
    differences: NDArray[np.float64], levels: Sequence[float]
) -> tuple[float, tuple[Interval | None, ...]]:
    """The Hodges-Lehmann estimate and its interval of each of ``levels`` (None for n < 6), out of one search.

    Raises ValueError for no pairs.
    """
    n = len(differences)
    if n == 0:
        raise ValueError("no pairs")
    total = n * (n + 1) // 2
    bounds = [walsh_rank(n, level) for level in levels] if n >= FEWEST else []
    ranks = [(total + 1) // 2, total // 2 + 1]
    ranks += [rank for k in bounds for rank in (k, total + 1 - k)]
    found = [float(value) for value in walsh_order(differences, ranks)]
    lows, highs = found[2::2], found[3::2]
    intervals = [Interval(*bound) for bound in zip(lows, highs, levels, strict=False)]
    return (found[0] + found[1]) / 2, tuple(intervals) or (None,) * len(levels)


def signed_rank_p(differences: NDArray[np.float64]) -> float | None:
    """Two-sided exact p of "the differences are symmetric about 0"; None where no difference is other than 0.

    Zeros are left out (Wilcoxon); equal sizes get their mean rank, and the distribution is the one given those ranks.
    Beyond EXACT pairs it is the normal limit.
    """
    nonzero = differences[differences != 0]
    if len(nonzero) == 0:
        return None
    doubled = _doubled_ranks(np.abs(nonzero))
    total = int(doubled.sum())
    positive = int(doubled[nonzero > 0].sum())
    if len(nonzero) > EXACT:
        return _normal_p(doubled, positive - total / 2)
    smaller = min(positive, total - positive)
    if len(np.unique(doubled)) == len(doubled):
        counts = rank_sum_counts(len(nonzero))[: smaller // 2 + 1]
    else:
        counts = _subset_sums(doubled)[: smaller + 1]
    return float(min(1.0, 2 * counts.sum() / 2.0 ** len(nonzero)))


def least_p(pairs: int) -> float:
    """The least two-sided p that ``pairs`` can have: all differences lie on one side of 0, and none is 0."""
    return 2.0 ** (1 - pairs)


def _normal_p(doubled: NDArray[np.int64], distance: float) -> float:
    """Two-sided, of a sum of doubled ranks so far from its mean; one step of the sum is 2, half of it is the correction."""
    deviation = math.sqrt(float((doubled.astype(np.float64) ** 2).sum())) / 2
    return math.erfc(max(abs(distance) - 1, 0.0) / deviation / math.sqrt(2))


def _doubled_ranks(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Twice the mid-ranks, so that they are integers."""
    _, inverse, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled: NDArray[np.int64] = (2 * last - counts + 1)[inverse]
    return doubled
