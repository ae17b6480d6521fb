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

FEWEST = 6
"""Below so many values a 95 % interval of a median does not exist: the range is shown, nothing is claimed."""


@cache
def order_weights(n: int, level: float = 0.95) -> tuple[int, float]:
    """``(k, lam)``: the interval runs from (1-lam) x_(k) + lam x_(k+1) to its mirror image.

    k is the largest integer with P(Bin(n, 1/2) <= k-1) <= (1-level)/2. Raises ValueError if there is none.
    """
    tail, total, k = 0, 2**n, 0
    while 2 * (tail + math.comb(n, k)) <= (1 - level) * total:
        tail += math.comb(n, k)
        k += 1
    if k == 0:
        raise ValueError(f"{n} values are too few for an interval of {level:.0%}")
    wider = 1 - 2 * tail / total
    narrower = 1 - 2 * (tail + math.comb(n, k)) / total
    share = (wider - level) / (wider - narrower)
    return k, (n - k) * share / (k + (n - 2 * k) * share)


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
