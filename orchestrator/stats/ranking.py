# SPDX-License-Identifier: Apache-2.0
"""Which combination is the fastest (STATISTICS.md, "What may be said": it beats all others after Holm; else "among the fastest").

All pairs of combinations of one benchmark are compared, on one host or over machines, and Holm runs over all of them. One beats
another where the table's first sentence could be said of the two: p below alpha after Holm, an interval that excludes 1, and an
estimate beyond the margin; so nothing is ranked by a difference that is negligible. Of the duels nobody has lost, more than one
combination may be left: these are "among the fastest", which says that nobody is shown to beat them, not that they are equal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from orchestrator.model.ranking import Contest, Duel, Ranking, RankKind
from orchestrator.model.verdict import Evidence, Scope, VerdictKind
from orchestrator.stats import superlatives
from orchestrator.stats.families import holm
from orchestrator.stats.fleet import FEWEST as FEWEST_MACHINES
from orchestrator.stats.planning import fewest_pairs
from orchestrator.stats.verdict import kind_of

FEWEST_RANKED = 3
"""Combinations below which nothing is ranked: of two, the verdict says it, with the ratio."""


def fought(
    found: Sequence[tuple[str, str, Evidence]],
    alpha: float = 0.05,
    fewest: int | None = None,
    disputed: Collection[tuple[str, str]] = (),
) -> tuple[Duel, ...]:
    """The duels of (combination, other, evidence with its own p), decided after Holm over all; a missing p counts as 1.

    ``fewest`` units decide a duel; None: as many pairs as an exact test needs under so many comparisons. ``disputed``: machines
    claim opposite directions, and nobody wins.
    """
    adjusted = holm([1.0 if evidence.adjusted is None else evidence.adjusted for _, _, evidence in found])
    needed = fewest_pairs(len(found), alpha) if fewest is None else fewest
    duels = []
    for (combination, other, alone), p in zip(found, adjusted, strict=True):
        evidence = replace(alone, adjusted=None if alone.adjusted is None else p, comparisons=len(found))
        wins = (combination, other) not in disputed and kind_of(
            evidence, alpha, needed
        ) is VerdictKind.DIFFERENT
        duels.append(
            Duel(combination, other, evidence, _better(combination, other, evidence) if wins else None)
        )
    return tuple(duels)


def _better(combination: str, other: str, evidence: Evidence) -> str:
    return combination if evidence.ratio is not None and evidence.ratio < 1 else other


def unbeaten(names: Sequence[str], duels: Sequence[Duel]) -> tuple[str, ...]:
    """Those of ``names`` that have lost no duel."""
    lost = {duel.loser for duel in duels}
    return tuple(name for name in names if name not in lost)


def beats_all(name: str, names: Sequence[str], duels: Sequence[Duel]) -> bool:
    """Has ``name`` won against every other one of ``names``?"""
    won = {duel.loser for duel in duels if duel.winner == name}
    return all(other in won for other in names if other != name)


def rank_host(
    host: str, contest: Contest, names: Sequence[str], duels: Sequence[Duel], alpha: float = 0.05
) -> Ranking | None:
    """The ranking on one host; None where too few could be compared, or each was beaten by another one."""
    ranked = _ranked(contest, names, duels, fewest_pairs(len(duels), alpha))
    return ranked and _said(replace(ranked, scope=Scope.HOST, where=host), f"On {host}")


def rank_fleet(
    contest: Contest,
    names: Sequence[str],
    duels: Sequence[Duel],
    own: Sequence[Ranking | None],
    machines: int,
) -> Ranking | None:
    """The ranking across ``machines``; ``own`` are those of every host, None: one has none.

    Tried from the top: the t-tests name the first; every host names the same one; the t-tests leave out some; all hosts leave out
    some. Else all are among the first.
    """
    ranked = _ranked(contest, names, duels, FEWEST_MACHINES)
    if ranked is None:
        return None
    each = _on_each(ranked, own)
    for one in (ranked, each):
        if one is not None and one.kind is RankKind.FIRST:
            return _across(one, machines)
    if each is not None and len(ranked.first) == len(ranked.entered) and len(each.first) < len(each.entered):
        return _across(each, machines)
    return _across(ranked, machines)


def _on_each(ranked: Ranking, own: Sequence[Ranking | None]) -> Ranking | None:
    """What holds on every host: an intersection-union test, no correction across machines is due."""
    known = [one for one in own if one is not None and one.entered == ranked.entered]
    if not own or len(known) < len(own):
        return None
    shared = tuple(name for name in ranked.entered if all(name in one.first for one in known))
    if not shared:
        return None
    first = all(one.kind is RankKind.FIRST for one in known)
    kind = RankKind.FIRST if first else RankKind.AMONG
    return replace(ranked, kind=kind, scope=Scope.EACH_MACHINE, first=shared)


def _across(ranked: Ranking, machines: int) -> Ranking:
    each = ranked.scope is Scope.EACH_MACHINE
    return _said(ranked, f"On each of {machines} machines" if each else f"Across {machines} machines")


def _ranked(contest: Contest, names: Sequence[str], duels: Sequence[Duel], fewest: int) -> Ranking | None:
    """Without its sentence, as of a fleet."""
    compared = {
        name
        for duel in duels
        if duel.evidence.units >= fewest and duel.evidence.interval is not None
        for name in (duel.combination, duel.other)
    }
    entered = tuple(name for name in names if name in compared)
    absent = tuple(name for name in names if name not in compared)
    first = unbeaten(entered, duels)
    if not first:
        return None
    alone = len(first) == 1 and beats_all(first[0], entered, duels)
    kind = RankKind.FIRST if alone else RankKind.AMONG
    return Ranking(kind, Scope.FLEET, None, contest, entered, absent, first, tuple(duels), "")


def _said(ranking: Ranking, where: str) -> Ranking:
    return replace(ranking, sentence=f"{where}: {superlatives.sentence(ranking)}")
