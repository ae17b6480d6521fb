# SPDX-License-Identifier: Apache-2.0
"""Very many samples as bins: a page can hold thousands of marks, not a million. Every sample is in a bin; none is left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.samples import Series

MOST = 2000
"""Marks that a figure shows one by one."""
VALUES = 40
"""Bins across the axis of the values."""
SPANS = 50
"""Spans of blocks across the axis of time."""


@dataclass(frozen=True, slots=True)
class Bar:
    """So many of a series' counted samples lie between two values; ``share`` is of the series' fullest bin."""

    low: float
    high: float
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Span:
    """Blocks ``first`` to ``last``: the median of their samples, and the 5 % and 95 % quantiles."""

    first: int
    last: int
    n: int
    median: float
    low: float
    high: float


def binned(samples: Sequence[Series]) -> bool:
    """Are there more samples than can be shown one by one?"""
    return sum(len(one.values) for one in samples) > MOST


def edges(samples: Sequence[Series]) -> NDArray[np.float64]:
    """One grid for all series, so that their bars can be compared. Raises ValueError where there is no counted sample."""
    counted = [one.values[~one.warmup] for one in samples]
    low, high = (float(f([f(one) for one in counted if len(one)])) for f in (np.min, np.max))
    return np.linspace(low, high if high > low else low + (abs(low) or 1.0) * 1e-6, VALUES + 1)


def bars(one: Series, grid: NDArray[np.float64]) -> list[Bar]:
    """The bins that hold anything."""
    counts, _ = np.histogram(one.values[~one.warmup], bins=grid)
    fullest = int(counts.max()) if len(counts) else 0
    return [
        Bar(float(grid[index]), float(grid[index + 1]), int(count), int(count) / fullest)
        for index, count in enumerate(counts)
        if count
    ]


def width(samples: Sequence[Series]) -> int:
    """Blocks in a span, the same for all series of a figure."""
    return max(1, math.ceil((last_block(samples) + 1) / SPANS))


def last_block(samples: Sequence[Series]) -> int:
    return max((int(one.blocks.max()) for one in samples if len(one.blocks)), default=0)


def spans(one: Series, blocks: int) -> list[Span]:
    """The series in spans of ``blocks`` blocks, warm-up left out."""
    numbers, values = one.blocks[~one.warmup], one.values[~one.warmup]
    order = np.argsort(numbers, kind="stable")
    keys, starts = np.unique(numbers[order] // blocks, return_index=True)
    found = []
    for key, array in zip(keys.tolist(), np.split(values[order], starts[1:]), strict=False):
        low, median, high = np.quantile(array, (0.05, 0.5, 0.95)).tolist()
        found.append(Span(key * blocks, (key + 1) * blocks - 1, len(array), median, low, high))
    return found


def ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring numbers joined: [1, 2, 3, 7] gives [(1, 3), (7, 7)]."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
