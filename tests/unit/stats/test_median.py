# SPDX-License-Identifier: Apache-2.0
"""The cell's interval: the formula's own numbers, and its coverage in simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.stats.median import median_bounds, median_interval, order_weights


def noise(rng: np.random.Generator, cells: int, n: int) -> NDArray[np.float64]:
    """Log-scale noise of 10 % with 5 % outliers of five times that: true median 1."""
    scale = np.where(rng.random((cells, n)) < 0.05, 0.5, 0.1)
    return np.asarray(np.exp(scale * rng.standard_normal((cells, n))))


def test_the_formula_by_hand_for_six_values() -> None:
    # P(Bin(6,1/2) <= 0) = 1/64, <= 1: 7/64; g_1 = 62/64, g_2 = 50/64; I = (62 - 60.8)/12 = 0.1; lam = 0.5/1.4
    k, lam = order_weights(6)
    assert k == 1
    assert lam == pytest.approx(0.5 / 1.4)
    interval = median_interval(np.array([6.0, 1.0, 5.0, 2.0, 4.0, 3.0]))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((1 + 0.5 / 1.4, 6 - 0.5 / 1.4))


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 1), (9, 2), (10, 2), (15, 4), (20, 6), (30, 10)])
def test_k_is_that_of_the_sign_test(n: int, k: int) -> None:
    # Tables of the sign test's 95 % interval (e.g. Conover 1999, table A3).
    assert order_weights(n)[0] == k


def test_below_six_values_there_is_no_interval() -> None:
    assert median_interval(np.arange(5.0)) is None
    with pytest.raises(ValueError, match="too few"):
        order_weights(5)


@pytest.mark.parametrize("n", [6, 10, 15, 20, 30])
def test_coverage_lies_between_93_and_97_percent(n: int) -> None:
    low, high = median_bounds(np.sort(noise(np.random.default_rng(n), 6000, n), axis=1))
    assert 0.93 <= float(np.mean((low <= 1) & (high >= 1))) <= 0.97
