# SPDX-License-Identifier: Apache-2.0
"""Many comparisons: Holm for what is claimed, Benjamini-Hochberg for what is only explored.

S. Holm: A simple sequentially rejective multiple test procedure. Scand. J. Statist. 6 (1979) 65-70.
Y. Benjamini, Y. Hochberg: Controlling the false discovery rate. J. R. Statist. Soc. B 57 (1995) 289-300.
"""

from __future__ import annotations

from collections.abc import Sequence


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
