# SPDX-License-Identifier: Apache-2.0
"""Numbers as they are read: three digits, the unit that fits, a dash for what is missing."""

from __future__ import annotations

import pytest

from orchestrator.model.interval import Interval
from orchestrator.report.charts.forest import LADDERS, ratio_ticks
from orchestrator.report.numbers import MISSING, Scale, between, number, probability, ratio, scale_for


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1234"),
        (116.2, "116"),
        (73.46, "73.5"),
        (1.0, "1.00"),
        (0.59, "0.590"),
        (0.00512, "0.00512"),
        (0.0, "0"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_missing_is_a_dash_and_never_zero() -> None:
    assert number(None) == ratio(None) == between(None) == probability(None) == MISSING


@pytest.mark.parametrize(("largest", "unit"), [(7.2, "s"), (0.9, "ms"), (0.0004, "µs"), (0.0, "s")])
def test_seconds_become_finer_where_they_are_too_coarse(largest: float, unit: str) -> None:
    assert scale_for("s", [largest / 2, largest]).unit == unit
    assert scale_for("MB", [largest]).unit == "MB"


def test_intervals_and_probabilities() -> None:
    assert between(Interval(0.0697, 0.0747, 0.95), Scale(1000, "ms")) == "69.7–74.7"
    assert probability(0.0001) == "< 0.001"
    assert probability(0.031) == "0.031"


@pytest.mark.parametrize(("low", "high"), [(0.92, 1.09), (0.55, 1.11), (0.9, 2.4), (0.3, 1.1), (0.05, 12.0)])
def test_ratio_axes_have_one_and_few_ticks(low: float, high: float) -> None:
    ticks = ratio_ticks(low, high)
    assert 1 in ticks
    assert 3 <= len(ticks) <= 7
    assert all(low <= tick <= high for tick in ticks)
    assert all(1 in ladder for ladder in LADDERS)
