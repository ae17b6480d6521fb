# SPDX-License-Identifier: Apache-2.0
"""What a report can be written as for other programs. A format is one module here and its line in FORMATS.

The module has ``lines(run: Digested) -> Iterator[str]`` (text, line by line, each with its newline), or, where the format is
``binary``, ``write(run: Digested, path: Path) -> None`` (the whole file, atomically). Both raise ResultError. An exporter only
serialises: what is not in samples.parquet, estimates.json or run.json is not computed here.

This module itself is light: the command line reads its options from it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.results.rows import Digested


@dataclass(frozen=True, slots=True)
class Format:
    """``name`` is its option's, ``summary`` that option's help. A ``binary`` one goes to a file, the others to standard output."""

    name: str
    module: str
    summary: str
    binary: bool = False

    def lines(self, run: Digested) -> Iterator[str]:
        """The text. Raises ResultError."""
        lines: Iterator[str] = self._module().lines(run)
        return lines

    def write(self, run: Digested, path: Path) -> None:
        """The file. Raises ResultError."""
        self._module().write(run, path)

    def _module(self) -> Any:
        return importlib.import_module(f"{__name__}.{self.module}")


FORMATS = (
    Format("json", "estimates", "Print the estimates as JSON (`labctl schema estimates` describes them)."),
    Format("csv", "csv", "Print every sample as CSV."),
    Format("benchfmt", "benchfmt", "Print every counted trial in Go's benchmark format, for benchstat."),
    Format("openmetrics", "openmetrics", "Print medians and ratios as OpenMetrics gauges."),
    Format(
        "parquet",
        "parquet",
        "Write every sample, with all that it belongs to, to a Parquet file.",
        binary=True,
    ),
)
