# SPDX-License-Identifier: Apache-2.0
"""A knee is found where one was put, and none in what has none."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.stats.knee import Knee, knee

X = np.arange(50.0)
NOISE = np.random.default_rng(5).standard_normal((400, 50))


def test_the_place_and_both_slopes_of_a_bend_without_noise() -> None:
    found = knee(X, 100 + 0.5 * X + 3.0 * np.maximum(0.0, X - 20))
    assert isinstance(found, Knee)
    assert found.at == 20
    assert found.level == pytest.approx(110)
    assert found.before == pytest.approx(0.5)
    assert found.after == pytest.approx(3.5)


def test_a_bend_in_noise_is_found_near_its_place() -> None:
    level = 100 + 2.0 * np.maximum(0.0, X - 30)
    found = [knee(X, level + 3 * noise) for noise in NOISE]
    places = [one.at for one in found if isinstance(one, Knee)]
    assert len(places) == len(found)
    assert 29 <= np.median(places) <= 31
    assert max(abs(place - 30) for place in places) <= 5


@pytest.mark.parametrize(
    ("level", "most"),
    [(100 + 0 * X, 0.01), (100 + 2.0 * X, 0.02), (np.where(X == 0, 180.0, 100.0), 0.01)],
    ids=["flat", "steady rise", "slow first"],
)
def test_noise_has_none(level: np.ndarray, most: float) -> None:
    found = [knee(X, level + 5 * noise) for noise in NOISE]
    assert np.mean([isinstance(one, Knee) for one in found]) <= most


@pytest.mark.parametrize(
    ("y", "why"),
    [
        (100 + 3.0 * X, "a straight line describes it as well"),
        (100 + 0 * X, "a straight line describes it as well"),
        (100 + 3.0 * np.minimum(X, 20), "it bends the other way: it rises less later on"),
        (200 - 3.0 * np.minimum(X, 20), "behind its bend it rises by less than 5%"),
        (100 + 0.1 * np.maximum(0.0, X - 20), "behind its bend it rises by less than 5%"),
    ],
    ids=["line", "flat", "levels out", "falls, then flat", "small"],
)
def test_what_has_none_says_why(y: np.ndarray, why: str) -> None:
    assert knee(X, y) == why


def test_few_points_have_none() -> None:
    bent = 100 + 9.0 * np.maximum(0.0, X - 5)
    assert knee(X[:9], bent[:9]) == "9 of the 10 points that a knee needs"
    assert isinstance(knee(X[:10], bent[:10]), Knee)
