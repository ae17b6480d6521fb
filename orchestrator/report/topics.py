# SPDX-License-Identifier: Apache-2.0
"""Sections across benchmarks: what the runtimes themselves cost, how well limits are kept, and where the spread lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.model.estimates import Measure
from orchestrator.report import charts
from orchestrator.report.numbers import scale_for
from orchestrator.report.spread import spread_table
from orchestrator.report.svg import Paint
from orchestrator.report.tables import scale_of, wide_table
from orchestrator.report.together import Views
from orchestrator.report.view import Figure, Report, Table
from remote_agent.contract.benchmark import ACCOMPANYING

PICTURES = (("ServiceCPU", "DaemonCPU"), ("ShimPSS", "DaemonPSS"))
"""Of what accompanies every benchmark, what a reader asks for first: time and memory, each by the first that hosts can tell."""
FLOOR = "Floor"
LIMITS = "limits."


@dataclass(frozen=True, slots=True)
class Topic:
    """``anchor`` names it in the page."""

    anchor: str
    title: str
    prose: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]


def topics(views: Views, paint: Paint) -> tuple[Topic, ...]:
    """Those of which the run has samples."""
    return tuple(topic for topic in (_costs(views, paint), _limits(views), _spread(views)) if topic)


def _costs(views: Views, paint: Paint) -> Topic | None:
    report = views.report
    told = {metric.name: metric.timed for metric in ACCOMPANYING if metric.name != FLOOR}
    found = {name: _named(report, name) for name in told}
    shown = [name for names in PICTURES if (name := next((name for name in names if found[name]), None))]
    figures = tuple(_across(views, found[name], told[name], paint) for name in shown)
    tables = tuple(
        _by_benchmark(report, f"{name}. {told[name]}", measures)
        for name, measures in found.items()
        if measures and name not in shown
    )
    if not figures and not tables:
        return None
    prose = (
        "What the daemons and the shims used while each benchmark ran, beside what it measured. Lower is better; nothing of it "
        "is a primary metric, so no claim is made from it."
    )
    return Topic("costs", "What the runtimes themselves cost", prose, figures, tables)


def _across(views: Views, measures: Sequence[Measure], timed: str, paint: Paint) -> Figure:
    report = views.report
    shown = views.together if report.crowded else report
    ends = [end for measure in measures for end in report.ends(measure)]
    name, scale = measures[0].metric, scale_for(measures[0].unit, ends)
    bars = "the quartiles of the hosts' medians" if report.crowded else "95 % intervals (from six values on)"
    picture = paint(charts.across(shown, measures, scale))
    caption = f"{timed} Medians by benchmark, with {bars}; the axis is logarithmic."
    return Figure(f"{name} by benchmark", caption, picture, _by_benchmark(report, name, measures))


def _limits(views: Views) -> Topic | None:
    report = views.report
    accompanying = {metric.name for metric in ACCOMPANYING}
    measures = [
        measure
        for measure in report.estimates.measures
        if measure.benchmark.startswith(LIMITS)
        and not measure.per_item
        and measure.metric not in accompanying
    ]
    if not measures:
        return None
    prose = (
        "What was asked for against what was delivered, and how soon. A combination that cannot keep a limit here says so, and "
        "has no number; the sections of the benchmarks have the reasons, and the steps one by one."
    )
    table = wide_table(report, measures, "Limits.", _full)
    return Topic("fidelity", "How limits are kept", prose, (), (table,))


def _spread(views: Views) -> Topic | None:
    table = spread_table(views.report)
    if table is None:
        return None
    prose = (
        "Of the primary metrics, how much of the variance of each combination's values lies between hosts, between the runs of one "
        "host, and from block to block within a run. What lies between hosts, more blocks do not make smaller: more machines do."
    )
    return Topic("spread", "Where the spread lies", prose, (), (table,))


def _named(report: Report, metric: str) -> list[Measure]:
    return [m for m in report.estimates.measures if m.metric == metric and report.samples(m)]


def _by_benchmark(report: Report, caption: str, measures: Sequence[Measure]) -> Table:
    return wide_table(report, measures, caption, _benchmark)


def _benchmark(report: Report, measure: Measure) -> str:
    return f"{measure.benchmark} [{scale_of(report, measure).unit}]"


def _full(report: Report, measure: Measure) -> str:
    return f"{measure.benchmark}, {measure.metric} [{scale_of(report, measure).unit}]"
