# SPDX-License-Identifier: Apache-2.0
"""What may be said of the changes from one run to another: on each host, and over at least three machines. Pure.

As in a report (`orchestrator.results.judging`, `orchestrator.results.across`), but for the samples: of two runs. That the size depends
on the machine is not tested, as Welch's test is one of paired differences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from orchestrator.model.comparison import Change
from orchestrator.model.estimates import Family, Measure, Settings
from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, MoreUnits, Subject, Verdict, VerdictKind
from orchestrator.results.across import fleet_evidence
from orchestrator.results.between import Found
from orchestrator.results.judging import words_of
from orchestrator.stats.change_sentences import A, B, Samples, judge_change, of_run
from orchestrator.stats.families import discoveries
from orchestrator.stats.fleet import FEWEST, Effect, effect, opposite
from orchestrator.stats.planning import Sample, more_units, standard_error
from orchestrator.stats.verdict import judge_fleet, say_only

Key = tuple[str, str]
"""Benchmark and combination."""


@dataclass(frozen=True, slots=True)
class JudgedChanges:
    """``changes`` with their adjusted p, and ``verdicts``: what may be said of all machines, then of each host."""

    changes: tuple[Change, ...]
    verdicts: tuple[Verdict, ...]
    family: Family


def judged(
    found: Sequence[Found], measures: Sequence[Measure], control: str | None, settings: Settings
) -> JudgedChanges:
    """Correct over the primary metrics of all hosts and over what machines have together, and judge these."""
    primary = [one for one in found if one.change.primary]
    groups = {key: logs for key, logs in _logs(primary).items() if len(logs) >= FEWEST}
    effects = {key: effect(list(logs.values())) for key, logs in groups.items()}
    p_values = [*(one.change.p for one in primary), *(one.p for one in effects.values())]
    corrected = discoveries(p_values, settings.alpha)
    known = {measure.benchmark: measure for measure in measures if measure.primary}
    of_hosts = corrected.adjusted[: len(primary)]
    changed = [
        replace(one, change=replace(one.change, adjusted=q)) for one, q in zip(primary, of_hosts, strict=True)
    ]
    own = [_on_host(one, known[one.change.benchmark], control, settings, corrected.family) for one in changed]
    fleet = [
        _fleet(
            [pair for pair in zip(changed, own, strict=True) if _key(pair[0]) == key],
            groups[key],
            one,
            fleet_evidence(one, q, corrected.family, settings.margin),
        )
        for (key, one), q in zip(effects.items(), corrected.adjusted[len(primary) :], strict=True)
    ]
    return JudgedChanges(tuple(_merged(found, changed)), (*fleet, *say_only(own)), corrected.family)


def _merged(found: Sequence[Found], changed: Sequence[Found]) -> Iterator[Change]:
    """All changes in the order of ``found``, the primary ones as ``changed``."""
    adjusted = iter(changed)
    for one in found:
        yield next(adjusted).change if one.change.primary else one.change


def _on_host(
    one: Found, measure: Measure, control: str | None, settings: Settings, family: Family
) -> Verdict:
    change = one.change
    subject = Subject(
        change.benchmark,
        change.metric,
        of_run(change.combination, B),
        of_run(change.combination, A),
        *words_of(measure),
    )
    samples = Samples(change.a, change.b, control)
    return judge_change(change.host, subject, _evidence(one, settings, family), samples, settings.alpha)


def _evidence(one: Found, settings: Settings, family: Family) -> Evidence:
    change = one.change
    claimed = family.level is not None and change.adjusted is not None and change.adjusted < family.rate
    return Evidence(
        units=min(change.a, change.b),
        ratio=change.ratio,
        interval=change.interval,
        equivalence=change.equivalence,
        adjusted=change.adjusted,
        comparisons=family.size,
        margin=settings.margin,
        claim=one.at(family.level) if claimed and family.level is not None else None,
        more=_more(change, family, settings.margin),
        reason=change.reason if change.ratio is None else None,
    )


def _more(change: Change, family: Family, margin: float) -> MoreUnits | None:
    """So many more blocks in each run, as if the smaller sample's size were that of both."""
    if change.interval is None or change.ratio is None:
        return None
    units = min(change.a, change.b)
    sample = Sample(
        units=units,
        estimate=math.log(change.ratio),
        error=standard_error(_log(change.interval), units),
        p=1.0 if change.p is None else change.p,
        agree=False,
        exact=False,
    )
    return more_units(sample, family, margin)


def _key(one: Found) -> Key:
    return one.change.benchmark, one.change.combination


def _logs(primary: Sequence[Found]) -> Mapping[Key, Mapping[str, float]]:
    """Of each comparison its log-ratio by machine."""
    groups: dict[Key, list[Found]] = {}
    for one in primary:
        groups.setdefault(_key(one), []).append(one)
    return {key: _by_machine(group) for key, group in groups.items()}


def _by_machine(group: Sequence[Found]) -> Mapping[str, float]:
    """Hosts that share a machine are one: the mean of their log-ratios."""
    logs: dict[str, list[float]] = {}
    for one in group:
        if one.change.ratio is not None:
            logs.setdefault(one.change.machine, []).append(math.log(one.change.ratio))
    return {machine: fmean(values) for machine, values in logs.items()}


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
