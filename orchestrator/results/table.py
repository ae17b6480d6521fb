# SPDX-License-Identifier: Apache-2.0
"""Read samples.parquet and trials.parquet back, grouped as estimates and pictures need them; samples as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from orchestrator.model.errors import ResultError
from orchestrator.model.samples import Series, TrialCount
from orchestrator.model.text import printable, printable_line
from orchestrator.results.merge import MEMORY, SAMPLES, TRIALS

AGAIN = "`labctl report` merges the journals again."
GROUPS = """
    CREATE TEMP TABLE series AS
    SELECT host, benchmark, metric, combination, min(unit) AS unit, row_number() OVER (ORDER BY min(rank)) AS series
    FROM (SELECT *, file_row_number AS rank FROM read_parquet(?, file_row_number = true)) WHERE status = 'ok'
    GROUP BY host, benchmark, metric, combination
"""
NAMES = "SELECT host, benchmark, metric, unit, combination FROM series ORDER BY series"
ROWS = """
    SELECT series, value, number::BIGINT AS number, item::BIGINT AS item, warmup
    FROM (SELECT *, file_row_number AS rank FROM read_parquet(?, file_row_number = true) WHERE status = 'ok')
    JOIN series USING (host, benchmark, metric, combination) ORDER BY series, rank
"""
COUNTS = """
    SELECT host, benchmark, combination, count(*) FILTER (status = 'ok'), count(*) FILTER (status = 'failed'),
           count(*) FILTER (status = 'unsupported'), coalesce(sum(len(leaks)), 0)::INTEGER,
           list(reason ORDER BY rank) FILTER (reason IS NOT NULL AND status <> 'unsupported'),
           list(reason ORDER BY rank) FILTER (reason IS NOT NULL AND status = 'unsupported')
    FROM (SELECT *, file_row_number AS rank FROM read_parquet(?, file_row_number = true))
    WHERE NOT (warmup AND ?)
    GROUP BY host, benchmark, combination ORDER BY min(rank)
"""


def read_series(folder: Path) -> tuple[Series, ...]:
    """Every series of the trials that succeeded, in the order of its first sample. Raises ResultError."""
    path = folder / SAMPLES
    try:
        with duckdb.connect(config={"memory_limit": MEMORY}) as database:
            database.execute(GROUPS, [str(path)])
            names = _safe_rows(database.execute(NAMES).fetchall())
            columns = database.execute(ROWS, [str(path)]).fetchnumpy()
    except duckdb.Error as error:
        raise ResultError(f"{path}: {str(error).splitlines()[0]}", AGAIN) from error
    starts = np.searchsorted(columns["series"], np.arange(1, len(names) + 2))
    return tuple(
        _series(name, columns, slice(int(start), int(stop)))
        for name, start, stop in zip(names, starts[:-1], starts[1:], strict=True)
    )


def _series(name: tuple[str, str, str, str, str], columns: dict[str, Any], rows: slice) -> Series:
    """A metric has an item with every value or with none; where it is mixed, the values without one are left out."""
    values, blocks, warmup = (columns[column][rows] for column in ("value", "number", "warmup"))
    items = columns["item"][rows]
    lacking = np.ma.getmaskarray(items)
    if lacking.all():
        return Series(*name, values, blocks, None, warmup)
    kept = ~lacking
    return Series(*name, values[kept], blocks[kept], np.ma.getdata(items)[kept], warmup[kept])


def read_counts(folder: Path, *, warmup: bool = True) -> tuple[TrialCount, ...]:
    """How the trials ended, a host, benchmark and combination each; with those of ``warmup`` or without. Raises ResultError."""
    return tuple(
        TrialCount(
            host, benchmark, combination, ok, failed, unsupported, leaks, _counted(why), _counted(lacks)
        )
        for host, benchmark, combination, ok, failed, unsupported, leaks, why, lacks in _rows(
            folder / TRIALS, COUNTS, [not warmup]
        )
    )


def _counted(reasons: list[str] | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reason in reasons or ():
        line = printable_line(reason)
        counts[line] = counts.get(line, 0) + 1
    return counts


def _safe_rows(rows: list[tuple]) -> list[tuple]:  # type: ignore[type-arg]
    """The journals' words in the files are as hosts wrote them; what is read for people is safe to show."""
    return [tuple(printable(value) if isinstance(value, str) else value for value in row) for row in rows]


def _rows(path: Path, query: str, parameters: Sequence[object]) -> list[tuple]:  # type: ignore[type-arg]
    try:
        with duckdb.connect(config={"threads": 1}) as database:
            return _safe_rows(database.execute(query, [str(path), *parameters]).fetchall())
    except duckdb.Error as error:
        raise ResultError(f"{path}: {str(error).splitlines()[0]}", AGAIN) from error
