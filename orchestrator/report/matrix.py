# SPDX-License-Identifier: Apache-2.0
"""Benchmarks x combinations at one look: ratios with intervals as cells, and the numbers with which the page's script draws others."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from orchestrator.model.choices import STATISTICS, Ratio, Row
from orchestrator.model.estimates import Measure
from orchestrator.model.text import printable
from orchestrator.report.numbers import MISSING, number, ratio
from orchestrator.report.tables import scale_of
from orchestrator.report.view import Report
from remote_agent.contract.benchmark import Better

EVERYWHERE = "all machines"
MEDIAN = STATISTICS.index("median")


@dataclass(frozen=True, slots=True)
class Cell:
    """``kind`` is where the interval lies: better, worse (than 1), same (within the margin), unsure, base, none.

    ``claimed``: a verdict says so, after the correction for many comparisons.
    """

    text: str
    small: str
    kind: str
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row; ``index`` is its place among the numbers for the script, ``section`` that of the benchmark in the page, from 1."""

    index: int
    section: int
    benchmark: str
    metric: str
    host: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """``head`` names the columns, the baseline first."""

    caption: str
    head: tuple[str, ...]
    lines: tuple[Line, ...]
    rows: tuple[Row, ...]


def matrices(report: Report) -> tuple[Matrix, ...]:
    """One; of many machines one of all together, and behind it that of each."""
    caption = f"Ratios to {report.spec.baseline} with 95 % intervals; above 1 is worse."
    every = list(enumerate(report.rows))
    together = [(index, row) for index, row in every if row.host is None]
    if not report.others or not every:
        return ()
    if not report.crowded or not together:
        return (_matrix(report, caption, every),)
    apart = [(index, row) for index, row in every if row.host is not None]
    return (
        _matrix(report, f"Over {EVERYWHERE}. {caption}", together),
        _matrix(report, f"Of each host. {caption}", apart),
    )


def _matrix(report: Report, caption: str, rows: Sequence[tuple[int, Row]]) -> Matrix:
    lines = tuple(_line(report, index, row) for index, row in rows)
    return Matrix(caption, report.combinations, lines, tuple(row for _, row in rows))


def _line(report: Report, index: int, row: Row) -> Line:
    measure = report.primary(row.benchmark)
    assert measure is not None
    names = [combination.name for combination in report.spec.combinations]
    base = names.index(report.spec.baseline)
    cells = tuple(_cell(report, measure, row, names, names.index(name), base) for name in report.combinations)
    section = [plan.name for plan in report.spec.benchmarks].index(row.benchmark) + 1
    return Line(index, section, row.benchmark, measure.metric, row.host or EVERYWHERE, cells)


def _cell(report: Report, measure: Measure, row: Row, names: Sequence[str], of: int, base: int) -> Cell:
    if of == base:
        return _base(report, measure, row, base)
    found = row.ratio(of, base)
    if found is None:
        return Cell(MISSING, _why(report, row, names[of]), "none")
    claimed = _claimed(report, row, names[of])
    return Cell(
        ratio(found.value), interval(found), kind_of(found, report.estimates.settings.margin), claimed
    )


def _base(report: Report, measure: Measure, row: Row, base: int) -> Cell:
    scale, values = scale_of(report, measure), row.statistics[base]
    median = values[MEDIAN] if values else None
    if median is None:
        return Cell(MISSING, _why(report, row, report.spec.baseline), "none")
    return Cell(f"{number(median, scale)} {scale.unit}", "baseline", "base")


def _why(report: Report, row: Row, combination: str) -> str:
    return "not supported" if report.unsupported(row.benchmark, combination, row.host) else ""


def interval(found: Ratio) -> str:
    if found.low is None or found.high is None:
        return "no interval"
    return f"{ratio(found.low)}–{ratio(found.high)}"


def kind_of(found: Ratio, margin: float) -> str:
    if found.low is None or found.high is None:
        return "unsure"
    if found.low > 1 or found.high < 1:
        return "worse" if found.low > 1 else "better"
    limit = math.log1p(margin)
    within = -limit < math.log(found.low) and math.log(found.high) < limit
    return "same" if within else "unsure"


def _claimed(report: Report, row: Row, combination: str) -> bool:
    return report.claimed(row.benchmark, combination, row.host)


def numbers_for_script(report: Report) -> Markup:
    """As JSON that may stand in a `<script>`: what the page needs to show another baseline, or another statistic."""
    names = [combination.name for combination in report.spec.combinations]
    told = {
        "combinations": names,
        "order": [names.index(name) for name in report.combinations],
        "margin": report.estimates.settings.margin,
        "statistics": list(STATISTICS),
        "rows": [_numbers(report, row) for row in report.rows],
    }
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    return Markup(printable(text).replace("<", "\\u003c"))


def _numbers(report: Report, row: Row) -> dict[str, Any]:
    measure = report.primary(row.benchmark)
    assert measure is not None
    scale, names = scale_of(report, measure), [c.name for c in report.spec.combinations]
    claims = [index for index, name in enumerate(names) if _claimed(report, row, name)]
    return {
        "unit": scale.unit,
        "sign": -1 if measure.better == Better.HIGHER.value else 1,
        "values": [
            values and [None if v is None else _short(v * scale.factor) for v in values] for values in row.statistics
        ],
        "ratios": {
            f"{a},{b}": [_short(end) for end in (one.value, one.low, one.high) if end is not None]
            for (a, b), one in row.ratios.items()
        },
        "claims": claims,
        "unsupported": [i for i, name in enumerate(names) if report.unsupported(row.benchmark, name, row.host)],
    }  # fmt: skip


def _short(value: float) -> float:
    """Five digits: one more than is ever shown."""
    return float(f"{value:.5g}")
