# SPDX-License-Identifier: Apache-2.0
"""Two combinations on one host, paired by block: Hodges-Lehmann estimate, signed-rank interval and test.

F. Wilcoxon: Individual comparisons by ranking methods. Biometrics Bulletin 1 (1945) 80-83.
J. L. Hodges, E. L. Lehmann: Estimates of location based on rank tests. Ann. Math. Statist. 34 (1963) 598-611.
The interval from ordered Walsh averages is J. W. Tukey's (1949); Hollander, Wolfe, Chicken: Nonparametric
Statistical Methods, 3rd ed. 2014, section 3.3. What STATISTICS.md asks for: exact distribution, no approximation.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.interval import Interval

FEWEST = 6
"""Below so many pairs the exact two-sided test can never reach p < 0.05, and no 95 % interval exists."""


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
    below = np.cumsum(rank_sum_counts(n)) / 2.0**n
    return int(np.searchsorted(2 * below, 1 - level, side="right"))


def walsh_averages(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """All (d_i + d_j)/2 with i <= j, ascending: (..., n) gives (..., n(n+1)/2)."""
    n = differences.shape[-1]
    first, second = np.triu_indices(n)
    return np.sort((differences[..., first] + differences[..., second]) / 2, axis=-1)


def hodges_lehmann(differences: NDArray[np.float64]) -> float:
    """Median of the Walsh averages of ``differences`` (shape (n,), log scale). Raises ValueError for none."""
    if len(differences) == 0:
        raise ValueError("no pairs")
    return float(np.median(walsh_averages(differences)))


def signed_rank_interval(differences: NDArray[np.float64], level: float = 0.95) -> Interval | None:
    """Exact interval of the Hodges-Lehmann estimate, log scale; None for n < 6.

    Exact means: coverage is at least ``level``; for few pairs the steps are coarse (0.969 at n = 6).
    """
    if len(differences) < FEWEST:
        return None
    k = walsh_rank(len(differences), level)
    averages = walsh_averages(differences)
    return Interval(float(averages[k - 1]), float(averages[-k]), level)


def signed_rank_p(differences: NDArray[np.float64]) -> float | None:
    """Two-sided exact p of "the differences are symmetric about 0"; None where no difference is other than 0.

    Zeros are left out (Wilcoxon); equal sizes get their mean rank, and the distribution is the one given those ranks.
    """
    nonzero = differences[differences != 0]
    if len(nonzero) == 0:
        return None
    doubled = _doubled_ranks(np.abs(nonzero))
    counts = _subset_sums(doubled)
    total = int(doubled.sum())
    positive = int(doubled[nonzero > 0].sum())
    smaller = min(positive, total - positive)
    return float(min(1.0, 2 * counts[: smaller + 1].sum() / 2.0 ** len(nonzero)))


def _doubled_ranks(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Twice the mid-ranks, so that they are integers."""
    _, inverse, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled: NDArray[np.int64] = (2 * last - counts + 1)[inverse]
    return doubled
