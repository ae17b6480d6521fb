# SPDX-License-Identifier: Apache-2.0
"""Pictures as Vega-Lite specs: plain dicts. Colours are CSS variables, so that one SVG serves light, dark and paper.

Every combination has a colour *and* a shape, so that nothing rests on colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.model.estimates import Measure
from orchestrator.report.numbers import Scale
from orchestrator.report.thinning import selection
from orchestrator.report.view import Report

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

PAGE = 836
"""Width of a figure in CSS pixels, all its panels together."""
GAP = 26
LADDERS: tuple[tuple[float, ...], ...] = (
    (0.9, 0.92, 0.94, 0.96, 0.98, 1, 1.02, 1.04, 1.06, 1.08, 1.1),
    (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3),
    (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6, 1.8, 2),
    (0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4),
    (0.1, 0.2, 0.5, 1, 2, 5, 10),
    (0.01, 0.1, 1, 10, 100),
)
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "stroke")
INK, FAINT, RULE, PAPER = "var(--ink)", "var(--faint)", "var(--rule)", "var(--paper)"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

CONFIG: Spec = {
    "background": None,
    "font": FONT,
    "padding": {"left": 16, "right": 8, "top": 2, "bottom": 2},
    "view": {"stroke": None},
    "axis": {
        "labelColor": FAINT, "titleColor": FAINT, "gridColor": RULE, "domainColor": RULE, "tickColor": RULE,
        "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 260, "titlePadding": 8,
        "labelOverlap": "greedy", "labelSeparation": 8,
    },
    "header": {"labelColor": INK, "labelFontSize": 12, "labelFontWeight": 600, "title": None, "labelPadding": 6,
               "labelAnchor": "start"},
    "axisX": {"tickCount": 6},
    "legend": {"labelColor": INK, "titleColor": FAINT, "labelFontSize": 11, "title": None, "orient": "top",
               "symbolSize": 60, "labelLimit": 260, "columns": 4, "columnPadding": 28, "offset": 6, "symbolOpacity": 1},
    "facet": {"spacing": {"row": 18, "column": 26}},
}  # fmt: skip


def forest(report: Report) -> Spec:
    """Ratio to the baseline with its 95 % interval: a row a host, a panel a benchmark; the margin is shaded."""
    margin = report.estimates.settings.margin
    rows: Rows = [
        {"host": pair.host, "combination": pair.combination, "benchmark": pair.benchmark, "ratio": pair.ratio,
         "low": pair.interval.low if pair.interval else None, "high": pair.interval.high if pair.interval else None}
        for pair in report.estimates.pairs
        if (primary := report.primary(pair.benchmark)) and primary.metric == pair.metric and pair.ratio
    ]  # fmt: skip
    bounds: list[float] = [
        value for row in rows for value in (row["ratio"], row["low"], row["high"]) if value
    ]
    low, high = min([*bounds, 1 / (1 + 1.6 * margin)]) / 1.03, max([*bounds, 1 + 1.6 * margin]) * 1.03
    axis = {"title": "ratio to the baseline (log scale)", "values": ratio_ticks(low, high), "format": "~g"}
    x = {
        "field": "ratio",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": axis,
    }
    y = {"field": "host", "type": "nominal", "sort": list(report.hosts), "title": None,
         "axis": {"domain": False, "ticks": False, "labelPadding": 8, "labelColor": INK}}  # fmt: skip
    layers: list[Spec] = [
        {"mark": {"type": "rect", "color": RULE, "opacity": 0.5},
         "encoding": {"x": {"datum": 1 / (1 + margin)}, "x2": {"datum": 1 + margin}}},
        {"mark": {"type": "rule", "color": FAINT, "strokeDash": [3, 3]}, "encoding": {"x": {"datum": 1}}},
        {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {
            "x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y,
            "yOffset": _offset(report.others), "color": _colour(report, report.others)}},
        {"mark": {"type": "point", "filled": True, "size": 46, "opacity": 1}, "encoding": {
            "x": x, "y": y, "yOffset": _offset(report.others), "color": _colour(report, report.others),
            "shape": _shape(report, report.others)}},
    ]  # fmt: skip
    step = {"step": max(16, 12 * len(report.others)), "for": "position"}
    benchmarks = [plan.name for plan in report.spec.benchmarks]
    spec = {"width": panel(len(benchmarks), 60), "height": step, "layer": layers}
    return _faceted(rows, "benchmark", benchmarks, spec, "Ratios to the baseline by benchmark and host.")


def strip(report: Report, measure: Measure, scale: Scale) -> Spec:
    """Every counted sample, offset by its block so that time runs downwards, with median and 95 % interval."""
    selected = selection(report.samples(measure))
    rows: Rows = []
    for one in report.samples(measure):
        kept = selected.of(one) & ~one.warmup
        counted = zip(one.values[kept].tolist(), one.blocks[kept].tolist(), strict=True)
        rows += [
            {"host": one.host, "combination": one.combination, "value": value * scale.factor, "block": block}
            for value, block in counted
        ]
    for cell in report.estimates.cells:
        if (cell.benchmark, cell.metric) == (measure.benchmark, measure.metric) and cell.median is not None:
            low, high = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
            rows.append({"host": cell.host, "combination": cell.combination, "median": cell.median * scale.factor,
                         "low": low and low * scale.factor, "high": high and high * scale.factor})  # fmt: skip
    x = {
        "field": "value",
        "type": "quantitative",
        "title": f"{measure.metric} [{scale.unit}]",
        "scale": {"zero": False, "nice": True},
    }
    y = _combination_axis(report)
    layers: list[Spec] = [
        {"transform": [{"filter": "isValid(datum.value)"}],
         "mark": {"type": "point", "filled": True, "size": 26, "opacity": 0.6},
         "encoding": {"x": x, "y": y, "color": _no_legend(_colour(report)), "shape": _no_legend(_shape(report)),
                      "yOffset": {"field": "block", "type": "quantitative", "scale": {"zero": False}}}},
        {"transform": [{"filter": "isValid(datum.low)"}], "mark": {"type": "rule", "strokeWidth": 3, "color": INK, "opacity": 0.55},
         "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y}},
        {"transform": [{"filter": "isValid(datum.median)"}],
         "mark": {"type": "tick", "thickness": 2.5, "size": 30, "color": INK},
         "encoding": {"x": {"field": "median", "type": "quantitative"}, "y": y}},
    ]  # fmt: skip
    spec = {
        "width": panel(len(report.hosts), 100),
        "height": {"step": 44, "for": "position"},
        "layer": layers,
    }
    return _by_host(report, rows, spec, f"Samples of {measure.metric} by combination and host.")


def course(report: Report, measure: Measure, scale: Scale) -> Spec:
    """Every sample in the order of its block; warm-up is hollow."""
    selected = selection(report.samples(measure))
    rows: Rows = []
    for one in report.samples(measure):
        kept = selected.of(one)
        columns = (one.values[kept].tolist(), one.blocks[kept].tolist(), one.warmup[kept].tolist())
        rows += [
            {
                "host": one.host,
                "combination": one.combination,
                "value": value * scale.factor,
                "block": block,
                "warmup": warmup,
            }
            for value, block, warmup in zip(*columns, strict=True)
        ]
    last = max((row["block"] for row in rows), default=0)
    x = {"field": "block", "type": "quantitative", "title": "block",
         "axis": {"grid": False, "tickMinStep": 1, "tickCount": min(last, 10), "format": "d"},
         "scale": {"domain": [0, last], "nice": False, "padding": 6}}  # fmt: skip
    y = {
        "field": "value",
        "type": "quantitative",
        "title": f"{measure.metric} [{scale.unit}]",
        "scale": {"zero": False},
    }
    layers: list[Spec] = [
        {"transform": [{"filter": "!datum.warmup"}], "mark": {"type": "line", "strokeWidth": 1.2, "opacity": 0.75},
         "encoding": {"x": x, "y": y, "color": _colour(report)}},
        {"mark": {"type": "point", "size": 34, "strokeWidth": 1.4, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": _colour(report), "shape": _shape(report),
                      "fill": {"condition": {"test": "datum.warmup", "value": PAPER},
                               "field": "combination", "type": "nominal", "scale": _colours(report), "legend": None}}},
    ]  # fmt: skip
    spec = {"width": panel(len(report.hosts), 60), "height": 150, "layer": layers}
    return _by_host(report, rows, spec, f"{measure.metric} in the order of the blocks, by host.")


def breakdown(report: Report, measures: Sequence[Measure], scale: Scale) -> Spec:
    """The median of each metric with its 95 % interval, a row a metric."""
    rows: Rows = []
    for measure in measures:
        for host in report.hosts:
            for combination in report.combinations:
                cell = report.cell(host, measure, combination)
                if cell and cell.median is not None:
                    low, high = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
                    rows.append({"host": host, "combination": combination, "metric": measure.metric,
                                 "median": cell.median * scale.factor, "low": low and low * scale.factor,
                                 "high": high and high * scale.factor})  # fmt: skip
    order = [measure.metric for measure in measures]
    y = {"field": "metric", "type": "nominal", "sort": order, "title": None, "scale": {"paddingInner": 0.4},
         "axis": {"domain": False, "ticks": False, "grid": True, "labelColor": INK, "labelPadding": 8}}  # fmt: skip
    offset = _offset(report.combinations)
    layers: list[Spec] = [
        {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {
            "x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y, "yOffset": offset,
            "color": _colour(report)}},
        {"mark": {"type": "point", "filled": True, "size": 48, "opacity": 1}, "encoding": {
            "x": {"field": "median", "type": "quantitative", "title": f"median [{scale.unit}]", "scale": {"zero": True},
                  "axis": {"tickCount": 6}},
            "y": y, "yOffset": offset, "color": _colour(report), "shape": _shape(report)}},
    ]  # fmt: skip
    step = {"step": max(24, 12 * len(report.combinations)), "for": "position"}
    spec = {"width": panel(len(report.hosts), 120), "height": step, "layer": layers}
    return _by_host(report, rows, spec, "Medians of the parts, by combination and host.")


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
                      "color": _colour(report)}},
        {"mark": {"type": "line", "strokeWidth": 1.6}, "encoding": {"x": x, "y": y, "color": _colour(report)}},
        {"mark": {"type": "point", "filled": True, "size": 44 if last <= 20 else 16, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": _colour(report), "shape": _shape(report)}},
        {"transform": [{"filter": "datum.knee"}], "mark": {"type": "point", "size": 240, "strokeWidth": 2, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": _colour(report), "shape": {"value": "circle"}}},
    ]  # fmt: skip
    spec = {"width": panel(len(report.hosts), 60), "height": 190, "layer": layers}
    return _by_host(report, rows, spec, f"{measure.metric} by {measure.item}, by host.")


def columns(panels: int) -> int:
    """How many panels stand beside one another."""
    return min(panels, 2) if panels <= 4 else 3


def panel(panels: int, labels: int) -> int:
    """Width of one panel's plot, in pixels, where the first one's axis needs ``labels``."""
    n = columns(panels)
    return (PAGE - labels - (n - 1) * GAP) // n


def ratio_ticks(low: float, high: float) -> list[float]:
    """Round ratios within the bounds, 1 among them: of the finest ladder that spans them with no more than seven."""
    for ladder in LADDERS:
        ticks = [tick for tick in ladder if low <= tick <= high]
        if len(ticks) <= 7 and ladder[0] <= 2 * low and high <= 2 * ladder[-1]:
            return ticks
    return [tick for tick in LADDERS[-1] if low <= tick <= high]


def _by_host(report: Report, rows: Rows, spec: Spec, description: str) -> Spec:
    return _faceted(rows, "host", report.hosts, spec, description)


def _faceted(rows: Rows, field: str, order: Sequence[str], spec: Spec, description: str) -> Spec:
    return {
        "$schema": "vega-lite/v5",
        "description": description,
        "data": {"values": rows},
        "facet": {"field": field, "type": "nominal", "sort": list(order), "header": {"title": None}},
        "columns": columns(len(order)),
        "spec": spec,
        "config": CONFIG,
    }


def _colours(report: Report) -> Spec:
    names = list(report.combinations)
    return {"domain": names, "range": [f"var(--c{index % 8})" for index in range(len(names))]}


def _colour(report: Report, only: Sequence[str] = ()) -> Spec:
    return {
        "field": "combination",
        "type": "nominal",
        "scale": _colours(report),
        "legend": _legend(report, only),
    }


def _shape(report: Report, only: Sequence[str] = ()) -> Spec:
    names = list(report.combinations)
    scale = {"domain": names, "range": [SHAPES[index % len(SHAPES)] for index in range(len(names))]}
    return {"field": "combination", "type": "nominal", "scale": scale, "legend": _legend(report, only)}


def _legend(report: Report, only: Sequence[str]) -> Spec:
    return {"values": list(only or report.combinations)}


def _no_legend(channel: Spec) -> Spec:
    """For a picture whose axis names the combinations already."""
    return {**channel, "legend": None}


def _offset(names: Sequence[str]) -> Spec:
    return {
        "field": "combination",
        "type": "nominal",
        "sort": list(names),
        "scale": {"domain": list(names), "paddingInner": 0.2},
    }


def _combination_axis(report: Report) -> Spec:
    return {"field": "combination", "type": "nominal", "sort": list(report.combinations), "title": None,
            "axis": {"domain": False, "ticks": False, "labelColor": INK, "labelPadding": 8}}  # fmt: skip
