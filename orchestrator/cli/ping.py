# SPDX-License-Identifier: Apache-2.0
"""`labctl ping`: which hosts answer, and how fast."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options, forks_option, inventory_option, json_option, limit_option
from orchestrator.model.errors import LabctlError

if TYPE_CHECKING:
    from orchestrator.model.inventory import Host
    from orchestrator.pipeline.reach import Pong, Selection
    from orchestrator.ssh import Results


@click.command(
    epilog=examples("labctl ping", "labctl ping machines.yaml --limit 'runtimes:!old'", "labctl ping --json")
)
@inventory_option
@limit_option
@become_options
@forks_option
@json_option
def ping(inventory: Path, limit: str | None, forks: int, as_json: bool) -> int:
    """Say which hosts of INVENTORY answer, and how fast: one line a host.

    Exit code 3 where one is unreachable; the others are reached all the same.
    """
    from orchestrator.pipeline import reach

    selection = reach.select(inventory, limit)
    results = reach.ping(selection, forks, None if as_json else _printer(selection))
    if as_json:
        click.echo(json.dumps(_as_json(selection, results), indent=2))
    return max((error.exit_code for error in results.failed.values()), default=0)


def _printer(selection: Selection) -> Callable[[Host, Pong | LabctlError], None]:
    """Prints a host's line when it ends: who waits for a slow host sees the others."""
    width = max(len(host.name) for host in selection.hosts)

    def show(host: Host, outcome: Pong | LabctlError) -> None:
        name = f"{host.name:<{width}}"
        if isinstance(outcome, LabctlError):
            click.echo(f"{name}  {click.style('failed', fg='red')}  {_sentence(host.name, outcome)}")
            return
        system = outcome.system or "-"
        click.echo(
            f"{name}  {click.style('ok', fg='green')}  {outcome.round_trip_ms:6.2f} ms  {outcome.user}  {system}"
        )

    return show


def _sentence(name: str, error: LabctlError) -> str:
    """Without the host's name in front, which already stands at the beginning of the line."""
    return str(error).removeprefix(f"{name}: ")


def _as_json(selection: Selection, results: Results[Pong]) -> list[dict[str, Any]]:
    return [
        _row(host.name, results.succeeded.get(host.name), results.failed.get(host.name))
        for host in selection.hosts
    ]


def _row(name: str, pong: Pong | None, error: LabctlError | None) -> dict[str, Any]:
    return {
        "host": name,
        "ok": pong is not None,
        "user": pong.user if pong else None,
        "system": pong.system if pong else None,
        "connect_ms": round(pong.connect_ms, 3) if pong else None,
        "round_trip_ms": round(pong.round_trip_ms, 3) if pong else None,
        "error": error.message if error else None,
        "hint": error.hint if error else None,
    }
