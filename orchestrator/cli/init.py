# SPDX-License-Identifier: Apache-2.0
"""`labctl init`: write the folder of a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.examples import examples

if TYPE_CHECKING:
    from orchestrator.pipeline.project import ProjectFile


@click.command(
    epilog=examples(
        "labctl init                    # here",
        "labctl init nightly            # in a new folder",
        "labctl init --playbooks        # with a copy of them for ansible-core",
    )
)
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--playbooks", is_flag=True, help="Copy labctl's playbooks too, for ansible-core.")
def init(folder: Path, playbooks: bool) -> int:
    """Write the project's FOLDER (default: the current one): an inventory of two local hosts, a suite, .gitignore.

    What is there already stays as it is. labctl works in the current folder: its inventories, suites and components go
    before those that come with labctl, and what labctl writes lies below it (.labctl, runs, components).
    """
    from orchestrator.pipeline.project import write_project

    for part in write_project(folder, playbooks):
        click.echo(_line(folder, part))
    click.echo("\n".join(_next_steps(folder)))
    return 0


def _line(folder: Path, part: ProjectFile) -> str:
    if not part.new:
        return f"{folder / part.path}: is there already, and stays as it is"
    return f"{folder / part.path}: written{f', {part.note}' if part.note else ''}"


def _next_steps(folder: Path) -> Sequence[str]:
    enter = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    return (
        "Next:",
        f"  {enter}labctl lab up && labctl provision --source debian",
        "  labctl run --suite first && labctl report",
    )
