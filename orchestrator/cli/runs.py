# SPDX-License-Identifier: Apache-2.0
"""labctl runs: the runs there are, newest first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples

if TYPE_CHECKING:
    from orchestrator.results.store import RunFolder

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    envvar="LABCTL_RUNS",
    show_default=True,
    show_envvar=True,
    help="The folder of the runs.",
)
run_argument = click.argument("run", metavar="RUN", default="latest")


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the table. ``problem``: why the run cannot be read."""

    id: str
    suite: str = ""
    hosts: tuple[str, ...] = ()
    status: str = "unreadable"
    trials: int | None = None
    failed: int | None = None
    created: str = ""
    problem: str = ""


@click.command("runs", epilog=examples("labctl runs", "labctl runs --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
@root_option
def runs(as_json: bool, root: Path) -> None:
    """List runs, newest first. One whose conductor is gone is `interrupted`: `labctl attach` takes it up again.

    A `prepared` one has not been brought to its end by the engine that it was prepared for.
    """
    from orchestrator.results.store import RunFolder, RunStore

    listed = [look(RunFolder(root / name)) for name in RunStore(root).ids()]
    if as_json:
        click.echo(json.dumps([_to_json(each) for each in listed], indent=2))
    elif not listed:
        click.echo(f"No run in {root} yet. `labctl run --suite demo` makes one.")
    else:
        _print(listed)


def look(folder: RunFolder) -> Listed:
    """How one run stands."""
    from orchestrator.model.errors import ResultError
    from orchestrator.runs.process import owned

    try:
        spec, state = folder.read_spec(), folder.read_state()
        if state is None and folder.fleet.is_dir():
            from orchestrator.pipeline.fleet import conclude

            state = conclude(folder)
    except ResultError as error:
        return Listed(folder.id, problem=str(error))
    over = state is not None and state.exit_code is not None
    alone = "prepared" if state is None and folder.fleet.is_dir() else "interrupted"
    living = "running" if owned(folder.lock) else alone
    return Listed(
        id=folder.id,
        suite=spec.suite,
        hosts=tuple(host.name for host in spec.hosts),
        status=str(state.status) if state is not None and over else living,
        trials=sum(host.trials_done for host in state.hosts) if state else None,
        failed=sum(host.trials_failed for host in state.hosts) if state else None,
        created=spec.created,
    )


def _to_json(listed: Listed) -> dict[str, Any]:
    return {name: getattr(listed, name) for name in Listed.__slots__}


def _print(listed: list[Listed]) -> None:
    from rich.table import Table

    from orchestrator.cli.console import plain_console

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("run", "suite", "hosts", "status", "trials", "when"):
        table.add_column(name, no_wrap=name in ("run", "status", "when"))
    for each in listed:
        trials = (
            ""
            if each.trials is None
            else f"{each.trials}" + (f" ({each.failed} failed)" if each.failed else "")
        )
        when = f"{datetime.fromisoformat(each.created).astimezone():%Y-%m-%d %H:%M}" if each.created else ""
        table.add_row(each.id, each.suite, ", ".join(each.hosts), each.status, trials, when)
    plain_console().print(table)
    for each in listed:
        if each.problem:
            click.echo(each.problem, err=True)
