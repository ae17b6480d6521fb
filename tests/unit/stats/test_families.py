# SPDX-License-Identifier: Apache-2.0
"""Holm and Benjamini-Hochberg, and how many blocks are asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from orchestrator.model.interval import Interval
from orchestrator.stats.families import benjamini_hochberg, holm
from orchestrator.stats.planning import fewest_pairs, more_blocks


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


def test_the_fewest_pairs_are_those_with_which_holm_can_reject() -> None:
    for m in (1, 2, 5, 30):
        n = fewest_pairs(m)
        assert m * 2 / 2**n <= 0.05 < m * 2 / 2 ** (n - 1)


def test_more_blocks_follow_the_half_width() -> None:
    w = 2 * math.log1p(0.03)
    assert more_blocks(10, Interval(-w, w, 0.95), 0.03) == 30
    assert more_blocks(20, Interval(-0.001, 0.001, 0.95), 0.03) == 0
    assert more_blocks(6, Interval(-0.001, 0.001, 0.95), 0.03, comparisons=60) == fewest_pairs(60) - 6
