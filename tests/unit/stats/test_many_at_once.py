# SPDX-License-Identifier: Apache-2.0
"""Many comparisons at once give what each alone gives."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.stats import many
from orchestrator.stats.many import WIDE, paired_estimates
from orchestrator.stats.paired import signed_rank_estimate


def test_each_is_what_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "CELLS", 300)  # so that the twelve of one length are taken in several goes
    rng = np.random.default_rng(4)
    lengths = [20] * 12 + [1, 2, 5, 6, 7, WIDE, WIDE + 1, 150]
    differences = [rng.normal(0.1, 0.2, n) for n in rng.permutation(lengths)]
    for one, found in zip(differences, paired_estimates(differences), strict=True):
        estimate, (interval,) = signed_rank_estimate(one, (0.95,))
        assert found is not None
        assert found[0] == pytest.approx(estimate, rel=1e-12)
        ends = (interval.low, interval.high) if interval else (None, None)
        assert found[1:] == ends
        assert (interval is None) == (len(one) < 6)


def test_no_pair_is_no_estimate() -> None:
    assert paired_estimates([np.empty(0), np.array([0.5])]) == [None, (0.5, None, None)]
