# SPDX-License-Identifier: Apache-2.0
"""The paired estimate of stats/paired.py for very many comparisons at once: the same numbers, by arrays instead of one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from orchestrator.stats.paired import FEWEST, signed_rank_estimate, walsh_averages, walsh_rank

WIDE = 64
"""Beyond so many pairs a comparison is worth a search of its own (stats/walsh.py)."""
CELLS = 2_000_000
"""Walsh averages that are held at once: 16 MB."""
Found: TypeAlias = "tuple[float, float | None, float | None]"
"""Hodges-Lehmann estimate, and the ends of its interval (None below six pairs), log scale."""


def paired_estimates(differences: Sequence[NDArray[np.float64]], level: float = 0.95) -> list[Found | None]:
    """Of each of ``differences`` (shape (n,), any n): its estimate and interval; None where it has no pair."""
    found: list[Found | None] = [None] * len(differences)
    for n, indices in _by_length(differences).items():
        if n > WIDE:
            for index in indices:
                found[index] = _alone(differences[index], level)
            continue
        most = max(1, CELLS // (n * (n + 1) // 2))
        for start in range(0, len(indices), most):
            some = indices[start : start + most]
            rows = _together(np.stack([differences[index] for index in some]), level)
            for index, row in zip(some, rows, strict=True):
                found[index] = row
    return found


def _by_length(differences: Sequence[NDArray[np.float64]]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for index, one in enumerate(differences):
        if len(one):
            groups.setdefault(len(one), []).append(index)
    return groups


def _alone(differences: NDArray[np.float64], level: float) -> Found:
    estimate, (interval,) = signed_rank_estimate(differences, (level,))
    return (estimate, interval.low, interval.high) if interval else (estimate, None, None)


def _together(rows: NDArray[np.float64], level: float) -> list[Found]:
    """Of ``rows``, shape (comparisons, n)."""
    n = rows.shape[1]
    averages = walsh_averages(rows)
    total = averages.shape[1]
    middle = (averages[:, (total - 1) // 2] + averages[:, total // 2]) / 2
    k = walsh_rank(n, level) if n >= FEWEST else 0
    if k < 1:
        return [(value, None, None) for value in middle.tolist()]
    return list(
        zip(middle.tolist(), averages[:, k - 1].tolist(), averages[:, total - k].tolist(), strict=True)
    )
