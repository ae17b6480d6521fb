# SPDX-License-Identifier: Apache-2.0
"""One metric's samples: how they lie, and in the order of time. Beyond bins.MOST of them as bins, and none is left out."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.estimates import Measure
from orchestrator.model.samples import Series
from orchestrator.report.bins import bars, binned, edges, last_block, ranges, spans, width
from orchestrator.report.charts.base import (
    INK,
    PAPER,
    WARN,
    Rows,
    Spec,
    by_host,
    colour,
    colours,
    combination_axis,
    no_legend,
    panel,
    shape,
)
from orchestrator.report.numbers import Scale
from orchestrator.report.view import Report


def strip(report: Report, measure: Measure, scale: Scale) -> Spec:
    """Every counted sample, offset by its block so that time runs downwards, with median and 95 % interval."""
    samples = report.samples(measure)
    many = binned(samples)
    rows = [*(_bars(samples, scale) if many else _points(samples, scale)), *_medians(report, measure, scale)]
    y = combination_axis(report)
    layers: list[Spec] = [
        _bar_layer(report, y) if many else _point_layer(report, _value(measure, scale), y),
        {"transform": [{"filter": "isValid(datum.low)"}], "mark": {"type": "rule", "strokeWidth": 3, "color": INK, "opacity": 0.55},
         "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y}},
        {"transform": [{"filter": "isValid(datum.median)"}],
         "mark": {"type": "tick", "thickness": 2.5, "size": 30, "color": INK},
         "encoding": {"x": {"field": "median", **_value(measure, scale), }, "y": y}},
    ]  # fmt: skip
    spec = {
        "width": panel(len(report.hosts), 100),
        "height": {"step": 44, "for": "position"},
        "layer": layers,
    }
    return by_host(report, rows, spec, f"Samples of {measure.metric} by combination and host.")


def _value(measure: Measure, scale: Scale) -> Spec:
    return {
        "type": "quantitative",
        "title": f"{measure.metric} [{scale.unit}]",
        "scale": {"zero": False, "nice": True},
    }


def _points(samples: tuple[Series, ...], scale: Scale) -> Iterator[dict[str, object]]:
    for one in samples:
        counted = ~one.warmup
        for value, block in zip(one.values[counted].tolist(), one.blocks[counted].tolist(), strict=True):
            yield {
                "host": one.host,
                "combination": one.combination,
                "value": value * scale.factor,
                "block": block,
            }


def _point_layer(report: Report, value: Spec, y: Spec) -> Spec:
    return {
        "transform": [{"filter": "isValid(datum.value)"}],
        "mark": {"type": "point", "filled": True, "size": 26, "opacity": 0.6},
        "encoding": {"x": {"field": "value", **value}, "y": y, "color": no_legend(colour(report)), "shape": no_legend(shape(report)),
                     "yOffset": {"field": "block", "type": "quantitative", "scale": {"zero": False}}},
    }  # fmt: skip


def _bars(samples: tuple[Series, ...], scale: Scale) -> Iterator[dict[str, object]]:
    grid = edges(samples)
    for one in samples:
        for bar in bars(one, grid):
            yield {"host": one.host, "combination": one.combination, "from": bar.low * scale.factor,
                   "to": bar.high * scale.factor, "share": bar.share}  # fmt: skip


def _bar_layer(report: Report, y: Spec) -> Spec:
    """The darker, the more samples lie there; the faintest is still seen."""
    opacity = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": [0.18, 0.95]},
        "legend": None,
    }
    return {
        "transform": [{"filter": "isValid(datum.share)"}],
        "mark": {"type": "bar", "height": 20},
        "encoding": {"x": {"field": "from", "type": "quantitative"}, "x2": {"field": "to"}, "y": y,
                     "color": no_legend(colour(report)), "opacity": opacity},
    }  # fmt: skip


def _medians(report: Report, measure: Measure, scale: Scale) -> Iterator[dict[str, object]]:
    for cell in report.estimates.cells:
        if (cell.benchmark, cell.metric) == (measure.benchmark, measure.metric) and cell.median is not None:
            low, high = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
            yield {"host": cell.host, "combination": cell.combination, "median": cell.median * scale.factor,
                   "low": low and low * scale.factor, "high": high and high * scale.factor}  # fmt: skip


def course(report: Report, measure: Measure, scale: Scale) -> Spec:
    """Every sample in the order of its block; warm-up is hollow, a contaminated block shaded."""
    rows: Rows = []
    for one in report.samples(measure):
        columns = (one.values.tolist(), one.blocks.tolist(), one.warmup.tolist())
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
    x, y = _time(last_block(report.samples(measure))), _level(measure, scale)
    layers: list[Spec] = [
        _shade(x),
        {"transform": [{"filter": "datum.warmup === false"}], "mark": {"type": "line", "strokeWidth": 1.2, "opacity": 0.75},
         "encoding": {"x": x, "y": y, "color": colour(report)}},
        {"transform": [{"filter": "isValid(datum.value)"}], "mark": {"type": "point", "size": 34, "strokeWidth": 1.4, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": colour(report), "shape": shape(report),
                      "fill": {"condition": {"test": "datum.warmup", "value": PAPER},
                               "field": "combination", "type": "nominal", "scale": colours(report), "legend": None}}},
    ]  # fmt: skip
    spec = {"width": panel(len(report.hosts), 60), "height": 150, "layer": layers}
    rows += _flagged(report, measure)
    return by_host(report, rows, spec, f"{measure.metric} in the order of the blocks, by host.")


def course_in_spans(report: Report, measure: Measure, scale: Scale) -> Spec:
    """The same where there are too many: the median of each span of blocks, and a band from the 5 % to the 95 % quantile."""
    samples = report.samples(measure)
    blocks = width(samples)
    rows: Rows = [
        {"host": one.host, "combination": one.combination, "block": (span.first + span.last) / 2, "value": span.median * scale.factor,
         "low": span.low * scale.factor, "high": span.high * scale.factor}
        for one in samples for span in spans(one, blocks)
    ]  # fmt: skip
    x, y = _time(last_block(samples)), _level(measure, scale)
    inside = [{"filter": "isValid(datum.value)"}]
    layers: list[Spec] = [
        _shade(x),
        {"transform": inside, "mark": {"type": "area", "opacity": 0.16}, "encoding": {
            "x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}, "color": colour(report)}},
        {"transform": inside, "mark": {"type": "line", "strokeWidth": 1.6}, "encoding": {"x": x, "y": y, "color": colour(report)}},
    ]  # fmt: skip
    spec = {"width": panel(len(report.hosts), 60), "height": 150, "layer": layers}
    rows += _flagged(report, measure)
    return by_host(report, rows, spec, f"{measure.metric} in the order of the blocks, in spans, by host.")


def _time(last: int) -> Spec:
    return {"field": "block", "type": "quantitative", "title": "block",
            "axis": {"grid": False, "tickMinStep": 1, "tickCount": min(last, 10), "format": "d"},
            "scale": {"domain": [0, last], "nice": False, "padding": 6}}  # fmt: skip


def _level(measure: Measure, scale: Scale) -> Spec:
    return {
        "field": "value",
        "type": "quantitative",
        "title": f"{measure.metric} [{scale.unit}]",
        "scale": {"zero": False},
    }


def _flagged(report: Report, measure: Measure) -> Rows:
    """Contaminated blocks, neighbours joined."""
    found, end = report.estimates.contamination, last_block(report.samples(measure))
    return [
        {"host": host, "begin": max(first - 0.5, 0), "end": min(last + 0.5, end)}
        for host in report.hosts
        for first, last in ranges(
            [
                b.number
                for b in (found.flagged if found else ())
                if (b.host, b.benchmark) == (host, measure.benchmark)
            ]
        )
    ]


def _shade(x: Spec) -> Spec:
    return {
        "transform": [{"filter": "isValid(datum.begin)"}],
        "mark": {"type": "rect", "color": WARN, "opacity": 0.16},
        "encoding": {"x": {**x, "field": "begin"}, "x2": {"field": "end"}},
    }
