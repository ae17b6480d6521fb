# SPDX-License-Identifier: Apache-2.0
"""How many blocks more would decide (STATISTICS.md, "What may be said" and "Many comparisons")."""

from __future__ import annotations

import math

from orchestrator.model.interval import Interval


def fewest_pairs(comparisons: int, alpha: float = 0.05) -> int:
    """Pairs without which an exact two-sided test can never survive Holm over ``comparisons``: n >= log2(2 m / alpha)."""
    return math.ceil(math.log2(2 * max(comparisons, 1) / alpha))


def more_blocks(pairs: int, interval: Interval, precision: float, comparisons: int = 1) -> int:
    """About N blocks more until the half-width w of ``interval`` (log scale) is ``precision`` (a share: 0.03).

    N = n((w/eps)^2 - 1), eps = ln(1 + precision); at least what the exact test needs; 0 where w is reached already.
    """
    w = (interval.high - interval.low) / 2
    by_precision = pairs * ((w / math.log1p(precision)) ** 2 - 1)
    return max(0, math.ceil(by_precision), fewest_pairs(comparisons) - pairs)
