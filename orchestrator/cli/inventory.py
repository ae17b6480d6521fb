# SPDX-License-Identifier: Apache-2.0
"""`labctl inventory`: which hosts and groups an inventory has, their variables, and where each host is reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import inventory_option, json_option, limit_option
from orchestrator.cli.streams import exact_output
from orchestrator.model.errors import LabctlError, UsageError

if TYPE_CHECKING:
    from orchestrator.model.endpoint import Endpoint
    from orchestrator.model.inventory import Host, Inventory


@click.command(
    epilog=examples(
        "labctl inventory",
        "labctl inventory machines.yaml --limit 'runtimes:!old'",
        "labctl inventory --host web1",
        "labctl inventory --json                      # as ansible-inventory --list",
        "labctl inventory --graph --vars",
    )
)
@inventory_option
@limit_option
@json_option
@click.option("--host", "name", metavar="NAME", help="The variables of this host, as JSON.")
@click.option("--graph", is_flag=True, help="The tree of groups and hosts.")
@click.option("--vars", "with_vars", is_flag=True, help="With --graph: the variables too.")
@click.option(
    "--playbook-dir",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Also group_vars and host_vars of this folder.",
)
@click.option("--show-passwords", is_flag=True, help="Do not withhold what connection variables hold.")
def inventory(
    inventory: Path,
    limit: str | None,
    as_json: bool,
    name: str | None,
    graph: bool,
    with_vars: bool,
    playbook_dir: Path | None,
    show_passwords: bool,
) -> int:
    """Say which hosts INVENTORY has, in which groups, and where each is reached. No host is spoken to.

    --json, --host and --graph are what `ansible-inventory` prints for --list, --host and --graph. Variables are shown as
    they are written, templates included; passwords of connection variables are withheld.
    """
    from orchestrator.cli.inventory_view import Shown, print_table
    from orchestrator.load.inventory import load_inventory, select_hosts

    _refuse_contradictions(limit, as_json, name, graph, with_vars)
    loaded = load_inventory(inventory, playbook_dir)
    shown = Shown(loaded, show_passwords)
    if name is not None:
        _print_exactly(shown.one(_named(loaded, name)))
    elif graph:
        _print_exactly(shown.graph(with_vars))
    elif as_json:
        _print_exactly(shown.listing(select_hosts(loaded, limit) if loaded.hosts else ()))
    else:
        hosts = select_hosts(loaded, limit)
        reached = {host.name: _reached(host, loaded) for host in hosts}
        print_table(reached, hosts)
        return max((it.exit_code for it in reached.values() if isinstance(it, LabctlError)), default=0)
    return 0


def _print_exactly(text: str) -> None:
    """As Ansible's own tool prints it, byte by byte; only a terminal gets control characters escaped."""
    with exact_output() as stream:
        stream.write(f"{text}\n")


def _refuse_contradictions(
    limit: str | None, as_json: bool, name: str | None, graph: bool, with_vars: bool
) -> None:
    if [as_json, name is not None, graph].count(True) > 1:
        raise click.UsageError("--json, --host and --graph exclude each other: name one.")
    if limit is not None and (graph or name is not None):
        raise click.UsageError("--limit goes with the table and with --json; --host and --graph show all.")
    if with_vars and not graph:
        raise click.UsageError("--vars goes with --graph; --json and --host have the variables already.")


def _named(loaded: Inventory, name: str) -> Host:
    from orchestrator.load.hostpattern import select_hosts

    chosen = select_hosts(loaded, name)
    if len(chosen) != 1:
        raise UsageError(f"--host '{name}' means {len(chosen)} hosts.", "Name one.")
    return chosen[0]


def _reached(host: Host, loaded: Inventory) -> Endpoint | LabctlError:
    from orchestrator.load.inventory import endpoint_of

    try:
        return endpoint_of(host, loaded)
    except LabctlError as error:
        return error
