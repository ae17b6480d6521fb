# SPDX-License-Identifier: Apache-2.0
"""Read samples.parquet and trials.parquet back, grouped as estimates and pictures need them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestrator.model.errors import ResultError
from orchestrator.model.samples import Series, TrialCount
from orchestrator.results.merge import SAMPLES, TRIALS

SERIES = """
    SELECT host, benchmark, metric, min(unit), combination, list(value ORDER BY rank), list(block ORDER BY rank),
           list(item ORDER BY rank), list(warmup ORDER BY rank)
    FROM (SELECT *, file_row_number AS rank FROM read_parquet(?, file_row_number = true))
    GROUP BY host, benchmark, metric, combination ORDER BY min(rank)
"""
COUNTS = """
    SELECT host, benchmark, combination, count(*) FILTER (status = 'ok'), count(*) FILTER (status = 'failed'),
           count(*) FILTER (status = 'unsupported'), coalesce(sum(len(leaks)), 0)::INTEGER,
           list(reason ORDER BY rank) FILTER (reason IS NOT NULL)
    FROM (SELECT *, file_row_number AS rank FROM read_parquet(?, file_row_number = true))
    GROUP BY host, benchmark, combination ORDER BY min(rank)
"""


def read_series(folder: Path) -> tuple[Series, ...]:
    """Every series of the run, in the order of its first sample. Raises ResultError."""
    return tuple(
        Series(
            host,
            benchmark,
            metric,
            unit,
            combination,
            tuple(values),
            tuple(blocks),
            tuple(items),
            tuple(warmup),
        )
        for host, benchmark, metric, unit, combination, values, blocks, items, warmup in _rows(
            folder / SAMPLES, SERIES
        )
    )


def read_counts(folder: Path) -> tuple[TrialCount, ...]:
    """How the trials ended, a host, benchmark and combination each. Raises ResultError."""
    return tuple(
        TrialCount(host, benchmark, combination, ok, failed, unsupported, leaks, _counted(reasons or []))
        for host, benchmark, combination, ok, failed, unsupported, leaks, reasons in _rows(
            folder / TRIALS, COUNTS
        )
    )


def csv_lines(folder: Path) -> Iterator[str]:
    """All samples as CSV, line by line, the header first. Raises ResultError."""
    with tempfile.TemporaryDirectory(prefix="labctl-csv-") as scratch:
        target = Path(scratch) / "samples.csv"
        _rows(folder / SAMPLES, f"COPY (FROM read_parquet(?)) TO '{target}' (HEADER)")
        with target.open(encoding="utf-8") as stream:
            yield from stream


def _counted(reasons: list[str]) -> dict[str, int]:
    return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}


def _rows(path: Path, query: str) -> list[tuple]:  # type: ignore[type-arg]
    try:
        with duckdb.connect(config={"threads": 1}) as database:
            return list(database.execute(query, [str(path)]).fetchall())
    except duckdb.Error as error:
        raise ResultError(
            f"{path}: {str(error).splitlines()[0]}", "`labctl report` merges the journals again."
        ) from error
