# SPDX-License-Identifier: Apache-2.0
"""One unit a metric, where the journals of several hosts or runs meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb

from orchestrator.model.errors import LabctlError, ResultError, UsageError
from orchestrator.model.units import conversion

RECORDED = """
    SELECT benchmark, sample.metric, sample.unit, min(source)
    FROM (SELECT benchmark, source, unnest(samples) AS sample FROM trial WHERE status = 'ok')
    GROUP BY ALL ORDER BY benchmark, sample.metric, min(source), sample.unit
"""
HINT = "Report or compare the runs that share its unit."
Source = tuple[str, str]
"""A journal's run and host."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """Values of one metric in ``unit`` become values in the unit ``into`` by a multiplication with ``factor``."""

    benchmark: str
    metric: str
    unit: str
    into: str
    factor: float


def read_conversions(
    database: duckdb.DuckDBPyConnection, sources: Sequence[Source]
) -> tuple[Conversion, ...]:
    """What makes one unit of each metric's units: of its first journal's, in the order of ``sources``.

    Raises ResultError, duckdb.Error; UsageError: two runs differ in a unit that does not convert.
    """
    return tuple(_conversions(database.execute(RECORDED).fetchall(), sources))


def _conversions(
    rows: Sequence[tuple[str, str, str, int]], sources: Sequence[Source]
) -> Iterator[Conversion]:
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for benchmark, metric, unit, source in rows:
        into, earlier = first.setdefault((benchmark, metric), (unit, source))
        if unit == into:
            continue
        factor = conversion(unit, into)
        if factor is None:
            raise _refusal(f"{benchmark}: {metric}", (into, sources[earlier]), (unit, sources[source]))
        yield Conversion(benchmark, metric, unit, into, factor)


def _refusal(what: str, first: tuple[str, Source], second: tuple[str, Source]) -> LabctlError:
    (unit, (run, host)), (other_unit, (other_run, other_host)) = first, second
    message = (
        f"{what} is in {unit or 'no unit'} in run {run} ({host}) and in {other_unit or 'no unit'} in run {other_run} "
        f"({other_host}), and neither unit converts into the other."
    )
    return ResultError(message) if run == other_run else UsageError(message, HINT)
