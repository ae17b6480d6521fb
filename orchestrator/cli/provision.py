# SPDX-License-Identifier: Apache-2.0
"""`labctl provision`: bring hosts to the state that the playbooks describe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options, forks_option, inventory_option, limit_option
from orchestrator.cli.playbook_options import playbook_options

if TYPE_CHECKING:
    from orchestrator.model.artifact import Target
    from orchestrator.pipeline.build import Asked

STATE = Path(".labctl")
_PATH = click.Path(path_type=Path)


@click.command(
    epilog=examples(
        "labctl provision",
        "labctl provision machines.yaml --limit web1 --check --diff",
        "labctl provision --tags containerd,crun",
        "labctl provision --retry-failed",
    )
)
@inventory_option
@limit_option
@playbook_options
@click.option("-C", "--check", is_flag=True, help="Predict what would change, and change nothing.")
@click.option("-D", "--diff", is_flag=True, help="Show what changes in files.")
@click.option(
    "--retry-failed", is_flag=True, help="Only the hosts that failed or were unreachable the last time."
)
@click.option(
    "--source",
    type=click.Choice(["debian"]),
    help="Debian's packages instead of builds: the fast path for a first look.",
)
@click.option(
    "--components", type=_PATH, multiple=True, metavar="FOLDER", help="A further folder of components."
)
@click.option("-v", "--verbose", is_flag=True, help="Show every task, not only what changed or failed.")
@become_options
@forks_option
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines, the recap as the last.")
def provision(
    inventory: Path,
    limit: str | None,
    wanted: Mapping[str, Any],
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Bring the hosts of INVENTORY to the state that the playbook describes. Done twice, the second time changes nothing.

    What is to be installed is built first, as far as it is not built yet (labctl build). A failed host does not keep the others.
    Exit code 1 where a task failed, 3 where a host was unreachable.
    The log of each host is in .labctl/logs/provision/.
    """
    from orchestrator.cli.build_view import build_view
    from orchestrator.cli.provision_view import JsonLines, Terminal
    from orchestrator.pipeline.provision import Request, as_json_line
    from orchestrator.pipeline.provision import provision as carry_out
    from orchestrator.provision.logs import HostLogs, Several

    source, folders = options.pop("source"), options.pop("components")

    def asked(targets: tuple[Target, ...]) -> Asked:
        from orchestrator.cli.build import asked_for

        return asked_for(source=source, inventory=inventory, folders=folders, targets=targets)

    request = Request(
        inventory,
        limit=limit,
        artifacts=asked,
        state=STATE,
        **wanted,
        **options,
    )
    view = JsonLines() if as_json else Terminal(verbose=verbose, check=request.check)
    with HostLogs(STATE / "logs" / "provision") as logs, view, build_view(err=True, cached=False) as building:
        recap = carry_out(request, Several((logs, view)), building)
    if as_json:
        click.echo(as_json_line(recap))
    else:
        Terminal.recap(recap, {report.host: logs.path(report.host) for report in recap.hosts})
    return recap.exit_code
