# SPDX-License-Identifier: Apache-2.0
"""Samples to estimates: what STATISTICS.md says, applied to a whole run. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.estimates import (
    Cell,
    CurvePoint,
    Estimates,
    Fleet,
    Measure,
    Pair,
    Secondary,
    Settings,
)
from orchestrator.model.interval import Interval
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import HostRecord, Series, TrialCount
from orchestrator.model.verdict import Evidence, Subject, Verdict
from orchestrator.results.knees import knees
from orchestrator.results.notices import notices
from orchestrator.stats.families import benjamini_hochberg, holm
from orchestrator.stats.median import FEWEST, median_interval
from orchestrator.stats.paired import hodges_lehmann, signed_rank_interval, signed_rank_p
from orchestrator.stats.planning import more_blocks
from orchestrator.stats.sentences import no_fleet_claim
from orchestrator.stats.verdict import judge_host, say_only
from remote_agent.contract.benchmark import Benchmark, Better, Metric

ALPHA, MARGIN, PRECISION = 0.05, 0.05, 0.03
TIMES = frozenset(("s", "ms", "us", "ns"))
FEWEST_MACHINES = 3

Values = Mapping[tuple[str, str, str, str], Series]
"""By (host, benchmark, metric, combination)."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What the merge of a run left behind."""

    series: tuple[Series, ...]
    trials: tuple[TrialCount, ...]
    hosts: tuple[HostRecord, ...]
    sources: Mapping[str, str]


def estimate(spec: RunSpec, merged: Merged, catalogue: Mapping[str, Benchmark]) -> Estimates:
    """Everything that may be said of the run. ``catalogue`` maps benchmarks' names to what they declare."""
    values = {(s.host, s.benchmark, s.metric, s.combination): s for s in merged.series}
    measures = tuple(_measures(spec, merged.series, catalogue))
    settings = Settings(ALPHA, MARGIN, PRECISION, family=_family(spec, measures))
    curves = tuple(_curves(measures, merged.series))
    pairs = tuple(_adjusted(list(_pairs(spec, measures, values)), measures))
    return Estimates(
        run=spec.id,
        settings=settings,
        sources=merged.sources,
        measures=measures,
        hosts=merged.hosts,
        trials=merged.trials,
        cells=tuple(_cells(spec, measures, values, merged.trials)),
        pairs=pairs,
        curves=curves,
        knees=tuple(knees(measures, curves)),
        fleet=tuple(_fleet(spec, measures)),
        fleet_sentence=_fleet_sentence(spec),
        verdicts=say_only(tuple(_verdicts(spec, measures, pairs, settings))),
        notices=notices(spec, merged.hosts, merged.trials),
    )


def _measures(
    spec: RunSpec, series: Sequence[Series], catalogue: Mapping[str, Benchmark]
) -> Iterator[Measure]:
    """The metrics that have samples, and every primary one: the family is what was declared, not what came out."""
    for plan in spec.benchmarks:
        known = catalogue.get(plan.name)
        declared = {metric.name: metric for metric in known.all_metrics} if known else {}
        sampled = {one.metric: one for one in series if one.benchmark == plan.name}
        primary = known.primary if known else None
        for name in dict.fromkeys((*declared, *sampled)):
            if name in sampled or name == primary:
                yield _measure(plan.name, name, declared.get(name), sampled.get(name), name == primary)


def _measure(
    benchmark: str, name: str, declared: Metric | None, sampled: Series | None, primary: bool
) -> Measure:
    unit = sampled.unit if sampled else declared.unit if declared else ""
    return Measure(
        benchmark=benchmark,
        metric=name,
        unit=unit,
        better=(declared.better if declared else Better.LOWER).value,
        primary=primary,
        per_item=sampled.items[0] is not None if sampled else declared is not None and declared.per_item,
        timed=declared.timed if declared else "",
        item=declared.item if declared else "pod",
    )


def _family(spec: RunSpec, measures: Sequence[Measure]) -> int:
    return sum(measure.primary for measure in measures) * (len(spec.combinations) - 1)


def _counted(series: Series | None) -> dict[int, float]:
    """Block -> value, warm-up left out."""
    if series is None:
        return {}
    rows = zip(series.blocks, series.values, series.warmup, strict=True)
    return {block: value for block, value, warmup in rows if not warmup}


def _cells(
    spec: RunSpec, measures: Sequence[Measure], values: Values, trials: Sequence[TrialCount]
) -> Iterator[Cell]:
    asked = {plan.name: plan.blocks for plan in spec.benchmarks}
    for measure in measures:
        for host in spec.hosts if not measure.per_item else ():
            for combination in spec.combinations:
                key = (host.name, measure.benchmark, measure.metric, combination.name)
                array = np.array(list(_counted(values.get(key)).values()))
                cell = _cell(key, asked.get(measure.benchmark, len(array)), array)
                yield replace(cell, reason=_why(cell, trials)) if cell.interval is None else cell


def _cell(key: tuple[str, str, str, str], asked: int, array: NDArray[np.float64]) -> Cell:
    host, benchmark, metric, combination = key
    n = len(array)
    return Cell(
        host=host,
        benchmark=benchmark,
        metric=metric,
        combination=combination,
        asked=asked,
        n=n,
        median=float(np.median(array)) if n else None,
        interval=median_interval(array),
        secondary=_secondary(array) if n else None,
    )


def _secondary(array: NDArray[np.float64]) -> Secondary:
    """A p95 needs 20 values, a p99 100: below, they would be the maximum under another name."""
    return Secondary(
        mean=float(array.mean()),
        minimum=float(array.min()),
        maximum=float(array.max()),
        p95=float(np.quantile(array, 0.95)) if len(array) >= 20 else None,
        p99=float(np.quantile(array, 0.99)) if len(array) >= 100 else None,
    )


def _why(cell: Cell, trials: Sequence[TrialCount]) -> str:
    """Why a cell has no interval, or not even a median."""
    here = (cell.host, cell.benchmark, cell.combination)
    reasons = [reason for t in trials if (t.host, t.benchmark, t.combination) == here for reason in t.reasons]
    because = f": {reasons[0]}" if reasons else ""
    if cell.n == 0:
        return f"no counted trial succeeded{because}" if reasons else "no counted trial was recorded"
    return f"{cell.n} of the {FEWEST} values that an interval needs{because}"


def _pairs(spec: RunSpec, measures: Sequence[Measure], values: Values) -> Iterator[Pair]:
    for measure in measures:
        for host in spec.hosts if not measure.per_item else ():
            base = _counted(values.get((host.name, measure.benchmark, measure.metric, spec.baseline)))
            for combination in spec.combinations:
                if combination.name == spec.baseline:
                    continue
                other = _counted(values.get((host.name, measure.benchmark, measure.metric, combination.name)))
                yield _pair(host.name, measure, combination.name, base, other)


def _pair(
    host: str, measure: Measure, combination: str, base: dict[int, float], other: dict[int, float]
) -> Pair:
    both = sorted(base.keys() & other.keys())
    blank = Pair(
        host, measure.benchmark, measure.metric, combination, len(both), None, None, None, None, None
    )
    if not both:
        return replace(blank, reason="no block has both sides")
    if any(side[block] <= 0 for side in (base, other) for block in both):
        return replace(blank, reason="a value of zero or below has no ratio")
    sign = -1.0 if measure.better == Better.HIGHER.value else 1.0
    differences = sign * np.array([math.log(other[block] / base[block]) for block in both])
    return replace(
        blank,
        ratio=math.exp(hodges_lehmann(differences)),
        interval=_ratio(signed_rank_interval(differences, 0.95)),
        equivalence=_ratio(signed_rank_interval(differences, 0.90)),
        p=signed_rank_p(differences),
        reason=None if len(both) >= FEWEST else f"{len(both)} of the {FEWEST} pairs that an interval needs",
    )


def _ratio(interval: Interval | None) -> Interval | None:
    return interval and Interval(math.exp(interval.low), math.exp(interval.high), interval.level)


def _adjusted(pairs: list[Pair], measures: Sequence[Measure]) -> Iterator[Pair]:
    """Within a host: Holm over the declared family (a missing p counts as 1), Benjamini-Hochberg over the rest."""
    primary = {(m.benchmark, m.metric) for m in measures if m.primary}
    groups: dict[tuple[str, bool], list[int]] = {}
    for index, pair in enumerate(pairs):
        groups.setdefault((pair.host, (pair.benchmark, pair.metric) in primary), []).append(index)
    adjusted: dict[int, float] = {}
    for (_, declared), indices in groups.items():
        p_values = [1.0 if (p := pairs[index].p) is None else p for index in indices]
        adjusted.update(zip(indices, (holm if declared else benjamini_hochberg)(p_values), strict=True))
    for index, pair in enumerate(pairs):
        yield pair if pair.p is None else replace(pair, adjusted=adjusted[index])


def _curves(measures: Sequence[Measure], series: Sequence[Series]) -> Iterator[CurvePoint]:
    per_item = {(m.benchmark, m.metric) for m in measures if m.per_item}
    for one in series:
        if (one.benchmark, one.metric) not in per_item:
            continue
        by_item: dict[int, list[float]] = {}
        for item, value, warmup in zip(one.items, one.values, one.warmup, strict=True):
            if item is not None and not warmup:
                by_item.setdefault(item, []).append(value)
        for item, found in sorted(by_item.items()):
            array = np.array(found)
            median, interval = float(np.median(array)), median_interval(array)
            yield CurvePoint(
                one.host, one.benchmark, one.metric, one.combination, item, len(found), median, interval
            )


def _verdicts(
    spec: RunSpec, measures: Sequence[Measure], pairs: Sequence[Pair], settings: Settings
) -> Iterator[Verdict]:
    primary = {(m.benchmark, m.metric): m for m in measures if m.primary}
    for pair in pairs:
        measure = primary.get((pair.benchmark, pair.metric))
        if measure is not None:
            words = ("faster", "slower") if measure.unit in TIMES else ("better", "worse")
            subject = Subject(pair.benchmark, pair.metric, pair.combination, spec.baseline, *words)
            yield judge_host(pair.host, subject, _evidence(pair, settings), settings.alpha)


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


def _machines(spec: RunSpec) -> int:
    return len({host.machine for host in spec.hosts})


def _fleet(spec: RunSpec, measures: Sequence[Measure]) -> Iterator[Fleet]:
    """No fleet estimate is made yet: each comparison says why."""
    for measure in measures:
        for combination in spec.combinations if measure.primary else ():
            if combination.name != spec.baseline:
                where = (measure.benchmark, measure.metric, combination.name, _machines(spec))
                yield Fleet(*where, ratio=None, interval=None, prediction=None, reason=_fleet_sentence(spec))


def _fleet_sentence(spec: RunSpec) -> str:
    machines = _machines(spec)
    if machines < FEWEST_MACHINES:
        return no_fleet_claim(len(spec.hosts), machines)
    return f"{machines} machines: this version of labctl judges each host by itself and makes no fleet claim yet."
