# SPDX-License-Identifier: Apache-2.0
"""How many more blocks or machines would decide: the formulas by hand, and what happens at their ends."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from orchestrator.model.estimates import Family
from orchestrator.model.interval import Interval
from orchestrator.stats.paired import least_p, signed_rank_estimate, signed_rank_p
from orchestrator.stats.planning import Sample, fewest_pairs, more_units, standard_error

FAMILY = Family(size=102, discoveries=0, rate=0.05, level=None)
MARGIN = 0.05


@pytest.mark.parametrize(("comparisons", "blocks"), [(30, 11), (102, 12), (600, 15), (1, 6)])
def test_the_fewest_pairs_of_a_difference_that_stands_alone(comparisons: int, blocks: int) -> None:
    assert fewest_pairs(comparisons) == blocks
    assert least_p(blocks) * comparisons <= 0.05 < least_p(blocks - 1) * comparisons


def test_the_standard_error_is_the_half_width_by_students_t() -> None:
    assert standard_error(Interval(-0.1, 0.3, 0.95), 10) == pytest.approx(0.2 / stats.t.ppf(0.975, 9))


def test_a_difference_far_beyond_the_margin_needs_what_the_exact_test_needs() -> None:
    """gVisor's 36-fold memory in 11 blocks: one more block is advice, not a thousand."""
    sure = Sample(11, math.log(36), 0.01, least_p(11), agree=True)
    more = more_units(sure, FAMILY, MARGIN)
    assert more is not None
    assert (more.number, more.at_least) == (1, False)


def test_company_lowers_what_a_difference_needs() -> None:
    sure = Sample(6, math.log(2), 0.01, least_p(6), agree=True)
    alone, company = (more_units(sure, replace(FAMILY, discoveries=r), MARGIN) for r in (0, 50))
    assert alone is not None
    assert company is not None
    assert (alone.number, company.number) == (6, 1)


def test_the_number_by_hand() -> None:
    """n' = n ((z_{a/2} + .84) / z_p)^2 where the signs are mixed; a = .05 (R+1)/m."""
    sample = Sample(12, math.log(1.3), 0.1, 0.02, agree=False)
    a = 0.05 / 102
    wanted = 12 * ((stats.norm.isf(a / 2) + 0.84) / stats.norm.isf(0.01)) ** 2
    more = more_units(sample, FAMILY, MARGIN)
    assert more is not None
    assert more.number == math.ceil(wanted) - 12


def test_just_beyond_the_margin_it_says_at_least() -> None:
    limit = math.log1p(MARGIN)
    near = Sample(12, limit + 0.008, 0.03, 0.01, agree=False)
    more = more_units(near, FAMILY, MARGIN)
    assert more is not None
    assert more.at_least
    assert more.number == math.ceil(12 * (0.84 * 0.03 / 0.008) ** 2) - 12


def test_within_the_margin_it_is_until_nothing_of_practical_size_is_left() -> None:
    sample = Sample(12, 0.01, 0.03, 0.5, agree=False)
    more = more_units(sample, FAMILY, MARGIN)
    wanted = 12 * ((1.645 + 0.84) * 0.03 / (math.log(1.05) - 0.005)) ** 2
    assert more is not None
    assert more.number == math.ceil(wanted) - 12


def test_a_precise_estimate_near_the_margin_is_not_decided_by_more() -> None:
    assert more_units(Sample(60, 0.045, 0.002, 1e-9, agree=True), FAMILY, MARGIN) is None


@pytest.mark.parametrize("p", [0.9, 1.0])
def test_too_many_are_no_number(p: float) -> None:
    more = more_units(Sample(10, 0.2, 0.5, p, agree=False), FAMILY, MARGIN)
    assert more is not None
    assert more.number is None
    assert more.scatter == pytest.approx(math.expm1(0.5 * math.sqrt(10)))


def test_machines_have_no_floor_of_signs() -> None:
    fleet = Sample(3, math.log(2), 0.01, 1e-4, agree=False, exact=False)
    more = more_units(fleet, FAMILY, MARGIN)
    assert more is not None
    assert (
        more.number
        == math.ceil(3 * ((stats.norm.isf(0.05 / 102 / 2) + 0.84) / stats.norm.isf(1e-4 / 2)) ** 2) - 3
    )
    assert more.number is not None
    assert more.number < fewest_pairs(102) - 3


@pytest.mark.parametrize("size", [1.2, 1.3])
def test_the_promised_number_comes_true_in_four_of_five(size: float) -> None:
    """Draw 10 blocks until a difference is only probable, take what is advised, and see whether it is claimed then."""
    rng, kept, asked = np.random.default_rng(int(size * 10)), 0, 0
    family = replace(FAMILY, size=30)
    while asked < 150:
        first = rng.normal(math.log(size), 0.12, 10)
        more = _advice(first, family)
        if more is None:
            continue
        asked += 1
        every = np.concatenate([first, rng.normal(math.log(size), 0.12, more)])
        p = signed_rank_p(every)
        kept += p is not None and p <= 0.05 / 30
    assert kept / asked >= 0.8


def _advice(values: np.ndarray[tuple[int], np.dtype[np.float64]], family: Family) -> int | None:
    estimate, (interval,) = signed_rank_estimate(values, (0.95,))
    p = signed_rank_p(values)
    assert interval is not None
    assert p is not None
    if interval.low <= 0 or estimate <= math.log1p(MARGIN) or p <= 0.05 / 30:
        return None
    sample = Sample(
        len(values), estimate, standard_error(interval, len(values)), p, p <= least_p(len(values))
    )
    more = more_units(sample, family, MARGIN)
    return more.number if more else None
