# SPDX-License-Identifier: Apache-2.0
"""What must not matter: the unit, the order of blocks, which side is the baseline, what all of a block share."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Subject
from orchestrator.stats.families import benjamini_hochberg, holm
from orchestrator.stats.fleet import effect
from orchestrator.stats.many import paired_estimates
from orchestrator.stats.median import median_interval
from orchestrator.stats.paired import signed_rank_estimate, signed_rank_interval, signed_rank_p
from orchestrator.stats.ranking import fought, unbeaten
from orchestrator.stats.variance import components
from orchestrator.stats.verdict import judge_host

VALUES = st.lists(st.floats(0.01, 100), min_size=6, max_size=24)
SHARES = st.lists(st.floats(0.0001, 1.0), min_size=1, max_size=12)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two combinations' times by block."""
    first = draw(VALUES)
    second = draw(st.lists(st.floats(0.01, 100), min_size=len(first), max_size=len(first)))
    return np.array(first), np.array(second)


def estimated(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float, float]:
    middle, (interval,) = signed_rank_estimate(np.log(theirs / ours), (0.95,))
    assert interval is not None
    return middle, interval.low, interval.high


def close(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def p_of(differences: NDArray[np.float64]) -> float:
    """2 where there is none, for every difference is 0."""
    p = signed_rank_p(differences)
    return 2.0 if p is None else p


@given(blocks())
def test_seen_from_the_other_side_the_ratio_is_the_inverse(
    pair: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    middle, low, high = estimated(*pair)
    assert estimated(pair[1], pair[0]) == close((-middle, -high, -low))
    differences = np.log(pair[1] / pair[0])
    assert p_of(differences) == p_of(-differences)


@given(blocks(), st.sampled_from([0.125, 4.0, 1024.0]))
def test_the_unit_does_not_matter(
    pair: tuple[NDArray[np.float64], NDArray[np.float64]], factor: float
) -> None:
    ours, theirs = pair
    assert estimated(ours * factor, theirs * factor) == close(estimated(ours, theirs))
    one, other = median_interval(ours), median_interval(ours * factor)
    assert one is not None
    assert other is not None
    assert (other.low, other.high) == close((one.low * factor, one.high * factor))


@given(blocks(), st.randoms(use_true_random=False))
def test_the_order_of_the_blocks_does_not_matter(
    pair: tuple[NDArray[np.float64], NDArray[np.float64]], random: Random
) -> None:
    order = np.random.default_rng(random.randrange(10**6)).permutation(len(pair[0]))
    ours, theirs = pair
    assert estimated(ours[order], theirs[order]) == close(estimated(ours, theirs))
    logs = np.log(theirs / ours)
    assert p_of(logs[order]) == close(p_of(logs))


@given(blocks(), st.lists(st.floats(-2, 2), min_size=24, max_size=24))
def test_what_all_of_a_block_share_leaves_the_paired_estimate(
    pair: tuple[NDArray[np.float64], NDArray[np.float64]], shared: list[float]
) -> None:
    """A block in which the machine was slow: on the log scale it adds the same to both sides."""
    ours, theirs = pair
    slow = np.exp(np.array(shared[: len(ours)]))
    assert estimated(ours * slow, theirs * slow) == close(estimated(ours, theirs))


@given(VALUES, st.floats(-1, 1))
def test_a_difference_that_is_added_to_all_pairs_is_what_the_estimate_moves_by(
    values: list[float], moved: float
) -> None:
    logs = np.log(np.array(values))
    low, high = (signed_rank_interval(one) for one in (logs, logs + moved))
    assert low is not None
    assert high is not None
    assert (high.low, high.high) == close((low.low + moved, low.high + moved))


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_many_at_once_are_each_alone(several: list[list[float]]) -> None:
    differences = [np.log(np.array(values)) for values in several]
    for one, found in zip(differences, paired_estimates(differences), strict=True):
        middle, (interval,) = signed_rank_estimate(one, (0.95,))
        assert interval is not None
        assert found == close((middle, interval.low, interval.high))


@given(SHARES)
def test_holm_never_lowers_a_p_and_is_never_kinder_than_benjamini_hochberg(p: list[float]) -> None:
    strict, kind = holm(p), benjamini_hochberg(p)
    for own, adjusted, explored in zip(p, strict, kind, strict=True):
        assert own <= explored + 1e-12
        assert explored <= adjusted + 1e-12
        assert adjusted <= min(1.0, len(p) * own) + 1e-12
    assert [strict[i] for i in sorted(range(len(p)), key=p.__getitem__)] == sorted(strict)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=12), st.floats(-1, 1))
def test_a_fleets_interval_moves_with_its_machines_and_turns_with_them(
    logs: list[float], moved: float
) -> None:
    one, other = effect(logs), effect([-log for log in logs])
    assert (other.mean, other.interval.low) == close((-one.mean, -one.interval.high))
    further = effect([log + moved for log in logs])
    assert further.deviation == pytest.approx(one.deviation, rel=1e-6, abs=1e-9)
    assert further.interval.low == pytest.approx(one.interval.low + moved, rel=1e-6, abs=1e-7)


@given(st.lists(st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=4), st.floats(-3, 3))
def test_a_variance_is_none_the_less_for_another_unit_and_never_below_zero(
    hosts: list[list[list[float]]], moved: float
) -> None:
    values = [[np.log(np.array(run)) for run in runs] for runs in hosts]
    one, other = components(values), components([[run + moved for run in runs] for runs in values])
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        for part in ("hosts", "runs", "within"):
            assert (getattr(one, part) is None) == (getattr(other, part) is None)
            assert (getattr(one, part) or 0.0) >= 0
            assert (getattr(one, part) or 0.0) == pytest.approx(
                getattr(other, part) or 0.0, rel=1e-6, abs=1e-8
            )


RATIOS = st.floats(0.5, 2.0)


@given(RATIOS, st.floats(1.001, 1.5), st.floats(0.0001, 1.0))
def test_a_verdict_is_the_same_kind_from_either_side(ratio: float, width: float, p: float) -> None:
    ends = [ratio * width**sign for sign in (-1, 1, -0.8, 0.8)]
    assume(all(abs(end * limit - 1) > 1e-6 for end in (ratio, *ends) for limit in (1, 1.05, 1 / 1.05)))

    def judged(middle: float) -> str:
        inner = width**0.8
        evidence = Evidence(
            20, middle, Interval(middle / width, middle * width, 0.95), Interval(middle / inner, middle * inner, 0.90), p, 1, 0.05
        )  # fmt: skip
        return judge_host("h1", Subject("b", "m", "x", "y"), evidence).kind.value

    assert judged(ratio) == judged(1 / ratio)


@given(st.lists(st.tuples(RATIOS, st.floats(0.0001, 1.0)), min_size=6, max_size=6))
def test_who_is_unbeaten_does_not_depend_on_which_side_a_duel_is_seen_from(
    given_: list[tuple[float, float]],
) -> None:
    names = "abcd"
    pairs = [(b, a) for i, a in enumerate(names) for b in names[i + 1 :]]

    def evidence(ratio: float, p: float) -> Evidence:
        ends = Interval(ratio / 1.01, ratio * 1.01, 0.95)
        return Evidence(20, ratio, ends, ends, p, 1, 0.05)

    found = [(*pair, evidence(*one)) for pair, one in zip(pairs, given_, strict=True)]
    turned = [
        (other, one, evidence(1 / ev.ratio, ev.adjusted or 1.0)) for one, other, ev in found if ev.ratio
    ]
    assert unbeaten(names, fought(found)) == unbeaten(names, fought(turned))
