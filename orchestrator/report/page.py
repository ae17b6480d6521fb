# SPDX-License-Identifier: Apache-2.0
"""The sections of the HTML report: which figures and tables, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.model.estimates import Measure
from orchestrator.report import charts
from orchestrator.report.facts import all_facts
from orchestrator.report.floor import floor
from orchestrator.report.stopping import counted_everywhere
from orchestrator.report.svg import Paint
from orchestrator.report.tables import (
    curve_table,
    estimates_table,
    matrix_table,
    samples_table,
    scale_of,
    secondary_table,
)
from orchestrator.report.thesis import thesis_table
from orchestrator.report.thinning import selection
from orchestrator.report.view import Figure, Report, Table
from remote_agent.contract.benchmark import ACCOMPANYING


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark. ``primary`` is the metric that verdicts are about."""

    name: str
    summary: str
    counted: str
    floor: str | None
    warmup: int
    primary: Measure | None
    measures: tuple[Measure, ...]
    figures: tuple[Figure, ...]
    estimates: Table
    secondary: Table
    thesis: Table | None


def overview(report: Report, paint: Paint) -> Figure | None:
    """All ratios at one look; None where there is nothing to compare."""
    table = matrix_table(report)
    if not any(pair.ratio for pair in report.estimates.pairs):
        return None
    margin = report.estimates.settings.margin * 100
    caption = (
        f"Ratio to {report.spec.baseline} by host and benchmark, with 95 % intervals; left of 1 is better. The grey band is "
        f"the practical margin of {margin:g} %."
    )
    return Figure("Every comparison at one look", caption, paint(charts.forest(report)), table)


def section(report: Report, benchmark: str, paint: Paint) -> Section:
    plan = next(plan for plan in report.spec.benchmarks if plan.name == benchmark)
    measures = report.measures(benchmark)
    scalar = tuple(m for m in measures if not m.per_item)
    known = report.catalogue.get(benchmark)
    return Section(
        name=benchmark,
        summary=known.summary
        if known
        else "This version of labctl does not know this benchmark: it makes no verdict.",
        counted=counted_everywhere(report, benchmark),
        floor=floor(report, benchmark, report.hosts_of(benchmark)),
        warmup=plan.warmup,
        primary=report.primary(benchmark),
        measures=measures,
        figures=tuple(_figures(report, benchmark, paint)),
        estimates=estimates_table(report, scalar, report.hosts_of(benchmark)),
        secondary=secondary_table(report, scalar),
        thesis=thesis_table(report, benchmark),
    )


def facts_table(report: Report) -> Table:
    hosts = report.estimates.hosts
    rows = tuple((name, *values) for name, values in all_facts(hosts))
    words = frozenset(range(1, len(hosts) + 1))
    return Table("Every recorded fact.", ("fact", *(host.host for host in hosts)), rows, words=words)


def _figures(report: Report, benchmark: str, paint: Paint) -> Iterator[Figure]:
    primary = report.primary(benchmark)
    if primary is not None and report.samples(primary):
        yield from _sampled(report, primary, paint)
    parts = [m for m in report.measures(benchmark) if primary is not None and _is_part(m, primary)]
    if len(parts) > 2:
        yield _breakdown(report, parts, paint)
    for measure in report.measures(benchmark):
        if measure.per_item and report.curve(measure):
            yield _curve(report, measure, paint)


def _is_part(measure: Measure, primary: Measure) -> bool:
    """May it stand on one axis with the benchmark's other metrics? What accompanies every benchmark is no part of it."""
    accompanies = measure.metric in {metric.name for metric in ACCOMPANYING}
    return not (measure.per_item or measure.primary or accompanies) and measure.unit == primary.unit


def _sampled(report: Report, measure: Measure, paint: Paint) -> Iterator[Figure]:
    scale, table = scale_of(report, measure), samples_table(report, measure)
    every = selection(report.samples(measure)).sentence
    thinned = f" {every}." if every else ""
    yield Figure(
        f"{measure.metric}: the samples",
        "Each mark is one trial; within a row the blocks run from top to bottom. The upright line is the median, the bar its "
        f"95 % interval (from six values on). The axis does not begin at zero.{thinned}",
        paint(charts.strip(report, measure, scale)),
        estimates_table(report, [measure], report.hosts_of(measure.benchmark)),
    )
    yield Figure(
        f"{measure.metric}: in the order of time",
        "Blocks in the order in which they ran; within a block the combinations took turns in random order. Hollow marks are "
        f"warm-up, which counts nowhere. The axis does not begin at zero.{thinned}",
        paint(charts.course(report, measure, scale)),
        table,
    )


def _breakdown(report: Report, parts: list[Measure], paint: Paint) -> Figure:
    largest = max(parts, key=lambda m: max((float(s.values.max()) for s in report.samples(m)), default=0))
    scale = scale_of(report, largest)
    caption = "Medians of each part, with 95 % intervals (from six values on), on one axis from zero."
    picture = paint(charts.breakdown(report, parts, scale))
    return Figure(
        "Where the time goes",
        caption,
        picture,
        estimates_table(report, parts, report.hosts_of(parts[0].benchmark)),
    )


def _curve(report: Report, measure: Measure, paint: Paint) -> Figure:
    caption = (
        f"Median by {measure.item} over the blocks; the band is its 95 % interval, point by point (from six values on). The axis "
        "does not begin at zero."
    )
    if any(knee.item is not None for knee in report.knees(measure)):
        caption += " A ring marks a knee: from there on the curve rises faster."
    picture = paint(charts.curve(report, measure, scale_of(report, measure)))
    return Figure(
        f"{measure.metric}: from the first {measure.item} to the last",
        caption,
        picture,
        curve_table(report, measure),
    )
