# SPDX-License-Identifier: Apache-2.0
"""What may be said of the pairs: verdicts, and which would be others without the flagged blocks. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from orchestrator.model.estimates import Change, Measure, Pair, Settings
from orchestrator.model.interval import Interval
from orchestrator.model.ranking import Contest
from orchestrator.model.verdict import Evidence, Subject, Verdict, VerdictKind
from orchestrator.results.task import Task
from orchestrator.stats.planning import more_blocks
from orchestrator.stats.superlatives import OF_TIMES
from orchestrator.stats.verdict import judge_host
from remote_agent.contract.benchmark import Better

TIMES = frozenset(("s", "ms", "us", "ns"))
SIZES = frozenset(("bytes", "B", "kB", "KiB", "MB", "MiB", "GB", "GiB"))


def judged(task: Task, pairs: Sequence[Pair]) -> Iterator[Verdict]:
    primary = {(m.benchmark, m.metric): m for m in task.measures if m.primary}
    imported = {host.name for host in task.spec.hosts if host.imported}
    for pair in pairs:
        measure = primary.get((pair.benchmark, pair.metric))
        if measure is not None and pair.host not in imported:
            words = words_of(measure)
            subject = Subject(pair.benchmark, pair.metric, pair.combination, task.spec.baseline, *words)
            evidence = _evidence(pair, task.settings)
            yield judge_host(pair.host, subject, evidence, task.settings.alpha)


def words_of(measure: Measure) -> tuple[str, str]:
    """For a ratio below and above 1."""
    return ("faster", "slower") if measure.unit in TIMES else ("better", "worse")


def contest_of(measure: Measure) -> Contest:
    """The words for a benchmark's first: the fastest, the highest, the smallest or the lowest."""
    if measure.better == Better.HIGHER.value:
        best = "highest"
    elif measure.unit in TIMES:
        best = OF_TIMES
    else:
        best = "smallest" if measure.unit in SIZES else "lowest"
    return Contest(measure.benchmark, measure.metric, best, words_of(measure)[1])


def _evidence(pair: Pair, settings: Settings) -> Evidence:
    more = None
    if pair.interval is not None:
        log = Interval(math.log(pair.interval.low), math.log(pair.interval.high), pair.interval.level)
        more = more_blocks(pair.pairs, log, settings.precision, settings.family)
    return Evidence(
        units=pair.pairs,
        ratio=pair.ratio,
        interval=pair.interval,
        equivalence=pair.equivalence,
        p=pair.adjusted,
        comparisons=settings.family,
        margin=settings.margin,
        more=more,
    )


def changed(verdicts: Sequence[Verdict], judged: Sequence[Verdict]) -> Iterator[Change]:
    """Verdicts that would be of another kind, or in the other direction."""
    clean = {(verdict.where, verdict.subject): verdict for verdict in judged}
    for verdict in verdicts:
        other = clean.get((verdict.where, verdict.subject))
        if other is not None and (verdict.kind, _slower(verdict)) != (other.kind, _slower(other)):
            yield Change(verdict.where or "", verdict.sentence, other.sentence)


def _slower(verdict: Verdict) -> bool | None:
    """The direction of a difference; None where none is claimed."""
    ratio = verdict.evidence.ratio
    return ratio > 1 if verdict.kind is VerdictKind.DIFFERENT and ratio is not None else None
