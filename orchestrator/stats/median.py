# SPDX-License-Identifier: Apache-2.0
"""The median of one cell and its interval.

T. P. Hettmansperger, S. J. Sheather: Confidence intervals based on interpolated order statistics.
Statistics & Probability Letters 4 (1986) 75-79; formula and simulated coverage in STATISTICS.md.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.interval import Interval

EXACT = 1000
"""Up to so many values binomials are integers; above, floating-point numbers, of which 2^-n is too small to be one."""
FEWEST = 6
"""Below so many values a 95 % interval of a median does not exist: the range is shown, nothing is claimed."""


@cache
def order_weights(n: int, level: float = 0.95) -> tuple[int, float]:
    """``(k, lam)``: the interval runs from (1-lam) x_(k) + lam x_(k+1) to its mirror image.

    k is the largest integer with P(Bin(n, 1/2) <= k-1) <= (1-level)/2. Raises ValueError if there is none.
    """
    k, tail, term, total = _from_the_lowest(n)
    while 2 * (tail + term) <= (1 - level) * total:
        tail += term
        term = term * (n - k) // (k + 1) if isinstance(term, int) else term * (n - k) / (k + 1)
        k += 1
    if k == 0:
        raise ValueError(f"{n} values are too few for an interval of {level:.0%}")
    wider = 1 - 2 * tail / total
    narrower = 1 - 2 * (tail + term) / total
    share = (wider - level) / (wider - narrower)
    return k, (n - k) * share / (k + (n - 2 * k) * share)


def _from_the_lowest(n: int) -> tuple[int, float, float, float]:
    """``(k, sum below k, term of k, sum of all)`` of the binomials of n, to go on from; far below n/2 nothing counts.

    Nine standard deviations (of sqrt(n)/2) below the mean, less than 1e-18 of the whole is left out.
    """
    if n <= EXACT:
        return 0, 0, 1, 2**n
    k = math.floor(n / 2 - 4.5 * math.sqrt(n))
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    return k, 0.0, math.exp(log), 1.0


def median_interval(values: NDArray[np.float64], level: float = 0.95) -> Interval | None:
    """Hettmansperger-Sheather interval for the median of ``values`` (shape (n,), any unit); None for n < 6."""
    n = len(values)
    if n < FEWEST:
        return None
    low, high = median_bounds(np.sort(values)[np.newaxis, :], level)
    return Interval(float(low[0]), float(high[0]), level)


def median_bounds(
    ordered: NDArray[np.float64], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same for many cells at once: ``ordered`` is (cells, n), each row ascending; two arrays (cells,) come back."""
    n = ordered.shape[1]
    k, lam = order_weights(n, level)
    low = (1 - lam) * ordered[:, k - 1] + lam * ordered[:, k]
    high = (1 - lam) * ordered[:, n - k] + lam * ordered[:, n - k - 1]
    return low, high
