# SPDX-License-Identifier: Apache-2.0
"""All samples as CSV, warm-up and failed trials too: the columns of samples.parquet, the header first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestrator.model.errors import ResultError
from orchestrator.results.merge import MEMORY, SAMPLES
from orchestrator.results.rows import Digested
from orchestrator.results.table import AGAIN


def lines(run: Digested) -> Iterator[str]:
    path = run.folder / SAMPLES
    with tempfile.TemporaryDirectory(prefix="labctl-csv-") as scratch:
        target = Path(scratch) / "samples.csv"
        try:
            with duckdb.connect(config={"threads": 1, "memory_limit": MEMORY}) as database:
                database.execute(f"COPY (FROM read_parquet(?)) TO '{target}' (HEADER)", [str(path)])
        except duckdb.Error as error:
            raise ResultError(f"{path}: {str(error).splitlines()[0]}", AGAIN) from error
        with target.open(encoding="utf-8") as stream:
            yield from stream
