# SPDX-License-Identifier: Apache-2.0
"""How many blocks, or machines, more would decide (STATISTICS.md, "What may be said" and "Many comparisons")."""

from __future__ import annotations

import math

from orchestrator.model.interval import Interval


def fewest_pairs(comparisons: int, alpha: float = 0.05) -> int:
    """Pairs without which an exact two-sided test can never survive Holm over ``comparisons``: n >= log2(2 m / alpha)."""
    return math.ceil(math.log2(2 * max(comparisons, 1) / alpha))


def more_blocks(pairs: int, interval: Interval, precision: float, comparisons: int = 1) -> int:
    """About N blocks more until the half-width of ``interval`` (log scale) is ``precision`` (a share: 0.03).

    At least what the exact test needs; 0 where the width is reached already.
    """
    return max(_more(pairs, interval, precision), fewest_pairs(comparisons) - pairs)


def more_machines(machines: int, interval: Interval, precision: float) -> int:
    """The same of Student's t interval over machines: machines like these, drawn as these were."""
    return _more(machines, interval, precision)


def _more(units: int, interval: Interval, precision: float) -> int:
    """N = n((w/eps)^2 - 1), w the half-width, eps = ln(1 + precision); not below 0."""
    w = (interval.high - interval.low) / 2
    return max(0, math.ceil(units * ((w / math.log1p(precision)) ** 2 - 1)))
