# SPDX-License-Identifier: Apache-2.0
"""Every sentence of STATISTICS.md that a host can earn, and the order in which they are tried."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.model.estimates import Family
from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, MoreUnits, Subject, Verdict, VerdictKind
from orchestrator.stats import verdict
from orchestrator.stats.sentences import family_sentence, no_fleet_claim, span, times
from orchestrator.stats.verdict import judge_host, say_only

MORE = MoreUnits(9, at_least=False, scatter=0.2)
SUBJECT = Subject("operations.container.lifecycle", "CreateAndRun", "crio/crun", "containerd/runc")


def evidence(ratio: float, low: float, high: float, *, p: float = 0.001, narrow: float = 0.2) -> Evidence:
    """The 90 % interval is ``narrow`` of the way from the 95 % interval's bounds to the ratio."""
    inner = Interval(low + narrow * (ratio - low), high - narrow * (high - ratio), 0.90)
    return Evidence(12, ratio, Interval(low, high, 0.95), inner, p, comparisons=3, margin=0.05, more=MORE)


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        (evidence(1.42, 1.35, 1.50), VerdictKind.DIFFERENT),
        (evidence(0.70, 0.66, 0.74), VerdictKind.DIFFERENT),
        (evidence(1.42, 1.35, 1.50, p=0.06), VerdictKind.PROBABLE),
        (evidence(1.42, 0.99, 1.90), VerdictKind.UNDECIDED),
        (evidence(1.04, 1.01, 1.07, narrow=0.1), VerdictKind.UNDECIDED),
        (evidence(1.008, 1.002, 1.014), VerdictKind.NEGLIGIBLE),
        (evidence(1.008, 0.99, 1.02, p=0.3), VerdictKind.EQUIVALENT),
        (evidence(1.01, 0.97, 1.05, p=0.3, narrow=0.0), VerdictKind.UNDECIDED),
        (dataclasses.replace(evidence(1.42, 1.35, 1.50), units=5), VerdictKind.UNCLAIMED),
    ],
)
def test_the_first_that_holds_is_said(numbers: Evidence, kind: VerdictKind) -> None:
    assert judge_host("m3", SUBJECT, numbers).kind is kind


def test_a_difference_is_said_of_this_host_only() -> None:
    alone = judge_host("m3", SUBJECT, evidence(1.42, 1.35, 1.50, p=0.0001))
    nothing = judge_host("m4", SUBJECT, evidence(1.008, 0.99, 1.02, p=0.3))
    opposite = judge_host("m5", SUBJECT, evidence(0.70, 0.66, 0.74))
    assert say_only((alone, nothing, opposite))[0].sentence == (
        "On m3 only: crio/crun is 1.42x slower than containerd/runc in operations.container.lifecycle, CreateAndRun "
        "(1.35-1.50; 12 blocks, q < 0.001)."
    )


def test_a_difference_that_two_hosts_share_is_not_of_one_only() -> None:
    shared = tuple(judge_host(host, SUBJECT, evidence(1.42, 1.35, 1.50)) for host in ("m3", "m4"))
    assert [verdict.sentence[:7] for verdict in say_only(shared)] == ["On m3: ", "On m4: "]


def test_a_faster_one_is_said_as_a_factor_above_one() -> None:
    sentence = judge_host("m3", SUBJECT, evidence(0.5, 0.4, 0.625)).sentence
    assert "2.00x faster" in sentence
    assert "(1.60-2.50;" in sentence


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (evidence(1.008, 1.002, 1.014), "Detectable but negligible (1.008x slower)"),
        (evidence(1.008, 0.99, 1.02, p=0.3), "No practical difference (within 5 %)"),
        (
            evidence(1.01, 0.97, 1.06, p=0.3),
            "Undecided: 1.031x faster to 1.060x slower; about 9 more blocks would decide",
        ),
        (
            evidence(1.42, 1.35, 1.50, p=0.06),
            "is probably 1.42x slower than containerd/runc in operations.container.lifecycle, CreateAndRun (95 % CI 1.35-1.50; "
            "12 blocks): not yet secured against chance over 3 comparisons; about 9 more blocks would decide.",
        ),
        (dataclasses.replace(evidence(1.4, 1.3, 1.5), units=1), "1 block of the 6 that an interval needs"),
        (
            dataclasses.replace(evidence(1.4, 1.3, 1.5), units=0, reason="crio/crun is not supported"),
            "Nothing can be claimed of crio/crun and containerd/runc in operations.container.lifecycle (CreateAndRun): "
            "crio/crun is not supported.",
        ),
        (
            dataclasses.replace(evidence(1.045, 1.02, 1.07, narrow=0), more=None),
            "1.020x to 1.070x slower; the difference lies near",
        ),
    ],
)
def test_the_other_sentences(numbers: Evidence, words: str) -> None:
    sentence = judge_host("m3", SUBJECT, numbers).sentence
    assert words in sentence
    assert sentence.startswith("On m3: ")
    assert "crio/crun" in sentence
    assert "containerd/runc" in sentence


def test_words_for_ratios_are_the_same_on_both_sides() -> None:
    assert times(0.5) == times(2.0) == "2.00x"
    assert times(12.345) == "12.3x"
    assert times(1 / 1.05) == times(1.05) == "1.050x"
    assert times(39.0) == "39x"
    assert times(1234.5) == "1234x"
    assert span(SUBJECT, Interval(0.8, 0.9, 0.95)) == "1.11x to 1.25x faster"


def test_22_percent_less_time_is_a_factor_and_not_29_percent() -> None:
    assert "1.28x faster" in judge_host("m3", SUBJECT, evidence(0.78, 0.74, 0.82)).sentence


def test_a_claim_stands_with_its_own_wider_interval_and_needs_it_to_exclude_one() -> None:
    wide = dataclasses.replace(evidence(1.42, 1.35, 1.50), claim=Interval(1.2, 1.7, 0.998))
    assert "(1.20-1.70; 12 blocks" in judge_host("m3", SUBJECT, wide).sentence
    touching = dataclasses.replace(wide, claim=Interval(1.0, 1.7, 0.998))
    assert judge_host("m3", SUBJECT, touching).kind is VerdictKind.PROBABLE


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (MoreUnits(1, at_least=False, scatter=0.1), "about 1 more block would decide"),
        (MoreUnits(40, at_least=True, scatter=0.1), "at least 40 more blocks would decide"),
        (
            MoreUnits(None, at_least=False, scatter=0.34),
            "this machine is too noisy for the question: one block's ratio varies by 34 %, and more than 200 more blocks would be needed",
        ),
    ],
)
def test_how_many_more_would_decide(more: MoreUnits, words: str) -> None:
    vague = dataclasses.replace(evidence(1.42, 0.99, 1.90), more=more)
    assert words in judge_host("m3", SUBJECT, vague).sentence


def test_what_a_claim_means_is_said_with_the_familys_size() -> None:
    some = family_sentence(Family(102, 54, 0.05, 1 - 54 * 0.05 / 102))
    assert "at most 1 in 20 is expected to be chance (false discovery rate 5 % over 102 comparisons)" in some
    assert "97.35 % ones" in some
    assert "None of 1 comparison is secured" in family_sentence(Family(1, 0, 0.05, None))
    assert family_sentence(Family(0, 0, 0.05, None)) == ""


def test_two_machines_make_no_fleet() -> None:
    assert no_fleet_claim(2, 1).startswith("No fleet claim: 2 hosts on 1 machine.")


def test_what_is_of_one_host_only_is_found_in_one_look_at_each_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of sixty hosts it took seconds while each was compared with each: now a difference is looked at twice."""
    looks = 0

    def counting(one: Verdict) -> tuple[Subject, bool]:
        nonlocal looks
        looks += 1
        return claim(one)

    claim = verdict._claim
    monkeypatch.setattr(verdict, "_claim", counting)
    many = tuple(judge_host(f"m{i}", SUBJECT, evidence(1.42, 1.35, 1.50)) for i in range(200))
    assert say_only(many) == many
    assert looks == 2 * len(many)
