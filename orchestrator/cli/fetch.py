# SPDX-License-Identifier: Apache-2.0
"""labctl fetch: pull the journals of a run from its hosts once more."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options
from orchestrator.cli.runs import root_option, run_argument


@click.command(
    "fetch",
    epilog=examples(
        "labctl fetch                        # the newest run", "labctl fetch 20260131-093000-demo-4f2a"
    ),
)
@run_argument
@become_options
@root_option
def fetch(run: str, root: Path) -> int:
    """Pull what the hosts have of a run that nobody conducts, and make samples and estimates of it again.

    For a host that was out of reach when the run ended. The exit code is 3 where one still is.
    """
    from orchestrator.pipeline.run import fetch_run
    from orchestrator.results.store import RunStore

    folder = RunStore(root).find(run)
    results = fetch_run(folder)
    for name, size in results.succeeded.items():
        click.echo(f"{name}: {size} new bytes" if size else f"{name}: nothing new")
    for error in results.failed.values():
        click.echo(str(error), err=True)
    return max((error.exit_code for error in results.failed.values()), default=0)
