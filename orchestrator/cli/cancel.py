# SPDX-License-Identifier: Apache-2.0
"""labctl cancel: end a run, and clean up on its hosts."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options
from orchestrator.cli.runs import root_option, run_argument


@click.command(
    "cancel",
    epilog=examples(
        "labctl cancel                       # the newest run", "labctl cancel 20260131-093000-demo-4f2a"
    ),
)
@run_argument
@become_options
@root_option
def cancel(run: str, root: Path) -> int:
    """End a run and wait until its hosts have cleaned up; the newest one if none is named.

    What was measured stays. The exit code is 0 where every host has ended, 1 or 3 where one could not be told.
    """
    from orchestrator.cli.follow import follow_run
    from orchestrator.pipeline.run import cancel_run
    from orchestrator.results.store import RunStore

    folder = RunStore(root).find(run)
    cancel_run(folder)
    code = follow_run(folder)
    state = folder.read_state()
    told = state is not None and all(host.error is None for host in state.hosts)
    return 0 if code == 130 and told else (3 if code == 130 else code)
