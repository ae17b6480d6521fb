# SPDX-License-Identifier: Apache-2.0
"""Chosen order statistics of the Walsh averages (d_i + d_j)/2, i <= j, of n differences: exact for any n, never all n(n+1)/2.

With the differences in ascending order each row i of the averages is ascending too, so that how many lie below a value is n
binary searches. Up to some hundred differences the averages are simply made; above, two values that enclose the wanted ranks
are taken from a systematic sample of them, checked by counting, and only the averages between the two are made
(the matrix search of D. B. Johnson, T. Mizoguchi: Selecting the Kth element in X + Y. SIAM J. Comput. 7 (1978) 147-153,
with the sampled bounds of R. W. Floyd, R. L. Rivest: Expected time bounds for selection. Comm. ACM 18 (1975) 165-172;
J. F. Monahan: Algorithm 616. ACM TOMS 10 (1984) 265-270 does the same for the median). What comes out are the very numbers
that sorting all averages would give, not approximations of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

DIRECT = 400
"""Up to so many differences (80,200 averages) all averages are made."""
SAMPLE, SLACK = 8_192, 32
"""Averages in a sample, and how far beside a wanted one its bounds are taken: too near costs a round, never a wrong number."""
MOST = 2_000_000
"""Ranks further apart than so many averages are looked for one by one, so that these are never held at once."""


def walsh_order(differences: Floats, ranks: Sequence[int]) -> Floats:
    """The averages of the given ``ranks`` (from 1 to n(n+1)/2, in any order) of ``differences`` (shape (n,))."""
    n = len(differences)
    if n <= DIRECT:
        first, second = _pairs(n)
        averages = (differences[first] + differences[second]) / 2
        indices = np.array(ranks) - 1
        return np.asarray(np.partition(averages, np.unique(indices))[indices])
    ordered, found = np.sort(differences), dict[int, float]()
    sample = _sample(ordered, np.arange(n), np.full(n, n))
    for group in _near(sorted(set(ranks)), min(MOST, n * n // 128)):
        found.update(zip(group, _select(ordered, group, sample), strict=True))
    return np.array([found[rank] for rank in ranks])


def _near(ranks: Sequence[int], reach: int) -> list[list[int]]:
    """Ascending ranks in groups that are no wider than ``reach``: what lies between two groups need not be made."""
    groups: list[list[int]] = []
    for rank in ranks:
        if groups and rank - groups[-1][0] < reach:
            groups[-1].append(rank)
        else:
            groups.append([rank])
    return groups


@lru_cache(maxsize=8)
def _pairs(n: int) -> tuple[Indices, Indices]:
    first, second = np.triu_indices(n)
    return first, second


def _select(ordered: Floats, ranks: Sequence[int], sample: Floats | None) -> Floats:
    """``ranks`` ascend; ``sample`` is of all averages.

    Row i holds the averages of i with low[i] <= j < high[i]; ``below`` were left out as too small.
    """
    n = len(ordered)
    low, high, below = np.arange(n), np.full(n, n), 0
    span, slack = ranks[-1] - ranks[0] + 1, SLACK
    while (total := int((high - low).sum())) > 2 * span + 4 * SAMPLE:
        sample = _sample(ordered, low, high) if sample is None else sample
        first, last = ((rank - below) / total * SAMPLE for rank in (ranks[0], ranks[-1]))
        floor = sample[int(first) - slack] if first >= slack else -np.inf
        ceiling = sample[int(last) + slack] if last + slack < SAMPLE else np.inf
        start = np.clip(_count(ordered, float(floor), inclusive=False), low, high)
        stop = np.clip(_count(ordered, float(ceiling), inclusive=True), start, high)
        under = below + int((start - low).sum())
        if under >= ranks[0] or under + int((stop - start).sum()) < ranks[-1]:
            slack *= 4  # the sample was unlucky
            continue
        if (start == low).all() and (stop == high).all():
            break  # many equal averages: nothing more can be left out
        low, high, below, sample = start, stop, under, None
    lengths = high - low
    rows = np.repeat(np.arange(n), lengths)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths - low, lengths)
    averages = (ordered[rows] + ordered[columns]) / 2
    indices = np.array(ranks) - below - 1
    return np.asarray(np.partition(averages, indices)[indices])


def _sample(ordered: Floats, low: Indices, high: Indices) -> Floats:
    """Averages at even steps through the rows, ascending: as the rows are ascending, they stand for all of them evenly."""
    ends = np.cumsum(high - low)
    positions = ((np.arange(SAMPLE) + 0.5) * (int(ends[-1]) / SAMPLE)).astype(np.int64)
    rows = np.searchsorted(ends, positions, side="right")
    columns = high[rows] - (ends[rows] - positions)
    return np.asarray(np.sort((ordered[rows] + ordered[columns]) / 2))


def _count(ordered: Floats, value: float, *, inclusive: bool) -> Indices:
    """For each row i the index of its first average above ``value`` (not below it, unless ``inclusive``), in i .. n.

    The search is for the other side of the average; rounding may put it one off, so it is set right by the average itself.
    """
    n = len(ordered)
    if np.isinf(value):
        return np.full(n, n if value > 0 else 0)
    index = np.searchsorted(ordered, 2 * value - ordered, side="right" if inclusive else "left")
    while True:
        at, before = np.minimum(index, n - 1), np.maximum(index - 1, 0)
        up = (index < n) & _within((ordered + ordered[at]) / 2, value, inclusive)
        down = (index > 0) & ~_within((ordered + ordered[before]) / 2, value, inclusive)
        if not (up | down).any():
            return np.asarray(index)
        index = index + up - down


def _within(averages: Floats, value: float, inclusive: bool) -> NDArray[np.bool_]:
    return np.asarray(averages <= value if inclusive else averages < value)
