# SPDX-License-Identifier: Apache-2.0
"""Every combination against every other one, so that a reader can choose the baseline. Pure; nothing is claimed from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations as two_of
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.choices import Ratio, Row
from orchestrator.model.estimates import Cell, Estimates, Measure
from orchestrator.model.ranking import Ranking
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import Series
from orchestrator.results.pairing import paired_logs
from orchestrator.results.task import counted
from orchestrator.stats.fleet import FEWEST, effect
from orchestrator.stats.many import paired_estimates

Where = tuple[str, str]
"""Benchmark and host."""


@dataclass(frozen=True, slots=True)
class _Asked:
    where: Where
    pair: tuple[int, int]
    differences: NDArray[np.float64]


def rows(spec: RunSpec, estimates: Estimates, series: Sequence[Series]) -> tuple[Row, ...]:
    """One of each benchmark's primary metric and host; behind a benchmark's hosts one of all machines, where they are a fleet."""
    primaries = [measure for measure in estimates.measures if measure.primary]
    values = {(s.host, s.benchmark, s.metric, s.combination): s for s in series}
    ratios = _known(spec, estimates.rankings)
    asked = [one for measure in primaries for one in _asked(spec, measure, values) if one.where not in ratios]
    found = paired_estimates([one.differences for one in asked])
    for one, estimate in zip(asked, found, strict=True):
        if estimate is not None:
            ratios.setdefault(one.where, {})[one.pair] = _ratio(*estimate)
    cells = {(c.host, c.benchmark, c.metric, c.combination): c for c in estimates.cells}
    return tuple(row for measure in primaries for row in _rows(spec, measure, cells, ratios))


def _known(spec: RunSpec, rankings: Sequence[Ranking]) -> dict[Where, dict[tuple[int, int], Ratio]]:
    """What a host's ranking compared already: all pairs of its combinations."""
    place = {combination.name: index for index, combination in enumerate(spec.combinations)}
    found: dict[Where, dict[tuple[int, int], Ratio]] = {}
    for ranking in rankings:
        for duel in ranking.duels if ranking.where is not None else ():
            evidence, where = duel.evidence, (ranking.contest.benchmark, str(ranking.where))
            if evidence.ratio is not None:
                low, high = (
                    (evidence.interval.low, evidence.interval.high) if evidence.interval else (None, None)
                )
                pair = place[duel.other], place[duel.combination]
                found.setdefault(where, {})[pair] = Ratio(evidence.ratio, low, high)
    return found


def _rows(
    spec: RunSpec,
    measure: Measure,
    cells: Mapping[tuple[str, str, str, str], Cell],
    ratios: Mapping[Where, Mapping[tuple[int, int], Ratio]],
) -> Iterator[Row]:
    machines: dict[str, list[Row]] = {}
    for host in spec.hosts:
        here = [cells.get((host.name, measure.benchmark, measure.metric, c.name)) for c in spec.combinations]
        if any(here):
            where = (measure.benchmark, host.name)
            row = Row(*where, tuple(_statistics(cell) for cell in here), ratios.get(where, {}))
            yield row
            if not host.imported:
                machines.setdefault(host.machine, []).append(row)
    if len(machines) >= FEWEST:
        yield _fleet(measure.benchmark, list(machines.values()))


def _asked(
    spec: RunSpec, measure: Measure, values: Mapping[tuple[str, str, str, str], Series]
) -> Iterator[_Asked]:
    for host in spec.hosts:
        if host.imported:
            continue
        key = (host.name, measure.benchmark, measure.metric)
        each = [counted(values.get((*key, combination.name))) for combination in spec.combinations]
        for a, b in two_of(range(len(each)), 2):
            yield _Asked((measure.benchmark, host.name), (a, b), paired_logs(measure, each[a], each[b]))


def _ratio(estimate: float, low: float | None, high: float | None) -> Ratio:
    if low is None or high is None:
        return Ratio(math.exp(estimate), None, None)
    return Ratio(math.exp(estimate), math.exp(low), math.exp(high))


def _statistics(cell: Cell | None) -> tuple[float | None, ...] | None:
    """In the order of STATISTICS; None where no trial succeeded."""
    if cell is None or cell.median is None or cell.secondary is None:
        return None
    more = cell.secondary
    return more.minimum, cell.median, more.mean, more.p95, more.maximum


def _fleet(benchmark: str, machines: Sequence[Sequence[Row]]) -> Row:
    """Over machines: hosts of one are one, by the mean of their logarithms, as in results/across.py."""
    width = len(machines[0][0].statistics)
    means = [_geometric(machines, combination) for combination in range(width)]
    ratios = {pair: ratio for pair in two_of(range(width), 2) if (ratio := _across(machines, pair))}
    return Row(benchmark, None, tuple(means), ratios)


def _across(machines: Sequence[Sequence[Row]], pair: tuple[int, int]) -> Ratio | None:
    logs = []
    for hosts in machines:
        own = [math.log(row.ratios[pair].value) for row in hosts if pair in row.ratios]
        if own:
            logs.append(fmean(own))
    if len(logs) < FEWEST:
        return None
    found = effect(logs)
    return _ratio(found.mean, found.interval.low, found.interval.high)


def _geometric(machines: Sequence[Sequence[Row]], combination: int) -> tuple[float | None, ...] | None:
    """The geometric means of a combination's statistics; None where a machine lacks it, for then it is another set of machines."""
    found = []
    for hosts in machines:
        own = [row.statistics[combination] for row in hosts]
        known = [one for one in own if one is not None]
        if not known:
            return None
        found.append([_mean_log([one[index] for one in known]) for index in range(len(known[0]))])
    logs = [_mean([one[index] for one in found]) for index in range(len(found[0]))]
    return tuple(None if log is None else math.exp(log) for log in logs)


def _mean_log(values: Sequence[float | None]) -> float | None:
    return _mean([math.log(value) if value is not None and value > 0 else None for value in values])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None
