# SPDX-License-Identifier: Apache-2.0
"""`labctl clean`: take what runs left behind, or everything that labctl brought, off hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options, forks_option, inventory_option, json_option, limit_option
from orchestrator.model.errors import UsageError

STATE = Path(".labctl")


@click.command(
    epilog=examples("labctl clean", "labctl clean machines.yaml --check", "labctl clean --purge --limit web1")
)
@inventory_option
@limit_option
@click.option("--purge", is_flag=True, help="Uninstall everything that labctl brought.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before --purge.")
@click.option("-C", "--check", is_flag=True, help="Say what would go, and remove nothing.")
@become_options
@forks_option
@json_option
def clean(inventory: Path, yes: bool, as_json: bool, **options: Any) -> int:
    """Take leftovers of runs off the hosts of INVENTORY: pods, containers, networks, control groups, builds that are not in use.

    With --purge everything goes that labctl made, and nothing else: services, configurations, /opt/labctl, the state of its runtimes,
    the agent and its runs, and the Debian packages that it installed. A host on which a run is executed refuses, and so does one on
    which pods of others run in labctl's runtimes.
    """
    from orchestrator.cli.provision_view import JsonLines, Terminal
    from orchestrator.pipeline.clean import Cleaning
    from orchestrator.pipeline.clean import clean as carry_out
    from orchestrator.pipeline.provision import as_json_line
    from orchestrator.provision.logs import HostLogs, Several

    cleaning = Cleaning(inventory, state=STATE, **options)
    if cleaning.purge and not cleaning.check and not yes:
        _confirm(cleaning.hosts())
    view = JsonLines() if as_json else Terminal(check=cleaning.check)
    with HostLogs(STATE / "logs" / "clean") as logs, view:
        recap = carry_out(cleaning, Several((logs, view)))
    if as_json:
        click.echo(as_json_line(recap))
    else:
        Terminal.recap(recap, {report.host: logs.path(report.host) for report in recap.hosts})
    return recap.exit_code


def _confirm(hosts: Sequence[str]) -> None:
    """Raises UsageError: nobody can be asked; click.Abort: no."""
    names = ", ".join(hosts)
    if not sys.stdin.isatty():
        raise UsageError(
            f"--purge uninstalls everything of labctl from {names}, and nobody can be asked here.",
            "Add --yes if that is meant.",
        )
    click.confirm(
        f"Uninstall everything of labctl, with all containers, images and runs, from {names}?", abort=True
    )
