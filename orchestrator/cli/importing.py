# SPDX-License-Identifier: Apache-2.0
"""labctl import: a run that another controller made, or results that another tool measured, as a run to report."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.runs import root_option


@click.group(
    "import",
    epilog=examples(
        "labctl import run 20260131-093000-demo-4f2a.tar.gz",
        "labctl import touchstone operations.json --host server1",
    ),
)
def import_command() -> None:
    """Take in a run of another controller's, or another tool's results, so that `labctl report` shows them."""


@import_command.command(
    "run",
    epilog=examples(
        "tar -C runs -czf run.tar.gz 20260131-093000-demo-4f2a     # on the other controller",
        "labctl import run run.tar.gz",
        "labctl report 20260131-093000 20260201-114500             # both controllers' machines in one report",
    ),
)
@click.argument("sources", nargs=-1, required=True, metavar="FOLDER|TAR...", type=click.Path(path_type=Path))
@root_option
def import_run_command(sources: tuple[Path, ...], root: Path) -> None:
    """Take in runs that ended on another controller: each is a run's folder, or a tar of it.

    Journals are copied as they are, checked, and digested anew. Nothing is overwritten: a run that is here already is left
    as it is, and one of its id with other contents is refused. Of hosts of one name in several runs, `labctl report RUN RUN`
    tells by what they recorded whether they are one machine.
    """
    from orchestrator.pipeline.taking_in import import_run
    from orchestrator.results.store import RunStore

    for source in sources:
        taken = import_run(source, RunStore(root))
        hosts = ", ".join(host.name for host in taken.spec.hosts)
        if taken.known:
            click.echo(f"{taken.folder.id} is here already, with the same contents.")
        else:
            click.echo(f"Imported {taken.folder.id} ({hosts}). `labctl report {taken.folder.id}` shows it.")


@import_command.command(
    "touchstone",
    epilog=examples(
        "labctl import touchstone operations.json --host server1",
        "labctl report",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--host", default="touchstone", show_default=True, help="What to call the host that it ran on.")
@root_option
def touchstone(file: Path, host: str, root: Path) -> None:
    """Take a result FILE of Touchstone's (the `output` of its configuration) into a run.

    The file is kept as it is. Touchstone runs all repeats of one combination before the next, so nothing pairs: the
    report has medians with their intervals, and makes no claim.
    """
    from orchestrator.pipeline.importing import import_touchstone
    from orchestrator.results.store import RunStore

    folder = import_touchstone(file, RunStore(root), host)
    click.echo(f"Imported as {folder.id}. `labctl report {folder.id}` shows it.")
