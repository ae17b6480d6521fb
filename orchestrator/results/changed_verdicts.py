# SPDX-License-Identifier: Apache-2.0
"""What may be said of the changes from one run to another: on each host, and over at least three machines. Pure.

As in a report (`orchestrator.results.judging`, `orchestrator.results.across`), but for the samples: of two runs. That the size depends
on the machine is not tested, as Welch's test is one of paired differences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from orchestrator.model.comparison import Change
from orchestrator.model.estimates import Measure, Settings
from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Subject, Verdict, VerdictKind
from orchestrator.results.between import Found
from orchestrator.results.judging import words_of
from orchestrator.stats.change_sentences import A, B, Samples, judge_change, of_run
from orchestrator.stats.families import holm
from orchestrator.stats.fleet import FEWEST, Effect, effect, opposite
from orchestrator.stats.planning import more_blocks
from orchestrator.stats.verdict import judge_fleet, say_only

Key = tuple[str, str]
"""Benchmark and combination."""


def judged(
    found: Sequence[Found], measures: Sequence[Measure], control: str | None, settings: Settings
) -> tuple[Verdict, ...]:
    """Of the primary metrics: what may be said of all machines, then of each host."""
    known = {measure.benchmark: measure for measure in measures if measure.primary}
    primary = [one for one in found if one.change.primary]
    own = [_on_host(one.change, known[one.change.benchmark], control, settings) for one in primary]
    return (*_across(primary, own, settings), *say_only(own))


def _on_host(change: Change, measure: Measure, control: str | None, settings: Settings) -> Verdict:
    subject = Subject(
        change.benchmark,
        change.metric,
        of_run(change.combination, B),
        of_run(change.combination, A),
        *words_of(measure),
    )
    samples = Samples(change.a, change.b, control)
    return judge_change(change.host, subject, _evidence(change, settings), samples, settings.alpha)


def _evidence(change: Change, settings: Settings) -> Evidence:
    units, more = min(change.a, change.b), None
    if change.interval is not None:
        more = more_blocks(units, _log(change.interval), settings.precision, settings.family)
    return Evidence(
        units=units,
        ratio=change.ratio,
        interval=change.interval,
        equivalence=change.equivalence,
        p=change.adjusted,
        comparisons=settings.family,
        margin=settings.margin,
        more=more,
    )


def _across(primary: Sequence[Found], own: Sequence[Verdict], settings: Settings) -> Iterator[Verdict]:
    """Of every change that at least three machines have. Holm runs over these, apart from the hosts' families."""
    groups: dict[Key, list[tuple[Found, Verdict]]] = {}
    for one, verdict in zip(primary, own, strict=True):
        groups.setdefault((one.change.benchmark, one.change.combination), []).append((one, verdict))
    logs = {key: _by_machine(group) for key, group in groups.items()}
    effects = {key: effect(list(each.values())) for key, each in logs.items() if len(each) >= FEWEST}
    p_values = holm([one.p for one in effects.values()])
    for (key, mean), p in zip(effects.items(), p_values, strict=True):
        evidence = _fleet_evidence(mean, len(logs[key]), p, len(effects), settings)
        yield _fleet(groups[key], logs[key], mean, evidence)


def _by_machine(group: Sequence[tuple[Found, Verdict]]) -> Mapping[str, float]:
    """Hosts that share a machine are one: the mean of their log-ratios."""
    logs: dict[str, list[float]] = {}
    for one, _ in group:
        if one.change.ratio is not None:
            logs.setdefault(one.change.machine, []).append(math.log(one.change.ratio))
    return {machine: fmean(values) for machine, values in logs.items()}


def _fleet_evidence(one: Effect, machines: int, p: float, comparisons: int, settings: Settings) -> Evidence:
    return Evidence(
        units=machines,
        ratio=math.exp(one.mean),
        interval=_ratios(one.interval),
        equivalence=_ratios(one.equivalence),
        p=p,
        comparisons=comparisons,
        margin=settings.margin,
    )


def _fleet(
    group: Sequence[tuple[Found, Verdict]], logs: Mapping[str, float], one: Effect, evidence: Evidence
) -> Verdict:
    claims = [verdict.kind is VerdictKind.DIFFERENT for _, verdict in group]
    sides = {(found.change.ratio or 1.0) > 1 for found, _ in group}
    return judge_fleet(
        group[0][1].subject,
        evidence,
        Interval(math.exp(min(logs.values())), math.exp(max(logs.values())), 1.0),
        sum((log > 0) == (one.mean > 0) for log in logs.values()),
        conflict=opposite(_own(group)),
        each=all(claims) and len(sides) == 1,
    )


def _own(group: Sequence[tuple[Found, Verdict]]) -> list[Interval | None]:
    """Each machine's interval at level 1 - alpha/H: of hosts that share one all that theirs cover, None where one has none."""
    own: dict[str, list[Interval | None]] = {}
    for one, _ in group:
        if one.change.ratio is not None:
            own.setdefault(one.change.machine, []).append(one.own)
    return [_cover(intervals) for intervals in own.values()]


def _cover(intervals: Sequence[Interval | None]) -> Interval | None:
    known = [one for one in intervals if one is not None]
    if len(known) < len(intervals):
        return None
    return Interval(min(one.low for one in known), max(one.high for one in known), known[0].level)


def _log(interval: Interval) -> Interval:
    return Interval(math.log(interval.low), math.log(interval.high), interval.level)


def _ratios(interval: Interval) -> Interval:
    return Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
