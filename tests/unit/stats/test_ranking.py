# SPDX-License-Identifier: Apache-2.0
"""Who is the fastest: what beats what, who is left, and what is said of them on a host and over machines."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations as two_of

import pytest

from orchestrator.model.interval import Interval
from orchestrator.model.ranking import Contest, Duel, Ranking, RankKind
from orchestrator.model.verdict import Evidence, Scope
from orchestrator.stats.planning import fewest_pairs
from orchestrator.stats.ranking import beats_all, fought, rank_fleet, rank_host, unbeaten

NAMES = ("a", "b", "c", "d")
TIMES = Contest("operations.container.lifecycle", "CreateAndRun")
SURE, UNSURE = 0.0001, 0.06
"""A p that survives Holm over the six pairs of four, and one that does not."""
BARELY = 0.04
"""One that survives alone, as the largest; two of them do not."""


def evidence(ratio: float, p: float = SURE, units: int = 20) -> Evidence:
    ends = Interval(ratio * 0.99, ratio * 1.01, 0.95)
    return Evidence(units, ratio, ends, replace(ends, level=0.90), p, 1, 0.05)


def faced(times: dict[str, float], units: int = 20, **unsure: float) -> list[tuple[str, str, Evidence]]:
    """Each pair by its ``times``; a pair that ``unsure`` names (``ab``) has another p."""
    return [
        (b, a, evidence(times[b] / times[a], unsure.get(a + b, SURE), units)) for a, b in two_of(times, 2)
    ]


def on_host(found: list[tuple[str, str, Evidence]], contest: Contest = TIMES) -> Ranking:
    ranking = rank_host("h1", contest, NAMES, fought(found))
    assert ranking is not None
    return ranking


CLEAR = {"a": 2.0, "b": 1.0, "c": 1.4, "d": 3.0}


def test_the_one_that_beats_all_others_is_the_fastest() -> None:
    ranking = on_host(faced(CLEAR))
    assert (ranking.kind, ranking.first, ranking.where) == (RankKind.FIRST, ("b",), "h1")
    assert ranking.sentence == (
        "On h1: b is the fastest of 4 in operations.container.lifecycle, CreateAndRun; c is next, 1.40x slower "
        "(95 % CI 1.39-1.41; p < 0.001 after Holm over 6 comparisons)."
    )


@pytest.mark.parametrize(
    ("found", "first"),
    [
        (faced(CLEAR, ab=BARELY, bc=BARELY), ("b", "c")),
        (faced({**CLEAR, "c": 1.04}), ("b", "c")),
        (faced(CLEAR, ab=UNSURE), ("b",)),
        (faced(CLEAR, ab=UNSURE, bc=UNSURE, bd=UNSURE), ("b", "c")),
    ],
    ids=[
        "not after Holm",
        "within the margin",
        "beats not all, and nobody beats it",
        "all but one are beaten",
    ],
)
def test_who_is_not_shown_to_be_beaten_is_among_the_fastest(
    found: list[tuple[str, str, Evidence]], first: tuple[str, ...]
) -> None:
    if first == ("b",):  # c beats a, so that a is beaten, though not by b
        assert not beats_all("b", NAMES, fought(found))
    ranking = on_host(found)
    assert (ranking.kind, ranking.first) == (RankKind.AMONG, first)
    assert "among the fastest of 4 in operations" in ranking.sentence
    assert "is the fastest" not in ranking.sentence
    assert ("no other is shown to beat it" if first == ("b",) else "beat them") in ranking.sentence


def test_the_largest_p_of_a_family_may_be_as_large_as_alpha() -> None:
    assert on_host(faced(CLEAR, bc=BARELY)).kind is RankKind.FIRST


def test_where_nobody_beats_anybody_all_are_among_the_fastest() -> None:
    ranking = on_host(faced(dict.fromkeys(NAMES, 1.0)))
    assert ranking.first == NAMES
    assert ranking.sentence.startswith("On h1: all 4 are among the fastest of 4 in operations")
    assert "none is shown to be beaten after Holm over 6 comparisons" in ranking.sentence


def test_holm_runs_over_all_pairs_and_a_missing_p_counts_as_one() -> None:
    lone = [("b", "a", evidence(2.0, 0.03))]
    assert fought(lone, fewest=6)[0].winner == "a"
    with_others = [*lone, ("c", "a", evidence(1.0, 0.9)), ("c", "b", replace(evidence(1.0), adjusted=None))]
    duels = fought(with_others, fewest=6)
    assert duels[0].winner is None
    assert duels[0].evidence.adjusted == pytest.approx(0.09)
    assert (duels[0].evidence.comparisons, duels[2].evidence.adjusted) == (3, None)


@pytest.mark.parametrize(("units", "made"), [(fewest_pairs(6), True), (fewest_pairs(6) - 1, False)])
def test_with_fewer_pairs_than_the_family_needs_nothing_is_ranked(units: int, made: bool) -> None:
    duels = fought(faced(CLEAR, units=units))
    assert (rank_host("h1", TIMES, NAMES, duels) is not None) is made
    assert any(duel.winner for duel in duels) is made


def test_one_without_numbers_takes_no_part_and_is_named() -> None:
    found = [
        (b, a, replace(one, units=0, ratio=None, interval=None, adjusted=None) if "d" in (a, b) else one)
        for b, a, one in faced(CLEAR)
    ]
    ranking = on_host(found)
    assert (ranking.first, ranking.entered, ranking.absent) == (("b",), ("a", "b", "c"), ("d",))
    assert "b is the fastest of 3" in ranking.sentence
    assert ranking.sentence.endswith("after Holm over 6 comparisons). Not compared: d.")


def test_a_ring_in_which_each_is_beaten_has_no_first() -> None:
    ring = (("b", "a", 2.0), ("c", "b", 2.0), ("a", "c", 2.0))
    duels = fought([(one, other, evidence(ratio)) for one, other, ratio in ring])
    assert unbeaten(("a", "b", "c"), duels) == ()
    assert rank_host("h1", TIMES, ("a", "b", "c"), duels) is None


@pytest.mark.parametrize(
    ("best", "words"),
    [
        ("highest", "b has the highest Throughput of 4 in logs.throughput; c is next, 1.40x worse"),
        ("smallest", "b has the smallest Throughput of 4 in logs.throughput; c is next"),
    ],
)
def test_the_word_fits_the_metric(best: str, words: str) -> None:
    contest = Contest("logs.throughput", "Throughput", best, "worse")
    assert words in on_host(faced(CLEAR), contest).sentence
    among = on_host(faced(CLEAR, bc=UNSURE), contest).sentence
    assert f"b and c are among those with the {best} Throughput of 4 in logs.throughput" in among


def fleet(
    duels: tuple[Duel, ...], own: list[Ranking | None], machines: int = 8, names: tuple[str, ...] = NAMES
) -> Ranking:
    ranking = rank_fleet(TIMES, names, duels, own, machines)
    assert ranking is not None
    return ranking


FOR_MACHINES = fought(faced(CLEAR, units=8), fewest=3)
UNDECIDED = fought(faced(CLEAR, units=3, **{a + b: 0.5 for a, b in two_of(NAMES, 2)}), fewest=3)


def test_over_machines_their_t_tests_name_the_fastest() -> None:
    ranking = fleet(FOR_MACHINES, [])
    assert (ranking.kind, ranking.scope, ranking.where) == (RankKind.FIRST, Scope.FLEET, None)
    assert ranking.sentence.startswith("Across 8 machines: b is the fastest of 4")


def test_what_they_cannot_say_is_said_of_each_machine_where_it_holds_on_each() -> None:
    ranking = fleet(UNDECIDED, [on_host(faced(CLEAR))] * 3, 3)
    assert (ranking.kind, ranking.scope, ranking.first) == (RankKind.FIRST, Scope.EACH_MACHINE, ("b",))
    assert ranking.sentence == (
        "On each of 3 machines: b is the fastest of 4 in operations.container.lifecycle, CreateAndRun."
    )


@pytest.mark.parametrize(
    "nearly",
    [
        [on_host(faced(CLEAR)), on_host(faced(CLEAR)), None],
        [on_host(faced(CLEAR)), on_host(faced({**CLEAR, "c": 0.5}))],
        [],
    ],
    ids=["one has no ranking", "another is the fastest there", "no hosts"],
)
def test_it_is_not_said_of_each_where_one_differs(nearly: list[Ranking | None]) -> None:
    ranking = fleet(UNDECIDED, nearly, 3)
    assert (ranking.kind, ranking.scope, ranking.first) == (RankKind.AMONG, Scope.FLEET, NAMES)


def test_those_that_no_machine_shows_to_be_beaten_are_among_the_fastest_on_each() -> None:
    own = [on_host(faced(CLEAR)), on_host(faced(CLEAR, bc=UNSURE))]
    ranking = fleet(UNDECIDED, list(own), 2)
    assert (ranking.kind, ranking.scope, ranking.first) == (RankKind.AMONG, Scope.EACH_MACHINE, ("b",))
    assert ranking.sentence.startswith("On each of 2 machines: b is among the fastest of 4")


def test_machines_that_claim_opposite_directions_leave_a_duel_undecided() -> None:
    disputed = fought(faced(CLEAR, units=8), fewest=3, disputed=[("c", "b")])
    assert [duel.winner for duel in disputed if {duel.combination, duel.other} == {"b", "c"}] == [None]
    assert fleet(disputed, []).first == ("b", "c")
