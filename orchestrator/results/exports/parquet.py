# SPDX-License-Identifier: Apache-2.0
"""One Parquet file with every sample and all that it belongs to: its columns are the relation `samples`, in the order of time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from orchestrator.files import aside
from orchestrator.model.errors import ResultError
from orchestrator.results import relations
from orchestrator.results.merge import MEMORY
from orchestrator.results.rows import Digested, recorded


def write(run: Digested, path: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="labctl-parquet-") as scratch, aside(path) as beside:
            # On one thread the same samples give the same bytes.
            settings: dict[str, str | bool | int | float | list[str]] = {
                "threads": 1,
                "memory_limit": MEMORY,
                "temp_directory": scratch,
            }
            with duckdb.connect(config=settings) as database:
                rows, given = recorded(database, relations.SAMPLES, run)
                target = str(beside).replace("'", "''")
                database.execute(f"COPY ({rows}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)", given)
    except OSError as error:
        raise ResultError(f"{path}: cannot be written: {error.strerror}.") from error
    except duckdb.Error as error:
        raise ResultError(f"{path}: cannot be written: {str(error).splitlines()[0]}.") from error
