# SPDX-License-Identifier: Apache-2.0
"""Holm, Benjamini-Hochberg and the intervals of what is claimed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from orchestrator.model.estimates import Family
from orchestrator.stats.families import benjamini_hochberg, discoveries, holm


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1: 0.04, 0.06, 0.06 (never falling), 0.5.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_the_familys_error_over_sixty_comparisons() -> None:
    rng, families = np.random.default_rng(60), 1000
    errors = sum(min(holm(row.tolist())) < 0.05 for row in rng.random((families, 60)))
    assert errors / families <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / families)
    assert errors > 0


def test_benjamini_hochberg_is_scipys() -> None:
    p = np.random.default_rng(1).random(12)
    assert benjamini_hochberg(p.tolist()) == pytest.approx(false_discovery_control(p).tolist())


def test_a_family_counts_what_has_no_p_and_leaves_it_without_q() -> None:
    found = discoveries([0.001, None, 0.02, 0.9])
    assert (found.family.size, found.family.discoveries) == (4, 2)
    assert found.family.level == pytest.approx(1 - 2 * 0.05 / 4)
    assert found.adjusted[1] is None
    assert found.adjusted[::2] == pytest.approx((0.004, 0.04))


def test_without_a_discovery_there_is_no_level() -> None:
    assert discoveries([0.2, 0.04]).family.level is None
    assert discoveries([]).family == Family(0, 0, 0.05, None)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_the_interval_of_a_claim_never_holds_no_difference(p_values: list[float]) -> None:
    """Each discovery has p <= R rate/m = 1 - level: a test at that level rejects, so its interval excludes 1."""
    found = discoveries(p_values)
    for p, q in zip(p_values, found.adjusted, strict=True):
        if q is not None and q < 0.05:
            assert found.family.level is not None
            assert p <= 1 - found.family.level + 1e-12


def test_company_secures_what_would_not_stand_alone() -> None:
    weak = 2 * 2**-9
    assert discoveries([weak, *[0.5] * 29]).family.discoveries == 0
    assert discoveries([weak, *[1e-6] * 9, *[0.5] * 20]).family.discoveries == 10
