# SPDX-License-Identifier: Apache-2.0
"""Many comparisons: the false discovery rate for what a report claims, Holm for gates and rankings.

Y. Benjamini, Y. Hochberg: Controlling the false discovery rate. J. R. Statist. Soc. B 57 (1995) 289-300.
Y. Benjamini, D. Yekutieli: False discovery rate-adjusted multiple confidence intervals for selected parameters. J. Am. Statist.
Assoc. 100 (2005) 71-81.
S. Holm: A simple sequentially rejective multiple test procedure. Scand. J. Statist. 6 (1979) 65-70.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.model.estimates import Family


@dataclass(frozen=True, slots=True)
class Discoveries:
    """A family, and its adjusted p values (q) in the order given; None where there is no p."""

    family: Family
    adjusted: tuple[float | None, ...]


def discoveries(p_values: Sequence[float | None], rate: float = 0.05) -> Discoveries:
    """Benjamini-Hochberg over all of ``p_values``; a missing one counts as 1, for the family is what was planned.

    The intervals of the R that are claimed, of m comparisons, are at level 1 - R rate/m: of all intervals that stand in a claim,
    a share of ``rate`` at most is expected to miss (Benjamini, Yekutieli). As p <= R rate/m for each, none of them holds "no difference".
    """
    q_values = benjamini_hochberg([1.0 if p is None else p for p in p_values])
    count, size = sum(q < rate for q in q_values), len(p_values)
    level = 1 - rate * count / size if count else None
    family = Family(size=size, discoveries=count, rate=rate, level=level)
    adjusted = tuple(None if p is None else q for p, q in zip(p_values, q_values, strict=True))
    return Discoveries(family, adjusted)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values in the order given: reject where they are below alpha, and the family's error is below alpha."""
    m = len(p_values)
    adjusted, highest = [0.0] * m, 0.0
    for rank, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        highest = max(highest, (m - rank) * p_values[index])
        adjusted[index] = min(1.0, highest)
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values (q) in the order given: the false discovery rate at which each would be called."""
    m = len(p_values)
    adjusted, lowest = [0.0] * m, 1.0
    ranked = sorted(range(m), key=lambda i: p_values[i])
    for rank in range(m, 0, -1):
        index = ranked[rank - 1]
        lowest = min(lowest, p_values[index] * m / rank)
        adjusted[index] = lowest
    return adjusted
