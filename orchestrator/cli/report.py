# SPDX-License-Identifier: Apache-2.0
"""labctl report [RUN...]: what a run showed, or several runs joined; for people, or in a format for other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.runs import root_option
from orchestrator.cli.streams import exact_output
from orchestrator.results.exports import FORMATS, Format

_FILE = click.Path(path_type=Path, dir_okay=False)


def format_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each format: a flag where it is printed, a file's name where it is written."""
    for each in reversed(FORMATS):
        kind: dict[str, Any] = {"type": _FILE, "metavar": "FILE"} if each.binary else {"is_flag": True}
        command = click.option(f"--{each.name}", each.name, help=each.summary, **kind)(command)
    return command


@click.command(
    "report",
    epilog=examples(
        "labctl report                       # the newest run",
        "labctl report 20260131-093000-demo-4f2a --html report.html",
        "labctl report 20260131-093000 20260201-114500   # two runs as one",
        "labctl report --csv > samples.csv",
        "labctl report --parquet samples.parquet",
        "labctl report --benchfmt > new.txt && benchstat -col /cri,/oci new.txt",
    ),
)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--html", type=_FILE, help="Write the page here instead of beside its samples.")
@format_options
@root_option
def report(runs: tuple[str, ...], html: Path | None, root: Path, **formats: Any) -> None:
    """Say what a run showed: sentences and tables here, figures in one self-contained HTML file.

    RUN is a run's id, a beginning that only one has, its folder, or `latest`; the newest run if none is named.

    Several runs become one report, in a folder of its own in runs/joined: their hosts side by side, and a host that
    is in several runs with the blocks of all of them, paired within each run.

    With a format for other programs nothing else is printed.
    """
    from orchestrator.results.store import RunStore

    chosen = _chosen(formats, html)
    folders = [RunStore(root).find(name).path for name in runs or ("latest",)]
    if chosen is None:
        _print_report(folders, html)
    else:
        _export(folders, chosen, formats[chosen.name])


def _chosen(formats: Mapping[str, Any], html: Path | None) -> Format | None:
    """The one format that was asked for; None: a report for people. Raises UsageError."""
    asked = [each for each in FORMATS if formats[each.name]]
    names = [*(f"--{each.name}" for each in asked), *(["--html"] if html and asked else [])]
    if len(names) > 1:
        raise click.UsageError(f"{', '.join(names[:-1])} and {names[-1]} exclude each other: name one.")
    return asked[0] if asked else None


def _export(folders: Sequence[Path], chosen: Format, file: Any) -> None:
    from orchestrator.pipeline.report import exportable

    run = exportable(*folders)
    if chosen.binary:
        chosen.write(run, file)
        click.echo(f"Written: {file}", err=True)
        return
    with exact_output() as stream:
        stream.writelines(chosen.lines(run))


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
