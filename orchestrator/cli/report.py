# SPDX-License-Identifier: Apache-2.0
"""labctl report [RUN...]: what a run showed."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.runs import root_option


@click.command(
    "report",
    epilog=examples(
        "labctl report                       # the newest run",
        "labctl report 20260131-093000-demo-4f2a --html report.html",
        "labctl report --csv > samples.csv",
    ),
)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--html",
    "html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page here instead of into the run's folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the estimates as JSON, and nothing else.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every sample as CSV, and nothing else.")
@root_option
def report(runs: tuple[str, ...], html: Path | None, as_json: bool, as_csv: bool, root: Path) -> None:
    """Say what a run showed: sentences and tables here, figures in one self-contained HTML file.

    RUN is a run's id, a beginning that only one has, or `latest`; the newest run if none is named.
    """
    from orchestrator.results.store import RunStore

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    if html and len(runs) > 1:
        raise click.UsageError("--html names one file: name one run with it.")
    folders = [RunStore(root).find(name).path for name in runs or ("latest",)]
    for folder in folders:
        if as_json:
            _print_json(folder)
        elif as_csv:
            _print_csv(folder)
        else:
            _print_report(folder, html)


def _print_json(folder: Path) -> None:
    from orchestrator.pipeline.report import digested
    from orchestrator.results.estimates import to_json

    click.echo(to_json(digested(folder)), nl=False)


def _print_csv(folder: Path) -> None:
    from orchestrator.pipeline.report import digested
    from orchestrator.results.table import csv_lines

    digested(folder)
    for line in csv_lines(folder):
        click.echo(line, nl=False)


def _print_report(folder: Path, html: Path | None) -> None:
    from orchestrator.report.svg import painter

    with painter() as paint:
        from orchestrator.pipeline.report import report as made
        from orchestrator.pipeline.report import write_html
        from orchestrator.report.terminal import console_for, printed

        told = made(folder)
        click.echo(printed(told, console_for()), nl=False)
        path = write_html(told, html or folder / "report.html", paint)
    click.echo(f"\nThe full report: {path}")
