# SPDX-License-Identifier: Apache-2.0
"""What all pictures share: Vega-Lite specs as plain dicts, colours as CSS variables, so that one SVG serves light, dark and paper.

Every combination has a colour *and* a shape, so that nothing rests on colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.report.svg import FONT
from orchestrator.report.view import Report

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

PAGE = 836
"""Width of a figure in CSS pixels, all its panels together."""
GAP = 26
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "stroke")
INK, FAINT, RULE, PAPER, WARN = (f"var(--{name})" for name in ("ink", "faint", "rule", "paper", "warn"))

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


def columns(panels: int) -> int:
    """How many panels stand beside one another."""
    return min(panels, 2) if panels <= 4 else 3


def panel(panels: int, labels: int) -> int:
    """Width of one panel's plot, in pixels, where the first one's axis needs ``labels``."""
    n = columns(panels)
    return (PAGE - labels - (n - 1) * GAP) // n


def by_host(report: Report, rows: Rows, spec: Spec, description: str) -> Spec:
    return faceted(rows, "host", report.hosts, spec, description)


def faceted(rows: Rows, field: str, order: Sequence[str], spec: Spec, description: str) -> Spec:
    return {
        "$schema": "vega-lite/v5",
        "description": description,
        "data": {"values": rows},
        "facet": {"field": field, "type": "nominal", "sort": list(order), "header": {"title": None}},
        "columns": columns(len(order)),
        "spec": spec,
        "config": CONFIG,
    }


def colours(report: Report) -> Spec:
    names = list(report.combinations)
    return {"domain": names, "range": [f"var(--c{index % 8})" for index in range(len(names))]}


def colour(report: Report, only: Sequence[str] = ()) -> Spec:
    return {
        "field": "combination",
        "type": "nominal",
        "scale": colours(report),
        "legend": legend(report, only),
    }


def shape(report: Report, only: Sequence[str] = ()) -> Spec:
    names = list(report.combinations)
    scale = {"domain": names, "range": [SHAPES[index % len(SHAPES)] for index in range(len(names))]}
    return {"field": "combination", "type": "nominal", "scale": scale, "legend": legend(report, only)}


def legend(report: Report, only: Sequence[str]) -> Spec:
    return {"values": list(only or report.combinations)}


def no_legend(channel: Spec) -> Spec:
    """For a picture whose axis names the combinations already."""
    return {**channel, "legend": None}


def offset(names: Sequence[str]) -> Spec:
    return {
        "field": "combination",
        "type": "nominal",
        "sort": list(names),
        "scale": {"domain": list(names), "paddingInner": 0.2},
    }


def combination_axis(report: Report) -> Spec:
    return {"field": "combination", "type": "nominal", "sort": list(report.combinations), "title": None,
            "axis": {"domain": False, "ticks": False, "labelColor": INK, "labelPadding": 8}}  # fmt: skip
