# SPDX-License-Identifier: Apache-2.0
"""What `labctl query` prints: a table on a terminal, which is shown the first rows alone; aligned columns in a pipe; JSON; CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any

import click

from orchestrator.cli.streams import exact_output
from orchestrator.model.errors import UsageError
from orchestrator.model.text import printable, printable_line
from orchestrator.results.database import Answer
from orchestrator.results.relations import ALL

MOST = 500
"""Rows on a terminal; a pipe gets all of them."""


def print_tables() -> None:
    """Every view, its columns, their types and meanings."""
    width = max(len(column.name) for relation in ALL for column in relation.columns)
    for number, relation in enumerate(ALL):
        click.echo(
            f"{'' if number == 0 else chr(10)}{click.style(relation.name, bold=True)}: {relation.meaning}"
        )
        for column in relation.columns:
            click.echo(f"  {column.name:<{width}}  {column.type:<9}  {column.meaning}")


def print_json(answer: Answer) -> None:
    """An array with an object a row, a row a line. Raises UsageError: two columns have one name."""
    twice = sorted({name for name in answer.columns if answer.columns.count(name) > 1})
    if twice:
        raise UsageError(
            f"Two columns are called {twice[0]}, and an object has one of a name.", "Name them apart with AS."
        )
    first = True
    for row in answer.rows:
        values = {
            name: _json_value(value, kind)
            for name, kind, value in zip(answer.columns, answer.types, row, strict=True)
        }
        click.echo(("[\n" if first else ",\n") + json.dumps(values, default=_json_other), nl=False)
        first = False
    click.echo("[]" if first else "\n]")


def print_csv(answer: Answer) -> None:
    with exact_output() as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(answer.columns)
        for row in answer.rows:
            writer.writerow(["" if value is None else _exact(value) for value in row])


def print_table(answer: Answer) -> None:
    if sys.stdout.isatty():
        _print_rich(answer)
        return
    rows = [[_shown(value) for value in row] for row in answer.rows]
    columns = [printable_line(name) for name in answer.columns]
    for line in aligned(columns, rows, [_is_number(kind) for kind in answer.types]):
        click.echo(line)


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterator[str]:
    """Lines with two spaces between columns that are as wide as their widest value; the header first."""
    lines = [columns, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        cells = zip(line, widths, right, strict=True)
        yield "  ".join(
            f"{text:>{w}}" if to_right else f"{text:<{w}}" for text, w, to_right in cells
        ).rstrip()


def _print_rich(answer: Answer) -> None:
    from rich.table import Table
    from rich.text import Text

    from orchestrator.cli.console import plain_console

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, kind in zip(answer.columns, answer.types, strict=True):
        table.add_column(
            Text(printable_line(name)), justify="right" if _is_number(kind) else "left", overflow="fold"
        )
    for row in islice(answer.rows, MOST):
        table.add_row(*(Text(_shown(value)) for value in row))
    plain_console().print(table)
    if next(answer.rows, None) is not None:
        click.echo(f"These are the first {MOST} rows. `--csv` has all, LIMIT asks for fewer.", err=True)


def _is_number(kind: str) -> bool:
    return kind.startswith(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "U", "FLOAT", "DOUBLE", "DECIMAL")
    )


def _shown(value: Any) -> str:
    """Numbers to six digits; what is missing as `-`."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(printable(_exact(value)).split())


def _exact(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=_json_other)
    return str(value)


def _json_value(value: Any, kind: str) -> Any:
    if kind == "JSON" and isinstance(value, str):
        return json.loads(value)
    return None if isinstance(value, float) and not isfinite(value) else value


def _json_other(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)
