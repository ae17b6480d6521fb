# SPDX-License-Identifier: Apache-2.0
"""Gates: on which side of the limit the whole interval lies, and how often that is wrong where the truth is just at the limit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.model.comparison import Standing
from orchestrator.model.interval import Interval
from orchestrator.stats.gates import standing
from orchestrator.stats.twosample import shift_estimate

R = 2000


@pytest.mark.parametrize(
    ("low", "high", "at_most", "wanted"),
    [
        (0.97, 1.04, True, Standing.PASSED),
        (0.97, 1.05, True, Standing.PASSED),
        (0.97, 1.06, True, Standing.UNDECIDED),
        (1.05, 1.10, True, Standing.UNDECIDED),
        (1.06, 1.10, True, Standing.FAILED),
        (1.06, 1.10, False, Standing.PASSED),
        (1.05, 1.10, False, Standing.PASSED),
        (1.04, 1.10, False, Standing.UNDECIDED),
        (0.97, 1.05, False, Standing.UNDECIDED),
        (0.97, 1.04, False, Standing.FAILED),
    ],
)
def test_the_whole_interval_decides(low: float, high: float, at_most: bool, wanted: Standing) -> None:
    assert standing(Interval(low, high, 0.9), 1.05, at_most=at_most) is wanted


@pytest.mark.parametrize("at_most", [True, False])
def test_without_an_interval_nothing_is_decided(at_most: bool) -> None:
    assert standing(None, 1.05, at_most=at_most) is Standing.UNDECIDED


@pytest.mark.parametrize("at_most", [True, False])
def test_where_the_change_is_just_at_the_limit_either_answer_is_given_in_at_most_5_percent(
    at_most: bool,
) -> None:
    rng, limit, counts = np.random.default_rng(33 + at_most), 1.05, dict.fromkeys(Standing, 0)
    for _ in range(R):
        scale = np.where(rng.random(30) < 0.05, 0.5, 0.1)
        values = scale * rng.standard_normal(30)
        found = shift_estimate(values[:15], values[15:] + math.log(limit), (0.9,))[1][0]
        assert found is not None
        interval = Interval(math.exp(found.low), math.exp(found.high), 0.9)
        counts[standing(interval, limit, at_most=at_most)] += 1
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / R)
    assert 0.02 < counts[Standing.PASSED] / R <= allowed
    assert 0.02 < counts[Standing.FAILED] / R <= allowed


def test_what_is_far_from_the_limit_is_decided() -> None:
    rng, passed = np.random.default_rng(5), 0
    for _ in range(300):
        values = 0.03 * rng.standard_normal(40)
        found = shift_estimate(values[:20], values[20:], (0.9,))[1][0]
        assert found is not None
        interval = Interval(math.exp(found.low), math.exp(found.high), 0.9)
        passed += standing(interval, 1.05, at_most=True) is Standing.PASSED
    assert passed > 290
