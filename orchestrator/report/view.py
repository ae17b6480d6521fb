# SPDX-License-Identifier: Apache-2.0
"""What a report is drawn from, and the two shapes that everything in it has: tables, and figures with their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.estimates import Cell, CurveKnee, CurvePoint, Estimates, Measure, Pair
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import Series
from remote_agent.contract.benchmark import Benchmark


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
    """A picture as inline SVG, what it shows, and its numbers."""

    title: str
    caption: str
    svg: str
    table: Table


@dataclass(frozen=True, slots=True)
class Report:
    """A run's spec, estimates and samples, and the words of the benchmarks; the rest is looked up in them."""

    spec: RunSpec
    estimates: Estimates
    series: tuple[Series, ...]
    catalogue: Mapping[str, Benchmark] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.spec.hosts)

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

    def cell(self, host: str, measure: Measure, combination: str) -> Cell | None:
        wanted = (host, measure.benchmark, measure.metric, combination)
        cells = self.estimates.cells
        return next((c for c in cells if (c.host, c.benchmark, c.metric, c.combination) == wanted), None)

    def pair(self, host: str, measure: Measure, combination: str) -> Pair | None:
        wanted = (host, measure.benchmark, measure.metric, combination)
        pairs = self.estimates.pairs
        return next((p for p in pairs if (p.host, p.benchmark, p.metric, p.combination) == wanted), None)

    def samples(self, measure: Measure) -> tuple[Series, ...]:
        key = (measure.benchmark, measure.metric)
        return tuple(one for one in self.series if (one.benchmark, one.metric) == key)

    def curve(self, measure: Measure) -> tuple[CurvePoint, ...]:
        key = (measure.benchmark, measure.metric)
        return tuple(p for p in self.estimates.curves if (p.benchmark, p.metric) == key)

    def knees(self, measure: Measure) -> tuple[CurveKnee, ...]:
        key = (measure.benchmark, measure.metric)
        return tuple(k for k in self.estimates.knees if (k.benchmark, k.metric) == key)
