# SPDX-License-Identifier: Apache-2.0
"""What a report is drawn from, and the two shapes that everything in it has: tables, and figures with their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.choices import Row
from orchestrator.model.estimates import Cell, CurveKnee, CurvePoint, Estimates, Measure, Pair
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import Series
from orchestrator.model.verdict import VerdictKind
from orchestrator.report.svg import Painted
from remote_agent.contract.benchmark import Benchmark

Key = tuple[str, str, str, str]
"""Host, benchmark, metric, combination."""
MANY = 8
"""Beyond so many hosts they are shown together, and one by one only in compact tables."""


@dataclass(frozen=True, slots=True)
class Table:
    """``rows`` of text beside ``head``; the first ``headers`` columns name the row, those in ``words`` are not numbers.

    ``notes`` say why something is missing, or how a column is to be read.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    headers: int = 1
    words: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture, what it shows, and its numbers (None: the caption says where they are)."""

    title: str
    caption: str
    picture: Painted
    table: Table | None


@dataclass(frozen=True, slots=True)
class Report:
    """A run's spec, estimates and samples, and the words of the benchmarks; the rest is looked up in them."""

    spec: RunSpec
    estimates: Estimates
    series: tuple[Series, ...]
    catalogue: Mapping[str, Benchmark] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    _cells: Mapping[Key, Cell] = field(init=False, repr=False)
    _pairs: Mapping[Key, Pair] = field(init=False, repr=False)
    _series: Mapping[tuple[str, str], tuple[Series, ...]] = field(init=False, repr=False)
    _claims: frozenset[tuple[str, str, str | None]] = field(init=False, repr=False)
    _ends: Mapping[tuple[str, str], tuple[float, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """A report looks up each cell several times, and there may be thousands: by name, not by search."""
        cells = {(c.host, c.benchmark, c.metric, c.combination): c for c in self.estimates.cells}
        pairs = {(p.host, p.benchmark, p.metric, p.combination): p for p in self.estimates.pairs}
        grouped: dict[tuple[str, str], list[Series]] = {}
        for one in self.series:
            grouped.setdefault((one.benchmark, one.metric), []).append(one)
        series = {key: tuple(every) for key, every in grouped.items()}
        claims = frozenset(
            (v.subject.benchmark, v.subject.combination, v.where)
            for v in self.estimates.verdicts
            if v.kind is VerdictKind.DIFFERENT
        )
        found = {
            "_cells": cells,
            "_pairs": pairs,
            "_series": series,
            "_claims": claims,
            "_ends": _ends(series),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.spec.hosts)

    @property
    def crowded(self) -> bool:
        """Are there too many hosts for a panel each?"""
        return len(self.spec.hosts) > MANY

    @property
    def combinations(self) -> tuple[str, ...]:
        """The baseline first."""
        names = [combination.name for combination in self.spec.combinations]
        return tuple(sorted(names, key=lambda name: name != self.spec.baseline))

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(name for name in self.combinations if name != self.spec.baseline)

    def measures(self, benchmark: str) -> tuple[Measure, ...]:
        return tuple(m for m in self.estimates.measures if m.benchmark == benchmark)

    def primary(self, benchmark: str) -> Measure | None:
        return next((m for m in self.measures(benchmark) if m.primary), None)

    def hosts_of(self, benchmark: str) -> tuple[str, ...]:
        """The hosts that were to do the benchmark: in a report of several runs, not always all."""
        having = {cell.host for cell in self.estimates.cells if cell.benchmark == benchmark}
        return tuple(host for host in self.hosts if host in having) or self.hosts

    def cell(self, host: str, measure: Measure, combination: str) -> Cell | None:
        return self._cells.get((host, measure.benchmark, measure.metric, combination))

    def pair(self, host: str, measure: Measure, combination: str) -> Pair | None:
        return self._pairs.get((host, measure.benchmark, measure.metric, combination))

    def unsupported(self, benchmark: str, combination: str, host: str | None) -> bool:
        """Can it not be done there; None: on any host?"""
        found = [
            trials
            for trials in self.estimates.trials
            if (trials.benchmark, trials.combination) == (benchmark, combination)
            and host in (None, trials.host)
        ]
        return bool(found) and all(trials.unsupported and not trials.ok for trials in found)

    def claimed(self, benchmark: str, combination: str, host: str | None) -> bool:
        """Is it said to differ from the baseline there; None: across machines?"""
        return (benchmark, combination, host) in self._claims

    def samples(self, measure: Measure) -> tuple[Series, ...]:
        return self._series.get((measure.benchmark, measure.metric), ())

    def flagged(self, benchmark: str) -> bool:
        """Has any host a contaminated block of it?"""
        found = self.estimates.contamination
        return found is not None and any(block.benchmark == benchmark for block in found.flagged)

    def ends(self, measure: Measure) -> tuple[float, ...]:
        """The smallest and the largest sample of each series."""
        return self._ends.get((measure.benchmark, measure.metric), ())

    def curve(self, measure: Measure) -> tuple[CurvePoint, ...]:
        key = (measure.benchmark, measure.metric)
        return tuple(p for p in self.estimates.curves if (p.benchmark, p.metric) == key)

    def knees(self, measure: Measure) -> tuple[CurveKnee, ...]:
        key = (measure.benchmark, measure.metric)
        return tuple(k for k in self.estimates.knees if (k.benchmark, k.metric) == key)


def _ends(series: Mapping[tuple[str, str], tuple[Series, ...]]) -> dict[tuple[str, str], tuple[float, ...]]:
    return {
        key: tuple(
            float(end) for one in every if len(one.values) for end in (one.values.min(), one.values.max())
        )
        for key, every in series.items()
    }
