# SPDX-License-Identifier: Apache-2.0
"""labctl import TOOL FILE: results that labctl did not measure, as a run to report."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.runs import root_option


@click.group(
    "import", epilog=examples("labctl import touchstone operations.json --host server1", "labctl report")
)
def import_command() -> None:
    """Take another tool's results into a run, so that `labctl report` shows them."""


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
