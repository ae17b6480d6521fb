# SPDX-License-Identifier: Apache-2.0
"""Many pairs and many values: the same numbers as the plain definitions give, at a price that a report can pay."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from orchestrator.stats import walsh
from orchestrator.stats.median import EXACT as EXACT_VALUES
from orchestrator.stats.median import order_weights
from orchestrator.stats.paired import EXACT, signed_rank_estimate, signed_rank_p, walsh_averages, walsh_rank
from orchestrator.stats.walsh import walsh_order


@pytest.mark.parametrize("kind", ["smooth", "coarse", "constant", "heavy", "two clusters"])
@pytest.mark.parametrize("n", [401, 650])
def test_any_rank_is_the_one_that_sorting_all_averages_gives(
    n: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walsh, "SAMPLE", 256)  # small, so that it has to narrow more than once
    rng = np.random.default_rng(n)
    values = {
        "smooth": rng.normal(0.1, 0.3, n),
        "coarse": rng.integers(-3, 4, n) / 10,
        "constant": np.full(n, 0.3),
        "heavy": rng.standard_cauchy(n),
        "two clusters": rng.choice([-5.0, 5.0], n) + rng.normal(0, 0.01, n),
    }[kind]
    every = walsh_averages(values)
    total = len(every)
    ranks = [1, 2, total // 3, total // 2, total // 2 + 1, total - 5, total]
    assert walsh_order(values, ranks).tolist() == [every[rank - 1] for rank in ranks]
    middle = [total // 2 + 40, total // 2 - 40]
    assert walsh_order(values, middle).tolist() == [every[rank - 1] for rank in middle]


def test_ranks_far_apart_are_looked_for_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walsh, "MOST", 1000)
    values = np.random.default_rng(3).normal(0, 1, 500)
    every = walsh_averages(values)
    assert walsh_order(values, [90_000, 10]).tolist() == [every[89_999], every[9]]


def test_the_normal_limit_meets_the_exact_distribution_where_it_takes_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    differences = np.random.default_rng(8).normal(0.02, 0.1, EXACT)
    exact_p = signed_rank_p(differences)
    exact = [walsh_rank.__wrapped__(EXACT, level) for level in (0.9, 0.95)]
    monkeypatch.setattr("orchestrator.stats.paired.EXACT", EXACT - 1)
    limit = signed_rank_p(differences)
    assert limit is not None
    assert exact_p is not None
    assert exact_p <= limit <= 1.05 * exact_p
    for level, k in zip((0.9, 0.95), exact, strict=True):
        assert abs(walsh_rank.__wrapped__(EXACT, level) - k) <= 1


@pytest.mark.parametrize("n", [EXACT + 30, 1500])
def test_p_of_many_pairs_is_scipys(n: int) -> None:
    smooth = np.random.default_rng(n).normal(0.006, 0.1, n)
    tied = np.round(smooth, 2)
    for differences in (smooth, tied[tied != 0]):
        theirs = stats.wilcoxon(differences, method="approx", correction=True).pvalue
        assert signed_rank_p(differences) == pytest.approx(theirs)
    assert signed_rank_p(np.full(n, 0.1)) == pytest.approx(0, abs=1e-30)


def test_the_interval_of_many_pairs_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        interval = signed_rank_estimate(rng.standard_t(4, 450), (0.95,))[1][0]
        assert interval is not None
        hits += interval.low <= 0 <= interval.high
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 300) <= hits / 300 <= 0.985


@pytest.mark.parametrize("n", [EXACT_VALUES, EXACT_VALUES + 1, 4000, 150_000])
def test_the_median_interval_of_many_values_rests_on_the_binomial(n: int) -> None:
    k, lam = order_weights(n)
    assert stats.binom.cdf(k - 1, n, 0.5) <= 0.025 < stats.binom.cdf(k, n, 0.5)
    assert 0 <= lam <= 1
