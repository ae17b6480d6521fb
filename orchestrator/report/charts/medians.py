# SPDX-License-Identifier: Apache-2.0
"""Medians: of a benchmark's parts, and along its items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orchestrator.model.estimates import Measure
from orchestrator.report.charts.base import INK, Rows, Spec, by_host, colour, offset, panel, shape
from orchestrator.report.numbers import Scale
from orchestrator.report.view import Report


def breakdown(report: Report, measures: Sequence[Measure], scale: Scale) -> Spec:
    """The median of each metric of a benchmark with its 95 % interval, a row a metric, from zero."""
    rows = list(_medians(report, measures, scale, lambda measure: measure.metric))
    names = [measure.metric for measure in measures]
    x = {"title": f"median [{scale.unit}]", "scale": {"zero": True}, "axis": {"tickCount": 6}}
    return _dots(report, rows, names, x, 12, "Medians of the parts, by combination and host.")


def across(report: Report, measures: Sequence[Measure], scale: Scale) -> Spec:
    """One metric in several benchmarks, a row a benchmark; on a log scale, for they differ by orders of magnitude."""
    rows = [
        row
        for row in _medians(report, measures, scale, lambda measure: measure.benchmark)
        if row["median"] > 0 and (row["low"] is None or row["low"] > 0)
    ]
    names = [measure.benchmark for measure in measures]
    x = {
        "title": f"median [{scale.unit}], log scale",
        "scale": {"type": "log"},
        "axis": {"tickCount": 6, "format": "~g"},
    }
    description = f"Medians of {measures[0].metric} by benchmark, combination and host."
    return _dots(report, rows, names, x, 8, description)


def _medians(
    report: Report, measures: Sequence[Measure], scale: Scale, label: Callable[[Measure], str]
) -> Iterator[dict[str, Any]]:
    for measure in measures:
        for host in report.hosts:
            for combination in report.combinations:
                cell = report.cell(host, measure, combination)
                if cell and cell.median is not None:
                    low, high = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
                    yield {"host": host, "combination": combination, "metric": label(measure),
                           "median": cell.median * scale.factor, "low": low and low * scale.factor,
                           "high": high and high * scale.factor}  # fmt: skip


def _dots(report: Report, rows: Rows, names: Sequence[str], x: Spec, height: int, description: str) -> Spec:
    """``height``: pixels for each combination of a row."""
    y = {"field": "metric", "type": "nominal", "sort": list(names), "title": None, "scale": {"paddingInner": 0.4},
         "axis": {"domain": False, "ticks": False, "grid": True, "labelColor": INK, "labelPadding": 8}}  # fmt: skip
    places = offset(report.combinations)
    layers: list[Spec] = [
        {"transform": [{"filter": "isValid(datum.low)"}], "mark": {"type": "rule", "strokeWidth": 2}, "encoding": {
            "x": {"field": "low", "type": "quantitative", **x}, "x2": {"field": "high"}, "y": y, "yOffset": places,
            "color": colour(report)}},
        {"mark": {"type": "point", "filled": True, "size": 48, "opacity": 1}, "encoding": {
            "x": {"field": "median", "type": "quantitative", **x},
            "y": y, "yOffset": places, "color": colour(report), "shape": shape(report)}},
    ]  # fmt: skip
    step = {"step": max(24, height * len(report.combinations)), "for": "position"}
    longest = max((len(name) for name in names), default=0)
    spec = {"width": panel(len(report.hosts), max(120, 8 * longest)), "height": step, "layer": layers}
    return by_host(report, rows, spec, description)


def curve(report: Report, measure: Measure, scale: Scale) -> Spec:
    """The median by item (counted from 1) with its 95 % interval as a band, and a ring round each knee."""
    knees = {(knee.host, knee.combination, knee.item) for knee in report.knees(measure)}
    rows: Rows = [
        {"host": point.host, "combination": point.combination, "item": point.item + 1, "median": point.median * scale.factor,
         "low": point.interval.low * scale.factor if point.interval else None,
         "high": point.interval.high * scale.factor if point.interval else None,
         "knee": (point.host, point.combination, point.item) in knees}
        for point in report.curve(measure)
    ]  # fmt: skip
    last = max((row["item"] for row in rows), default=1)
    x = {"field": "item", "type": "quantitative", "title": f"{measure.item}, in the order of its start",
         "axis": {"grid": False, "tickMinStep": 1, "tickCount": min(last, 10), "format": "d"},
         "scale": {"domain": [1, last], "nice": False, "padding": 6}}  # fmt: skip
    y = {
        "field": "median",
        "type": "quantitative",
        "title": f"{measure.metric} [{scale.unit}]",
        "scale": {"zero": False},
    }
    layers: list[Spec] = [
        {"transform": [{"filter": "isValid(datum.low)"}], "mark": {"type": "area", "opacity": 0.16},
         "encoding": {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"},
                      "color": colour(report)}},
        {"mark": {"type": "line", "strokeWidth": 1.6}, "encoding": {"x": x, "y": y, "color": colour(report)}},
        {"mark": {"type": "point", "filled": True, "size": 44 if last <= 20 else 16, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": colour(report), "shape": shape(report)}},
        {"transform": [{"filter": "datum.knee"}], "mark": {"type": "point", "size": 240, "strokeWidth": 2, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": colour(report), "shape": {"value": "circle"}}},
    ]  # fmt: skip
    spec = {"width": panel(len(report.hosts), 60), "height": 190, "layer": layers}
    return by_host(report, rows, spec, f"{measure.metric} by {measure.item}, by host.")
