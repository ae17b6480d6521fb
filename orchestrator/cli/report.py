# SPDX-License-Identifier: Apache-2.0
"""labctl report [RUN...]: what a run showed, or several runs joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.runs import root_option


@click.command(
    "report",
    epilog=examples(
        "labctl report                       # the newest run",
        "labctl report 20260131-093000-demo-4f2a --html report.html",
        "labctl report 20260131-093000 20260201-114500   # two runs as one",
        "labctl report --csv > samples.csv",
    ),
)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--html",
    "html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page here instead of beside its samples.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the estimates as JSON, and nothing else.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every sample as CSV, and nothing else.")
@root_option
def report(runs: tuple[str, ...], html: Path | None, as_json: bool, as_csv: bool, root: Path) -> None:
    """Say what a run showed: sentences and tables here, figures in one self-contained HTML file.

    RUN is a run's id, a beginning that only one has, or `latest`; the newest run if none is named.

    Several runs become one report, in a folder of its own in runs/joined: their hosts side by side, and a host that
    is in several runs with the blocks of all of them, paired within each run.
    """
    from orchestrator.results.store import RunStore

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    folders = [RunStore(root).find(name).path for name in runs or ("latest",)]
    if as_json:
        _print_json(folders)
    elif as_csv:
        _print_csv(folders)
    else:
        _print_report(folders, html)


def _print_json(folders: Sequence[Path]) -> None:
    from orchestrator.pipeline.report import digested
    from orchestrator.results.estimates import to_json

    click.echo(to_json(digested(*folders)), nl=False)


def _print_csv(folders: Sequence[Path]) -> None:
    from orchestrator.pipeline.report import result_folder
    from orchestrator.results.table import csv_lines

    for line in csv_lines(result_folder(folders)):
        click.echo(line, nl=False)


def _print_report(folders: Sequence[Path], html: Path | None) -> None:
    from orchestrator.report.svg import painter

    with painter() as paint:
        from orchestrator.pipeline.report import report as made
        from orchestrator.pipeline.report import result_folder, write_html
        from orchestrator.report.terminal import console_for, printed

        told = made(*folders)
        click.echo(printed(told, console_for()), nl=False)
        path = write_html(told, html or result_folder(folders) / "report.html", paint)
    click.echo(f"\nThe full report: {path}")
