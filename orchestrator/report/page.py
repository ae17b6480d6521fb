# SPDX-License-Identifier: Apache-2.0
"""The sections of the HTML report: which figures and tables, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model.estimates import Measure
from orchestrator.report import charts
from orchestrator.report.bins import binned
from orchestrator.report.facts import all_facts
from orchestrator.report.floor import floor
from orchestrator.report.numbers import Scale
from orchestrator.report.stopping import counted_everywhere
from orchestrator.report.svg import Paint
from orchestrator.report.tables import (
    curve_table,
    estimates_table,
    samples_table,
    scale_of,
    secondary_table,
    spans_table,
    wide_table,
)
from orchestrator.report.thesis import thesis_table
from orchestrator.report.together import Views
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
    """All ratios as a picture; None where there is nothing to compare. Its numbers are the matrix's."""
    if not any(pair.ratio for pair in report.estimates.pairs):
        return None
    margin = report.estimates.settings.margin * 100
    caption = (
        f"Ratio to {report.spec.baseline} by host and benchmark, with 95 % intervals; left of 1 is better. The grey band is "
        f"the practical margin of {margin:g} %. The numbers are those of the matrix above."
    )
    return Figure("Every comparison as a picture", caption, paint(charts.forest(report)), None)


def section(views: Views, benchmark: str, paint: Paint) -> Section:
    report = views.report
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
        figures=tuple(_figures(views, benchmark, paint)),
        estimates=metrics_table(report, scalar),
        secondary=secondary_table(report, scalar),
        thesis=thesis_table(report, benchmark),
    )


def metrics_table(report: Report, measures: Sequence[Measure]) -> Table:
    """Of one benchmark: in full, or of very many hosts in short."""
    if report.crowded:
        return wide_table(report, measures)
    return estimates_table(report, measures, report.hosts_of(measures[0].benchmark) if measures else ())


def facts_table(report: Report) -> Table:
    """A column a host; of very many hosts each value once, with the hosts that have it."""
    hosts = report.estimates.hosts
    if report.crowded:
        grouped = tuple(
            (name, _by_value([host.host for host in hosts], values)) for name, values in all_facts(hosts)
        )
        return Table("Every recorded fact.", ("fact", "value and hosts"), grouped, words=frozenset((1,)))
    rows = tuple((name, *values) for name, values in all_facts(hosts))
    words = frozenset(range(1, len(hosts) + 1))
    return Table("Every recorded fact.", ("fact", *(host.host for host in hosts)), rows, words=words)


def _by_value(hosts: Sequence[str], values: Sequence[str]) -> str:
    """``6.1 (57 hosts); 6.12 (m3, m8)``: of what few have, who they are."""
    having: dict[str, list[str]] = {}
    for host, value in zip(hosts, values, strict=True):
        having.setdefault(value, []).append(host)
    if len(having) == 1:
        return values[0]
    if len(having) > len(hosts) // 2:
        return "; ".join(f"{host} {value}" for host, value in zip(hosts, values, strict=True))
    return "; ".join(
        f"{value} ({', '.join(who) if len(who) <= 5 else f'{len(who)} hosts'})"
        for value, who in having.items()
    )


def _figures(views: Views, benchmark: str, paint: Paint) -> Iterator[Figure]:
    report = views.report
    primary = report.primary(benchmark)
    if primary is not None and report.samples(primary):
        yield from _sampled(views, primary, paint)
    parts = [m for m in report.measures(benchmark) if primary is not None and _is_part(m, primary)]
    if len(parts) > 2:
        yield _breakdown(views, parts, paint)
    for measure in report.measures(benchmark):
        if measure.per_item and report.curve(measure):
            yield _curve(views, measure, paint)


def _is_part(measure: Measure, primary: Measure) -> bool:
    """May it stand on one axis with the benchmark's other metrics? What accompanies every benchmark is no part of it."""
    accompanies = measure.metric in {metric.name for metric in ACCOMPANYING}
    return not (measure.per_item or measure.primary or accompanies) and measure.unit == primary.unit


def _sampled(views: Views, measure: Measure, paint: Paint) -> Iterator[Figure]:
    yield _strip(views, measure, paint)
    yield _course(views, measure, paint)


def _strip(views: Views, measure: Measure, paint: Paint) -> Figure:
    report = views.report
    shown = views.together if report.crowded else report
    scale, many = scale_of(report, measure), binned(shown.samples(measure))
    if many:
        marks = "The darker, the more samples lie there"
    elif report.crowded:
        marks = "Each mark is the median of one host"
    else:
        marks = "Each mark is one trial; within a row the blocks run from top to bottom"
    bar = "its hosts' quartiles" if report.crowded else "its 95 % interval (from six values on)"
    caption = f"{marks}. The upright line is the median, the bar {bar}. The axis does not begin at zero." + (
        " The numbers of each host are in the table of all metrics." if report.crowded else ""
    )
    table = None if report.crowded else estimates_table(report, [measure], report.hosts_of(measure.benchmark))
    return Figure(
        f"{measure.metric}: the samples", caption, paint(charts.strip(shown, measure, scale)), table
    )


def _course(views: Views, measure: Measure, paint: Paint) -> Figure:
    report, title = views.report, f"{measure.metric}: in the order of time"
    ran = "Blocks in the order in which they ran; within a block the combinations took turns in random order"
    shaded = " A shaded block is contaminated." if report.flagged(measure.benchmark) else ""
    if not report.crowded and not binned(report.samples(measure)):
        caption = (
            f"{ran}. Hollow marks are warm-up, which counts nowhere.{shaded} The axis does not begin at zero."
        )
        picture = paint(charts.course(report, measure, scale_of(report, measure)))
        return Figure(title, caption, picture, samples_table(report, measure))
    shown = views.relative if report.crowded else report
    scale = Scale(1.0, "x its host's median") if report.crowded else scale_of(report, measure)
    caption = (
        f"{ran}. The line is the median of each span of blocks{' over all hosts' if report.crowded else ''}, the band runs from the "
        f"5 % to the 95 % quantile. Warm-up is left out.{'' if report.crowded else shaded} The axis does not begin at zero."
    )
    picture = paint(charts.course_in_spans(shown, measure, scale))
    return Figure(title, caption, picture, spans_table(shown, measure, scale))


def _breakdown(views: Views, parts: list[Measure], paint: Paint) -> Figure:
    report = views.report
    largest = max(parts, key=lambda m: max((float(s.values.max()) for s in report.samples(m)), default=0))
    shown, bars = _shown(views)
    picture = paint(charts.breakdown(shown, parts, scale_of(report, largest)))
    table = None if report.crowded else estimates_table(report, parts, report.hosts_of(parts[0].benchmark))
    where = " The numbers of each host are in the table of all metrics." if report.crowded else ""
    return Figure(
        "Where the time goes",
        f"Medians of each part, with {bars}, on one axis from zero.{where}",
        picture,
        table,
    )


def _curve(views: Views, measure: Measure, paint: Paint) -> Figure:
    report = views.report
    shown, bars = _shown(views)
    caption = f"Median by {measure.item} over the blocks; the band is {bars}, point by point. The axis does not begin at zero."
    if any(knee.item is not None for knee in shown.knees(measure)):
        caption += " A ring marks a knee: from there on the curve rises faster."
    picture = paint(charts.curve(shown, measure, scale_of(report, measure)))
    title = f"{measure.metric}: from the first {measure.item} to the last"
    return Figure(title, caption, picture, curve_table(shown, measure))


def _shown(views: Views) -> tuple[Report, str]:
    """What a figure of medians is drawn from, and what its bars are."""
    if views.report.crowded:
        return views.together, "the quartiles of the hosts' medians"
    return views.report, "its 95 % interval (from six values on)"
