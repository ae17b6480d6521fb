# SPDX-License-Identifier: Apache-2.0
"""The report for a terminal: sentences first, then tables; 80 columns are enough, and a pipe gets plain text."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.model.ranking import RankKind
from orchestrator.model.verdict import Scope, VerdictKind
from orchestrator.report.crowd import crowd_tables, left_out
from orchestrator.report.floor import floor
from orchestrator.report.headlines import FEW
from orchestrator.report.hosts import host_table
from orchestrator.report.numbers import MISSING
from orchestrator.report.ranks import leaders
from orchestrator.report.spread import spread_in_short
from orchestrator.report.stopping import counted
from orchestrator.report.tables import estimates_table
from orchestrator.report.view import Report, Table
from orchestrator.report.warned import by_message

WIDEST = 100
MARKS = {
    VerdictKind.CONFLICT: ("◆", "bold"),
    VerdictKind.DIFFERENT: ("●", "bold"),
    VerdictKind.NEGLIGIBLE: ("≈", ""),
    VerdictKind.EQUIVALENT: ("≈", ""),
    VerdictKind.PROBABLE: ("◐", ""),
    VerdictKind.UNDECIDED: ("?", "dim"),
    VerdictKind.UNCLAIMED: ("○", "dim"),
    VerdictKind.VARIES: ("◇", ""),
}
RANKS = {RankKind.FIRST: ("★", "bold"), RankKind.AMONG: ("☆", "")}
CROWD = (16, 5, 9, 12, 13)
BELOW = (16, 2, 7, 13, 12, 13)
"""Least widths of the numbers' columns, so that the tables of a report stand in line."""


def print_report(report: Report, console: Console) -> None:
    """Findings, the tables of the primary metrics a host (of very many hosts one for all), where the spread lies, hosts, warnings."""
    spec = report.spec
    simulated = ", simulated machines" if spec.simulated else ""
    run = f"{len(spec.runs)} runs joined as {spec.id}" if spec.runs else f"run {spec.id}"
    console.print(
        Text(f"{spec.suite}, profile {spec.profile}, {run}, {spec.created[:10]}{simulated}", style="dim")
    )
    console.print()
    _print_findings(report, console)
    if report.crowded:
        _print_crowd(report, console)
    else:
        for host in report.hosts:
            _print_host(report, host, console)
    if spread := spread_in_short(report):
        console.print()
        _print_table(spread, console, least=())
    if not report.crowded:
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


def _print_findings(report: Report, console: Console) -> None:
    """Who comes first, what is said of the pairs, and on how many machines it rests; of very many hosts what is said of all."""
    for ranking in leaders(report):
        console.print(_sentence(*RANKS[ranking.kind], ranking.sentence))
    across = [one for one in report.estimates.verdicts if one.scope is not Scope.HOST or not report.crowded]
    for verdict in across:
        console.print(_sentence(*MARKS[verdict.kind], verdict.sentence))
    for sentence in (report.estimates.family_sentence, report.estimates.fleet_sentence):
        if sentence:
            console.print(Padding(Text(sentence, style="dim"), (0, 0, 0, 2)))


def _sentence(mark: str, style: str, sentence: str) -> RichTable:
    grid = RichTable.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(mark, style=style), Text(sentence, style=style))
    return grid


def _print_crowd(report: Report, console: Console) -> None:
    for table in crowd_tables(report):
        console.print()
        _print_table(table, console, least=CROWD)
    console.print()
    console.print(Text(left_out(report), style="dim"))


def _print_host(report: Report, host: str, console: Console) -> None:
    machine = next(entry.machine for entry in report.spec.hosts if entry.name == host)
    console.print()
    console.print(Text(f"{host} (machine {machine})", style="bold"))
    beside: str | None = None
    for plan in report.spec.benchmarks:
        measure = report.primary(plan.name)
        if measure is None or host not in report.hosts_of(plan.name):
            continue
        if beside:  # a table ends with an empty line by itself
            console.print()
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
    """Of very many hosts the first ones: that of each may be another."""
    every = by_message(report)
    shown = every[:FEW] if report.crowded else every
    for hosts, message, hint in shown:
        text = Text(f"{f'{hosts}: ' if hosts else ''}{message}").append(f" {hint}", style="dim")
        grid = RichTable.grid(padding=(0, 1, 0, 0))
        grid.add_row(Text("▲", style="yellow"), text)
        console.print(grid)
    if len(every) > len(shown):
        console.print(Text(f"  {len(every) - len(shown)} more warnings are in the HTML report.", style="dim"))
