# SPDX-License-Identifier: Apache-2.0
"""`labctl plan`: what `labctl provision` would do on each host, and nothing is done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options, forks_option, inventory_option, json_option, limit_option
from orchestrator.cli.playbook_options import playbook_options
from orchestrator.shipped import short_path

if TYPE_CHECKING:
    from orchestrator.provision.foresight import Foreseen, HostPlan

STATE = Path(".labctl")
_COLOURS = {"+": "green", "-": "red"}


@click.command(
    epilog=examples(
        "labctl plan",
        "labctl plan machines.yaml --limit web1 --playbook playbooks/site.yaml",
        "labctl plan --brief --tags containerd",
        "labctl plan --json",
    )
)
@inventory_option
@limit_option
@playbook_options
@click.option("--brief", is_flag=True, help="Without what changes in files.")
@become_options
@forks_option
@json_option
def plan(
    inventory: Path,
    limit: str | None,
    wanted: Mapping[str, Any],
    brief: bool,
    forks: int,
    as_json: bool,
) -> int:
    """Say what `labctl provision` would do on each host of INVENTORY. Nothing is built, and nothing changes.

    Hosts for which the same is foreseen are shown together. A command is marked with a question mark:
    what it does is not known before it has run, so what depends on it may differ.
    Exit code 1 where a task would fail, 3 where a host was unreachable.
    """
    from orchestrator.cli.provision_view import Terminal
    from orchestrator.pipeline.provision import Request, provision
    from orchestrator.provision.foresight import Foresight
    from orchestrator.provision.logs import Several

    request = Request(inventory, limit=limit, check=True, diff=not brief, forks=forks, state=STATE, **wanted)
    foresight = Foresight()
    with Terminal(results=False, check=True) as progress:
        recap = provision(request, Several((foresight, progress)))
    plans = foresight.plans(recap.hosts)
    if as_json:
        told = {"playbook": str(request.playbook), "hosts": [one.to_json() for one in plans]}
        click.echo(json.dumps(told, indent=2))
    else:
        _print(plans)
    return recap.exit_code


def _print(plans: Sequence[HostPlan]) -> None:
    from orchestrator.provision.foresight import alike

    for group in alike([one.printable() for one in plans]):
        _print_group(group)
    if not any(one.foreseen or one.error for one in plans):
        click.echo("Nothing to do: every host is as the playbook wants it.")


def _print_group(group: Sequence[HostPlan]) -> None:
    one, names = group[0], ", ".join(entry.host for entry in group)
    click.echo(click.style(names if len(group) == 1 else f"{names} ({len(group)} hosts, alike)", bold=True))
    for entry in one.foreseen:
        _print_task(entry)
    for message in one.messages:
        click.echo(f"  {click.style('!', fg='yellow')} {message}")
    if one.error:
        click.echo(f"  {click.style('!', fg='red')} the prediction ends here: {one.error}")
        if one.hint:
            click.echo(f"    {one.hint}")
    unknown = f", {len(one.unknown)} not known beforehand" if one.unknown else ""
    click.echo(f"  {_counted(len(one.changes))} to change{unknown}, {one.fine} as they should be")


def _print_task(entry: Foreseen) -> None:
    mark = click.style("~", fg="yellow") if entry.known else click.style("?", fg="cyan")
    label = f" [{entry.label}]" if entry.label is not None else ""
    click.echo(f"  {mark} {entry.task}{label}")
    click.echo(click.style(f"      {entry.module}, {_short(entry.place)}", dim=True))
    for line in (entry.diff or "").splitlines():
        click.echo(click.style(f"      {line}", fg=_COLOURS.get(line[:1])))


def _short(place: str) -> str:
    path, _, line = place.rpartition(":")
    return f"{short_path(Path(path))}:{line}"


def _counted(number: int) -> str:
    return f"{number} task{'' if number == 1 else 's'}"
