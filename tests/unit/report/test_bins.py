# SPDX-License-Identifier: Apache-2.0
"""Very many samples: every one is in a bin, and the extremes are seen."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.model.samples import Series
from orchestrator.report.bins import MOST, SPANS, bars, binned, edges, ranges, spans, width


def series(values: np.ndarray, warmup: int = 1) -> Series:
    blocks = np.arange(len(values))
    return Series("h1", "b", "m", "s", "c", values, blocks, None, blocks < warmup)


def test_up_to_two_thousand_marks_are_shown_one_by_one() -> None:
    assert not binned([series(np.ones(MOST // 2))] * 2)
    assert binned([series(np.ones(MOST // 2))] * 2 + [series(np.ones(1))])


def test_every_counted_sample_is_in_one_bar() -> None:
    values = np.random.default_rng(1).lognormal(0, 0.3, 5000)
    values[0] = 1000.0  # warm-up: it must not stretch the axis
    many = [series(values), series(values[:50] + 9)]
    grid = edges(many)
    assert grid[0] == min(one.values[1:].min() for one in many)
    assert grid[-1] == max(one.values[1:].max() for one in many) < 100
    for one in many:
        found = bars(one, grid)
        assert sum(bar.count for bar in found) == len(one.values) - 1
        assert max(bar.share for bar in found) == 1
        assert all(bar.count for bar in found)


def test_values_that_are_all_the_same_have_a_bar() -> None:
    one = series(np.full(3000, 0.25))
    assert [bar.count for bar in bars(one, edges([one]))] == [2999]


def test_spans_are_the_quantiles_of_their_blocks() -> None:
    values = np.random.default_rng(2).normal(10, 1, 1001)
    one = series(values)
    blocks = width([one])
    found = spans(one, blocks)
    assert blocks == 21
    assert len(found) <= SPANS
    assert sum(span.n for span in found) == 1000
    assert (found[1].first, found[1].last) == (21, 41)
    inside = values[21:42]
    assert (found[1].low, found[1].median, found[1].high) == pytest.approx(
        np.quantile(inside, (0.05, 0.5, 0.95))
    )


def test_neighbours_are_one_range() -> None:
    assert ranges([7, 2, 1, 3, 3]) == [(1, 3), (7, 7)]
    assert ranges([]) == []
