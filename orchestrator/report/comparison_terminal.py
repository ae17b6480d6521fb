# SPDX-License-Identifier: Apache-2.0
"""A comparison for a terminal: gates, sentences, then tables; 80 columns are enough, and a pipe gets plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.model.comparison import Comparison, Standing
from orchestrator.report.comparison import (
    Row,
    altered,
    crowded,
    drift_rows,
    failure_rows,
    gated_rows,
    headlines,
    method,
    more_failures,
    primary_rows,
    sides,
    tally,
    verdict_of_gates,
)
from orchestrator.report.numbers import MISSING
from orchestrator.report.terminal import MARKS

GATES = {
    Standing.PASSED: ("✓", "green"),
    Standing.FAILED: ("✗", "bold red"),
    Standing.UNDECIDED: ("?", "yellow"),
}
HEAD = ("A", "B", "change", "95 % interval")


def printed(comparison: Comparison, console: Console) -> str:
    """As text, in the console's width and colours, without blanks at the ends of lines."""
    with console.capture() as captured:
        _print(comparison, console)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _print(comparison: Comparison, console: Console) -> None:
    for label, side in zip("AB", sides(comparison), strict=True):
        _print_marked(console, label, side, "dim")
    console.print(Text(method(comparison), style="dim"))
    _print_altered(comparison, console, chief=True)
    console.print()
    _print_gates(comparison, console)
    _print_failures(comparison, console)
    for verdict in headlines(comparison):
        _print_marked(console, MARKS[verdict.kind][0], verdict.sentence, MARKS[verdict.kind][1])
    console.print(Text(tally(comparison), style="dim"))
    _print_changes(comparison, console)
    _print_drift(comparison, console)
    _print_altered(comparison, console, chief=False)
    for notice in comparison.notices:
        where = f"{notice.host}: " if notice.host else ""
        _print_marked(console, "▲", f"{where}{notice.message} {notice.hint}", "yellow", only_mark=True)


def _print_gates(comparison: Comparison, console: Console) -> None:
    for result in comparison.gates:
        mark, style = GATES[result.standing]
        _print_marked(console, mark, f"{str(result.standing).capitalize()}: {result.sentence}", style)
    if comparison.gates:
        console.print(Text(verdict_of_gates(comparison), style="bold"))
        console.print()


def _print_failures(comparison: Comparison, console: Console) -> None:
    """Before what is said of values, which are those of the trials that succeeded."""
    for row in failure_rows(comparison):
        mark, style = ("✗", "bold red") if row.worse else ("▲", "yellow")
        _print_marked(console, mark, row.text, style, only_mark=not row.worse)
    if more := more_failures(comparison):
        console.print(Text(more, style="dim"))
    if comparison.failures:
        console.print()


def _print_marked(console: Console, mark: str, text: str, style: str, *, only_mark: bool = False) -> None:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(mark, style=style), Text(text, style="" if only_mark else style))
    console.print(grid)


def _print_changes(comparison: Comparison, console: Console) -> None:
    """Every row; of very many hosts those in which a difference is claimed, and those of the gates."""
    every, gated = primary_rows(comparison), gated_rows(comparison)
    shown = [row for row in every if row.claimed] if crowded(comparison) else every
    rows = [*shown, *gated]
    for host in dict.fromkeys(row.host for row in rows):
        console.print()
        machine = next(one.machine for one in comparison.changes if one.host == host)
        console.print(Text(f"{host} (machine {machine})", style="bold"))
        _print_tables([row for row in rows if row.host == host], console)
    if left := len(every) - len(shown):
        console.print()
        console.print(
            Text(f"{left} rows without a claimed difference are left out here: --json has all.", style="dim")
        )


def _print_tables(rows: Sequence[Row], console: Console) -> None:
    """A small table for each metric, their columns in line; below them why something is missing."""
    width = max(len(row.combination) for row in rows)
    together: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        together.setdefault((row.benchmark, row.measure), []).append(row)
    for (benchmark, measure), members in together.items():
        table = _table(width, f"{benchmark}: {measure}")
        for row in members:
            table.add_row(row.combination, row.a, row.b, row.change, row.interval, row.word)
        console.print(table)
    for reason, count in Counter(row.reason for row in rows if row.reason).items():
        console.print(Text(f"{MISSING} {reason} ({count} row{'s' if count != 1 else ''})", style="dim"))


def _table(width: int, title: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="", pad_edge=False, padding=(0, 1)
    )
    table.add_column("", min_width=width, no_wrap=True)
    for label, least in zip(HEAD, (6, 6, 7, 17), strict=True):
        table.add_column(label, justify="right", min_width=least, no_wrap=True)
    table.add_column("", min_width=14)
    return table


def _print_drift(comparison: Comparison, console: Console) -> None:
    rows = drift_rows(comparison)
    if not rows:
        return
    console.print()
    console.print(
        Text(f"The control itself, {comparison.control}: the machine's drift, no finding", style="bold")
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("", overflow="fold")
    for label in HEAD:
        table.add_column(label, justify="right", no_wrap=True)
    several = len({row.host for row in rows}) > 1
    for row in rows:
        name = f"{row.benchmark} {row.measure}" + (f", {row.host}" if several else "")
        table.add_row(name, row.a, row.b, row.change, row.interval)
    console.print(table)


def _print_altered(comparison: Comparison, console: Console, *, chief: bool) -> None:
    rows = altered(comparison, chief=chief)
    if rows:
        console.print(Text("What changed:" if chief else "What else is not the same:", style="bold"))
    for hosts, what, a, b in rows:
        _print_marked(console, " ", f"{what}: {a} -> {b}  [{hosts}]", "")
