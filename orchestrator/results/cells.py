# SPDX-License-Identifier: Apache-2.0
"""One cell at a time: medians, secondary statistics, curves by item. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.estimates import Cell, CurvePoint, Measure, Secondary
from orchestrator.model.samples import Series, TrialCount
from orchestrator.results.task import Task, Without, counted
from orchestrator.stats.median import FEWEST, median_interval


def estimated_cells(task: Task, without: Without | None = None) -> Iterator[Cell]:
    """All cells; or, ``without`` some blocks, those of the hosts and benchmarks that have any of them."""
    for measure in task.measures:
        for host in task.spec.hosts if not measure.per_item else ():
            where = (host.name, measure.benchmark)
            if where not in task.asked or (without is not None and where not in without):
                continue
            for combination in task.spec.combinations:
                key = (*where, measure.metric, combination.name)
                array = counted(task.values.get(key), (without or {}).get(where, frozenset()))[1]
                cell = _cell(key, task.asked[where], array)
                yield replace(cell, reason=_why(cell, task.trials)) if cell.interval is None else cell


def _cell(key: tuple[str, str, str, str], asked: int, array: NDArray[np.float64]) -> Cell:
    host, benchmark, metric, combination = key
    n = len(array)
    return Cell(
        host=host,
        benchmark=benchmark,
        metric=metric,
        combination=combination,
        asked=asked,
        n=n,
        median=float(np.median(array)) if n else None,
        interval=median_interval(array),
        secondary=_secondary(array) if n else None,
    )


def _secondary(array: NDArray[np.float64]) -> Secondary:
    """A p95 needs 20 values, a p99 100: below, they would be the maximum under another name."""
    p95, p99 = np.quantile(array, (0.95, 0.99))
    return Secondary(
        mean=float(array.mean()),
        minimum=float(array.min()),
        maximum=float(array.max()),
        p95=float(p95) if len(array) >= 20 else None,
        p99=float(p99) if len(array) >= 100 else None,
    )


def _why(cell: Cell, trials: Sequence[TrialCount]) -> str:
    """Why a cell has no interval, or not even a median."""
    here = (cell.host, cell.benchmark, cell.combination)
    found = [t for t in trials if (t.host, t.benchmark, t.combination) == here]
    reasons = [reason for t in found for reason in (*t.reasons, *t.lacks)]
    because = f": {reasons[0].rstrip('.')}" if reasons else ""
    if cell.n == 0:
        return f"no counted trial succeeded{because}" if reasons else "no counted trial was recorded"
    return f"{cell.n} of the {FEWEST} values that an interval needs{because}"


def estimated_curves(measures: Sequence[Measure], series: Sequence[Series]) -> Iterator[CurvePoint]:
    per_item = {(m.benchmark, m.metric) for m in measures if m.per_item}
    for one in series:
        if (one.benchmark, one.metric) not in per_item or one.items is None:
            continue
        items, values = one.items[~one.warmup], one.values[~one.warmup]
        order = np.argsort(items, kind="stable")
        found, starts = np.unique(items[order], return_index=True)
        for item, array in zip(found, np.split(values[order], starts[1:]), strict=False):
            median, interval = float(np.median(array)), median_interval(array)
            where = (one.host, one.benchmark, one.metric, one.combination)
            yield CurvePoint(*where, int(item), len(array), median, interval)
