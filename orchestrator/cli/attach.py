# SPDX-License-Identifier: Apache-2.0
"""labctl attach: follow a run again, and take it up if its conductor is gone."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options
from orchestrator.cli.runs import root_option, run_argument


@click.command(
    "attach",
    epilog=examples(
        "labctl attach                       # the newest run", "labctl attach 20260131-093000-demo-4f2a"
    ),
)
@run_argument
@become_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON at the end, and nothing else.")
@root_option
def attach(run: str, as_json: bool, root: Path) -> int:
    """Follow a run, from its beginning to its end; the newest one if none is named.

    RUN is an id, a beginning that only one has, or `latest`. Where the run's conductor was killed, a new one takes the run up
    where it was left: nothing is lost, and nothing is executed twice. The exit code is the run's.
    """
    from orchestrator.cli.follow import follow_run
    from orchestrator.pipeline.run import resume_run
    from orchestrator.results.store import RunStore

    folder = RunStore(root).find(run)
    resume_run(folder)
    return follow_run(folder, as_json)
