# SPDX-License-Identifier: Apache-2.0
"""The words of a ranking: who is the fastest, or has the highest or the smallest of something, and who comes next."""

from __future__ import annotations

from orchestrator.model.ranking import Ranking, RankKind
from orchestrator.model.verdict import Scope
from orchestrator.stats.sentences import factors, listed, percentage, probability, times

OF_TIMES = "fastest"
"""The one superlative that stands alone; the others are of a metric: `the highest Throughput`."""


def sentence(ranking: Ranking) -> str:
    """Without the place, which stands before it."""
    said = _first(ranking) if ranking.kind is RankKind.FIRST else _among(ranking)
    return f"{said}.{_absent(ranking)}"


def _first(ranking: Ranking) -> str:
    (name,), contest, number = ranking.first, ranking.contest, len(ranking.entered)
    if contest.best == OF_TIMES:
        said = f"{name} is the fastest of {number} in {contest.benchmark}, {contest.metric}"
    else:
        said = f"{name} has the {contest.best} {contest.metric} of {number} in {contest.benchmark}"
    return said if ranking.scope is Scope.EACH_MACHINE else f"{said}; {_next(ranking)}"


def _next(ranking: Ranking) -> str:
    """The one that it beats by the least."""
    nearest = ranking.nearest
    assert nearest is not None
    interval = nearest.evidence.interval
    assert interval is not None
    return (
        f"{nearest.loser} is next, {times(nearest.size)} {ranking.contest.worse} ({percentage(interval.level)} CI {factors(interval)}; "
        f"{probability(nearest.evidence.adjusted)} after Holm over {_comparisons(ranking)})"
    )


def _among(ranking: Ranking) -> str:
    number, over = len(ranking.entered), f"after Holm over {_comparisons(ranking)}"
    if len(ranking.first) == number:
        return f"{_all(number)} are among {_those(ranking)}: none is shown to be beaten {over}"
    are, them = ("is", "it") if len(ranking.first) == 1 else ("are", "them")
    return f"{listed(ranking.first)} {are} among {_those(ranking)}: no other is shown to beat {them} {over}"


def _all(number: int) -> str:
    return "both" if number == 2 else f"all {number}"


def _those(ranking: Ranking) -> str:
    contest, number = ranking.contest, len(ranking.entered)
    if contest.best == OF_TIMES:
        return f"the fastest of {number} in {contest.benchmark}, {contest.metric}"
    return f"those with the {contest.best} {contest.metric} of {number} in {contest.benchmark}"


def _absent(ranking: Ranking) -> str:
    return f" Not compared: {', '.join(ranking.absent)}." if ranking.absent else ""


def _comparisons(ranking: Ranking) -> str:
    number = len(ranking.duels)
    return f"{number} comparison{'s' if number != 1 else ''}"
