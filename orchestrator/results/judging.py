# SPDX-License-Identifier: Apache-2.0
"""What may be said of the pairs: verdicts, and which would be others without the flagged blocks. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.model.estimates import Change, Family, Measure, Pair
from orchestrator.model.interval import Interval
from orchestrator.model.ranking import Contest
from orchestrator.model.verdict import Evidence, MoreUnits, Subject, Verdict, VerdictKind
from orchestrator.results.across import Compared, fleet_verdicts
from orchestrator.results.discoveries import Corrected, corrected
from orchestrator.results.pairing import log_ratios
from orchestrator.results.task import Task, Without
from orchestrator.stats.many import paired_estimates
from orchestrator.stats.paired import least_p
from orchestrator.stats.planning import Sample, more_units, standard_error
from orchestrator.stats.sentences import listed
from orchestrator.stats.superlatives import OF_TIMES
from orchestrator.stats.verdict import judge_host, say_only
from remote_agent.contract.benchmark import Better

Key = tuple[str, str, str, str]
"""Host, benchmark, metric and combination."""
TIMES = frozenset(("s", "ms", "us", "ns"))
SIZES = frozenset(("bytes", "B", "kB", "KiB", "MB", "MiB", "GB", "GiB"))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What may be said: across machines, and of each host. ``found``: the corrected family that it rests on."""

    found: Corrected
    fleet: tuple[Verdict, ...]
    hosts: tuple[Verdict, ...]


def judge(task: Task, pairs: Sequence[Pair], across: Sequence[Compared]) -> Judgement:
    """Correct the whole family, then judge each host's comparisons and those across machines."""
    found = corrected(task, pairs, across)
    hosts = say_only(tuple(judged(task, found)))
    words = {measure.benchmark: words_of(measure) for measure in task.primary.values()}
    estimated = [(one, found.fleet[one.measure.benchmark, one.combination]) for one in across]
    fleet = tuple(fleet_verdicts(task, estimated, found.family, hosts, words))
    return Judgement(found, fleet, hosts)


def judged(task: Task, found: Corrected, without: Without | None = None) -> Iterator[Verdict]:
    """One verdict of each comparison of a primary metric; ``without``: the blocks that the pairs were made without."""
    primary, imported = task.primary, task.imported
    pairs = [
        pair for pair in found.pairs if (pair.benchmark, pair.metric) in primary and pair.host not in imported
    ]
    claims = _claim_intervals(task, pairs, found.family, without)
    for pair in pairs:
        words = words_of(primary[pair.benchmark, pair.metric])
        subject = Subject(pair.benchmark, pair.metric, pair.combination, task.spec.baseline, *words)
        evidence = _evidence(task, pair, found.family, claims.get(_key(pair)))
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


def _key(pair: Pair) -> Key:
    return pair.host, pair.benchmark, pair.metric, pair.combination


def _claim_intervals(
    task: Task, pairs: Sequence[Pair], family: Family, without: Without | None
) -> Mapping[Key, Interval]:
    """Of what is below the false discovery rate, the interval at the claims' level, as ratios."""
    claimed = [pair for pair in pairs if pair.adjusted is not None and pair.adjusted < task.settings.alpha]
    if family.level is None or not claimed:
        return {}
    primary = task.primary
    differences = [
        log_ratios(task, pair.host, primary[pair.benchmark, pair.metric], pair.combination, without)
        for pair in claimed
    ]
    estimates = paired_estimates(differences, family.level)
    return {
        _key(pair): Interval(math.exp(one[1]), math.exp(one[2]), family.level)
        for pair, one in zip(claimed, estimates, strict=True)
        if one is not None and one[1] is not None and one[2] is not None
    }


def _evidence(task: Task, pair: Pair, family: Family, claim: Interval | None) -> Evidence:
    return Evidence(
        units=pair.pairs,
        ratio=pair.ratio,
        interval=pair.interval,
        equivalence=pair.equivalence,
        adjusted=pair.adjusted,
        comparisons=family.size,
        margin=task.settings.margin,
        claim=claim,
        more=_more_blocks(pair, family, task.settings.margin),
        reason=_reason(task, pair),
    )


def _more_blocks(pair: Pair, family: Family, margin: float) -> MoreUnits | None:
    if pair.interval is None or pair.ratio is None:
        return None
    p = 1.0 if pair.p is None else pair.p
    log = Interval(math.log(pair.interval.low), math.log(pair.interval.high), pair.interval.level)
    sample = Sample(
        units=pair.pairs,
        estimate=math.log(pair.ratio),
        error=standard_error(log, pair.pairs),
        p=p,
        agree=p <= least_p(pair.pairs),
    )
    return more_units(sample, family, margin)


def _reason(task: Task, pair: Pair) -> str | None:
    """Why there is no ratio; that a combination is not supported there goes before what follows from it."""
    if pair.pairs:
        return pair.reason
    sides = (pair.combination, task.spec.baseline)
    lacking = {
        count.combination
        for count in task.trials
        if count.unsupported and (count.host, count.benchmark) == (pair.host, pair.benchmark)
    }
    missing = [name for name in sides if name in lacking]
    return (
        f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} not supported" if missing else pair.reason
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
