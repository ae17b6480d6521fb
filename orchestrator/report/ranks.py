# SPDX-License-Identifier: Apache-2.0
"""Who comes first, benchmark by benchmark: which rankings stand at the head, and all of them as a table."""

from __future__ import annotations

from orchestrator.model.ranking import Ranking, RankKind
from orchestrator.model.verdict import Scope
from orchestrator.report.numbers import MISSING, ratio
from orchestrator.report.view import Report, Table

WHERE = {Scope.EACH_MACHINE: "each machine", Scope.FLEET: "all machines"}


def leaders(report: Report) -> tuple[Ranking, ...]:
    """Of each benchmark what is said furthest: across machines, or else on each host; of very many hosts the former alone."""
    every = report.estimates.rankings
    across = {one.contest.benchmark for one in every if one.scope is not Scope.HOST}
    return tuple(
        one
        for one in every
        if one.scope is not Scope.HOST or not (report.crowded or one.contest.benchmark in across)
    )


def ranks_table(report: Report) -> Table | None:
    """A row a benchmark and host, or machines together; None where nothing is ranked."""
    rows = tuple(_row(one) for one in report.estimates.rankings)
    if not rows:
        return None
    head = ("benchmark", "where", "metric", "what is said", "of", "the first", "nearest that is beaten")
    note = (
        "One beats another where Holm over all pairs of a benchmark's combinations leaves a difference beyond the margin. Behind an "
        "x stands the ratio of the nearest one that was beaten to the first; estimates.json has every pair."
    )
    return Table(
        "Who comes first.",
        head,
        rows,
        headers=2,
        words=frozenset((2, 3, 5, 6)),
        notes=(note, *_absent(report)),
    )


def _row(one: Ranking) -> tuple[str, ...]:
    contest = one.contest
    said = contest.best if one.kind is RankKind.FIRST else f"among the {contest.best}"
    where = one.where or WHERE[one.scope]
    number = str(len(one.entered))
    return (contest.benchmark, where, contest.metric, said, number, ", ".join(one.first), _nearest(one))


def _nearest(one: Ranking) -> str:
    nearest = one.nearest
    return MISSING if nearest is None else f"{nearest.loser} x{ratio(nearest.size)}"


def _absent(report: Report) -> tuple[str, ...]:
    """Which combinations took no part, and where."""
    where: dict[str, dict[str, None]] = {}
    for one in report.estimates.rankings:
        for name in one.absent:
            where.setdefault(name, {})[one.contest.benchmark] = None
    return tuple(
        f"{name} could not be compared everywhere in {', '.join(found)}." for name, found in where.items()
    )
