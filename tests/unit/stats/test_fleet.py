# SPDX-License-Identifier: Apache-2.0
"""Across machines: the formulas of STATISTICS.md, their coverage, and each sentence with one that nearly is it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Scope, Subject, Verdict, VerdictKind
from orchestrator.stats.fleet import effect, inconsistency, opposite, unequal_p
from orchestrator.stats.paired import signed_rank_interval
from orchestrator.stats.verdict import judge_fleet, varies

SUBJECT = Subject("operations.container.lifecycle", "CreateAndRun", "crio/runsc", "containerd/runc")
LARGE = Evidence(8, 1.42, Interval(1.35, 1.50, 0.95), Interval(1.37, 1.48, 0.90), 0.001, 5, 0.05)
RANGE = Interval(1.3, 1.5, 1.0)


def judged(
    evidence: Evidence, ratios: Interval = RANGE, *, conflict: bool = False, each: bool = False
) -> Verdict:
    return judge_fleet(SUBJECT, evidence, ratios, evidence.units, conflict=conflict, each=each)


def test_the_effect_is_students_t_of_the_machines() -> None:
    logs = [0.1, 0.2, 0.4]
    found, peer = effect(logs), stats.ttest_1samp(logs, 0)
    assert found.mean == pytest.approx(np.mean(logs))
    assert found.p == pytest.approx(peer.pvalue)
    for level, interval in ((0.95, found.interval), (0.90, found.equivalence)):
        low, high = peer.confidence_interval(level)
        assert interval.low == pytest.approx(low)
        assert interval.high == pytest.approx(high)
    strict = found.at(0.99)
    assert (strict.low, strict.high) == pytest.approx(tuple(peer.confidence_interval(0.99)))
    assert found.prediction is None, "five machines are needed for another one"
    with pytest.raises(ValueError, match="no fleet"):
        effect(logs[:2])


def test_from_five_machines_on_another_one_is_predicted() -> None:
    logs = [0.1, 0.2, 0.3, 0.2, 0.1]
    prediction = effect(logs).prediction
    assert prediction is not None
    reach = stats.t.ppf(0.975, 4) * np.std(logs, ddof=1) * math.sqrt(1 + 1 / 5)
    assert prediction.high - np.mean(logs) == pytest.approx(reach)


def test_machines_that_are_the_same_leave_no_doubt() -> None:
    assert effect([0.5, 0.5, 0.5]).p == 0
    assert effect([0.0, 0.0, 0.0]).p == 1


@pytest.mark.parametrize("machines", [3, 5, 10])
def test_the_interval_covers_what_it_says(machines: int) -> None:
    """STATISTICS.md: 94-95 % for H = 3-20; here 2,000 fleets of a fixed seed, four standard errors either way."""
    rng = np.random.default_rng(machines)
    fleets = 0.3 + rng.normal(0, 0.1, (2000, machines)) + rng.normal(0, 0.02, (2000, machines))
    covered = [(found := effect(fleet.tolist()).interval).low <= 0.3 <= found.high for fleet in fleets]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_inconsistency_and_welch_tell_machines_apart_and_only_then() -> None:
    rng = np.random.default_rng(1)
    alike = [rng.normal(0.3, 0.05, 20) for _ in range(4)]
    unlike = [rng.normal(0.1 * number, 0.05, 20) for number in range(4)]
    assert (inconsistency(unlike) or 0) > 0.9
    assert (inconsistency(alike) or 0) < 0.5
    assert (unequal_p(unlike) or 1) < 0.001
    assert (unequal_p(alike) or 0) > 0.05
    assert unequal_p([np.ones(5), np.ones(5)]) is None


@pytest.mark.parametrize("counts", [(2, 2), (5, 9), (10, 10, 10), (3, 30, 7, 12)])
def test_that_machines_are_unlike_is_welchs_p(counts: tuple[int, ...]) -> None:
    rng = np.random.default_rng(11)
    for spread in (0.0, 0.5, 2.0):
        machines = [rng.normal(spread * i, 1 + i, count) for i, count in enumerate(counts)]
        assert unequal_p(machines) == pytest.approx(
            stats.f_oneway(*machines, equal_var=False).pvalue, rel=1e-9
        )
    assert inconsistency([np.ones(5), np.zeros(5)]) is None


def test_too_few_pairs_for_a_strict_level_have_no_interval_and_make_no_conflict() -> None:
    six = np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
    assert signed_rank_interval(six, 0.95) is not None
    assert signed_rank_interval(six, 1 - 0.05 / 3) is None


def test_a_conflict_needs_two_machines_that_claim_opposite_directions() -> None:
    above, below, across = (
        Interval(low, high, 0.98) for low, high in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.2))
    )
    assert opposite([above, below, None])
    assert not opposite([above, across, None])


def test_the_headline_is_said_with_the_machines_that_agree() -> None:
    verdict = judged(LARGE)
    assert verdict.sentence == (
        "crio/runsc is 1.42x slower than containerd/runc in operations.container.lifecycle, CreateAndRun "
        "(1.35-1.50; 8 of 8 machines agree, q = 0.001)."
    )
    assert (verdict.kind, verdict.scope, verdict.where) == (VerdictKind.DIFFERENT, Scope.FLEET, None)


@pytest.mark.parametrize(
    "nearly",
    [
        replace(LARGE, adjusted=0.05),
        replace(LARGE, interval=Interval(0.99, 2.0, 0.95)),
        replace(LARGE, units=2),
        replace(LARGE, ratio=1.04, interval=Interval(1.01, 1.07, 0.95)),
    ],
)
def test_the_headline_is_not_said_where_one_condition_fails(nearly: Evidence) -> None:
    assert judged(nearly).kind is not VerdictKind.DIFFERENT


def test_a_conflict_withholds_the_headline() -> None:
    verdict = judged(LARGE, Interval(0.8, 1.5, 1.0), conflict=True, each=True)
    assert verdict.kind is VerdictKind.CONFLICT
    assert verdict.sentence.startswith(
        "Machines disagree on the direction (1.25x faster to 1.50x slower) between"
    )


def test_each_machines_own_claim_is_said_where_the_fleets_fails() -> None:
    few = replace(LARGE, units=3, adjusted=0.2)
    verdict = judged(few, each=True)
    assert (verdict.kind, verdict.scope) == (VerdictKind.DIFFERENT, Scope.EACH_MACHINE)
    assert verdict.sentence.startswith(
        "On each of 3 machines: crio/runsc is 1.30x-1.50x slower than containerd/runc"
    )
    assert judged(few).kind is VerdictKind.PROBABLE, "not every machine claims it"
    faster = judged(few, Interval(0.5, 0.8, 1.0), each=True)
    assert "1.25x-2.00x faster" in faster.sentence


@pytest.mark.parametrize(
    ("p", "equivalence", "kind", "words"),
    [
        (
            0.01,
            Interval(1.005, 1.012, 0.9),
            VerdictKind.NEGLIGIBLE,
            "Across 8 machines: detectable but negligible",
        ),
        (
            0.3,
            Interval(0.98, 1.03, 0.9),
            VerdictKind.EQUIVALENT,
            "Across 8 machines: no practical difference",
        ),
        (0.3, Interval(0.98, 1.06, 0.9), VerdictKind.UNDECIDED, "where more machines hardly decide"),
    ],
)
def test_small_differences_across_machines(
    p: float, equivalence: Interval, kind: VerdictKind, words: str
) -> None:
    evidence = replace(
        LARGE, ratio=1.008, interval=Interval(0.97, 1.07, 0.95), equivalence=equivalence, adjusted=p
    )
    verdict = judged(evidence)
    assert verdict.kind is kind
    assert words in verdict.sentence


def test_that_the_size_depends_on_the_machine_is_said_beside() -> None:
    verdict = varies(SUBJECT, LARGE, Interval(1.1, 1.6, 1.0))
    assert verdict.kind is VerdictKind.VARIES
    assert verdict.sentence.startswith("The size depends on the machine (1.10x-1.60x)")
