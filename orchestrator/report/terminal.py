# SPDX-License-Identifier: Apache-2.0
"""The report for a terminal: sentences first, then tables; 80 columns are enough, and a pipe gets plain text."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.model.verdict import Verdict, VerdictKind
from orchestrator.report.floor import floor
from orchestrator.report.numbers import MISSING
from orchestrator.report.stopping import counted
from orchestrator.report.tables import estimates_table, host_table
from orchestrator.report.view import Report, Table

WIDEST = 100
MARKS = {
    VerdictKind.CONFLICT: ("◆", "bold"),
    VerdictKind.DIFFERENT: ("●", "bold"),
    VerdictKind.NEGLIGIBLE: ("≈", ""),
    VerdictKind.EQUIVALENT: ("≈", ""),
    VerdictKind.INCONCLUSIVE: ("?", "dim"),
    VerdictKind.UNCLAIMED: ("○", "dim"),
    VerdictKind.VARIES: ("◇", ""),
}
BELOW = (16, 2, 7, 13, 12, 13)
"""Least widths of the numbers' columns, so that the tables of a report stand in line."""


def print_report(report: Report, console: Console) -> None:
    """Findings, warnings, the tables of the primary metrics a host, and the hosts."""
    spec = report.spec
    simulated = ", simulated machines" if spec.simulated else ""
    run = f"{len(spec.runs)} runs joined as {spec.id}" if spec.runs else f"run {spec.id}"
    console.print(
        Text(f"{spec.suite}, profile {spec.profile}, {run}, {spec.created[:10]}{simulated}", style="dim")
    )
    console.print()
    for verdict in report.estimates.verdicts:
        console.print(_sentence(verdict))
    console.print(Padding(Text(report.estimates.fleet_sentence, style="dim"), (0, 0, 0, 2)))
    for host in report.hosts:
        _print_host(report, host, console)
    console.print()
    _print_table(host_table(report), console, least=())
    _print_notices(report, console)


def printed(report: Report, console: Console) -> str:
    """The same as text, in the console's width and colours, without blanks at the ends of lines."""
    with console.capture() as captured:
        print_report(report, console)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def console_for(width: int | None = None) -> Console:
    """Standard output: its own width up to WIDEST, 80 and no colours in a pipe."""
    console = Console(highlight=False, emoji=False, markup=False)
    return Console(width=width or min(console.width, WIDEST), highlight=False, emoji=False, markup=False)


def _sentence(verdict: Verdict) -> Padding:
    mark, style = MARKS[verdict.kind]
    grid = RichTable.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(mark, style=style), Text(verdict.sentence, style=style))
    return Padding(grid, (0, 0, 0, 0))


def _print_host(report: Report, host: str, console: Console) -> None:
    machine = next(entry.machine for entry in report.spec.hosts if entry.name == host)
    console.print()
    console.print(Text(f"{host} (machine {machine})", style="bold"))
    for plan in report.spec.benchmarks:
        measure = report.primary(plan.name)
        if measure is None or host not in report.hosts_of(plan.name):
            continue
        table = estimates_table(report, [measure], [host])
        title = f"{plan.name}: {table.rows[0][0]}" if table.rows else plan.name
        if plan.precision is not None:
            title = f"{title}\n{counted(report, plan.name, host)}"
        _print_table(_for_host(table, title), console, least=BELOW)
        if beside := floor(report, plan.name, [host]):
            console.print(Text(beside, style="dim"))


def _for_host(table: Table, title: str) -> Table:
    """Without the columns that the heading says, and without p, which the sentence has."""
    head = ("", "n", "median", "95 % interval", "ratio", "95 % interval")
    rows = tuple((row[2], *row[3:8]) for row in table.rows)
    return Table(title, head, rows, notes=table.notes[1:])


def _print_table(table: Table, console: Console, *, least: tuple[int, ...]) -> None:
    rich_table = RichTable(
        box=box.SIMPLE_HEAD,
        title=table.caption,
        title_justify="left",
        title_style="",
        pad_edge=False,
        padding=(0, 1),
    )
    for index, label in enumerate(table.head):
        words = index < table.headers or index in table.words
        rich_table.add_column(
            label,
            justify="left" if words else "right",
            min_width=least[index] if index < len(least) else None,
            overflow="fold",
            no_wrap=not words,
        )
    for row in table.rows:
        rich_table.add_row(*row)
    notes = [Text(f"{MISSING} {note}", style="dim") for note in table.notes]
    console.print(Group(rich_table, *notes))


def _print_notices(report: Report, console: Console) -> None:
    for notice in report.estimates.notices:
        where = f"{notice.host}: " if notice.host else ""
        text = Text(f"{where}{notice.message}").append(f" {notice.hint}", style="dim")
        grid = RichTable.grid(padding=(0, 1, 0, 0))
        grid.add_row(Text("▲", style="yellow"), text)
        console.print(grid)
