# SPDX-License-Identifier: Apache-2.0
"""Every comparison as a picture."""

from __future__ import annotations

from orchestrator.report.charts.base import (
    FAINT,
    INK,
    RULE,
    Rows,
    Spec,
    colour,
    faceted,
    offset,
    panel,
    shape,
)
from orchestrator.report.matrix import EVERYWHERE, matrices
from orchestrator.report.view import Report

LADDERS: tuple[tuple[float, ...], ...] = (
    (0.9, 0.92, 0.94, 0.96, 0.98, 1, 1.02, 1.04, 1.06, 1.08, 1.1),
    (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3),
    (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6, 1.8, 2),
    (0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4),
    (0.1, 0.2, 0.5, 1, 2, 5, 10),
    (0.01, 0.1, 1, 10, 100),
)


def forest(report: Report) -> Spec:
    """Ratio to the baseline with its 95 % interval: a row a host, a panel a benchmark; the margin is shaded.

    Behind the hosts stands the fleet, where there is one; of very many hosts it stands alone.
    """
    margin, shown = report.estimates.settings.margin, matrices(report)[0].rows
    base = [combination.name for combination in report.spec.combinations].index(report.spec.baseline)
    rows: Rows = [
        {"host": row.host or EVERYWHERE, "combination": combination.name, "benchmark": row.benchmark, "ratio": found.value,
         "low": found.low, "high": found.high}
        for row in shown
        for index, combination in enumerate(report.spec.combinations)
        if index != base and (found := row.ratio(index, base))
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
    y = {"field": "host", "type": "nominal", "sort": [*report.hosts, EVERYWHERE], "title": None,
         "axis": {"domain": False, "ticks": False, "labelPadding": 8, "labelColor": INK}}  # fmt: skip
    layers: list[Spec] = [
        {"mark": {"type": "rect", "color": RULE, "opacity": 0.5},
         "encoding": {"x": {"datum": 1 / (1 + margin)}, "x2": {"datum": 1 + margin}}},
        {"mark": {"type": "rule", "color": FAINT, "strokeDash": [3, 3]}, "encoding": {"x": {"datum": 1}}},
        {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {
            "x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y,
            "yOffset": offset(report.others), "color": colour(report, report.others)}},
        {"mark": {"type": "point", "filled": True, "size": 46, "opacity": 1}, "encoding": {
            "x": x, "y": y, "yOffset": offset(report.others), "color": colour(report, report.others),
            "shape": shape(report, report.others)}},
    ]  # fmt: skip
    step = {"step": max(16, 12 * len(report.others)), "for": "position"}
    benchmarks = [plan.name for plan in report.spec.benchmarks]
    spec = {"width": panel(len(benchmarks), 60), "height": step, "layer": layers}
    return faceted(rows, "benchmark", benchmarks, spec, "Ratios to the baseline by benchmark and host.")


def ratio_ticks(low: float, high: float) -> list[float]:
    """Round ratios within the bounds, 1 among them: of the finest ladder that spans them with no more than seven."""
    for ladder in LADDERS:
        ticks = [tick for tick in ladder if low <= tick <= high]
        if len(ticks) <= 7 and ladder[0] <= 2 * low and high <= 2 * ladder[-1]:
            return ticks
    return [tick for tick in LADDERS[-1] if low <= tick <= high]
