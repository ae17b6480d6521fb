# SPDX-License-Identifier: Apache-2.0
"""`labctl lab`: make, inspect and remove the local Debian hosts that an inventory describes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import DEFAULT_INVENTORY, chosen_inventory, inventory_option, json_option
from orchestrator.model.errors import LabError
from orchestrator.model.system_packages import install_hint
from orchestrator.model.text import printable, printable_line
from orchestrator.shipped import short_path

if TYPE_CHECKING:
    from orchestrator.model.lab import LabResult, LabStatus

_STYLES = {"running": "green", "unhealthy": "yellow", "stopped": "red", "absent": "dim"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def lab() -> None:
    """Make, inspect and remove the local Debian hosts that an inventory describes (its `labctl_lab`)."""


@lab.command()
@inventory_option
def up(inventory: Path) -> int:
    """Make and boot the hosts that are not up; those that are well are left alone."""
    from orchestrator.pipeline.lab import lab_up

    with lab_progress() as progress:
        result = lab_up(inventory, progress)
    count = "1 host is" if len(result.hosts) == 1 else f"{len(result.hosts)} hosts are"
    return _report(result, f"{count} up: labctl ping {short_path(inventory)}")


@lab.command()
@inventory_option
def down(inventory: Path) -> int:
    """Remove every trace of the hosts: processes, folders, network, keys."""
    from orchestrator.pipeline.lab import lab_down

    with lab_progress() as progress:
        result = lab_down(inventory, progress)
    if result is None:
        click.echo(f"The lab of {short_path(inventory)} is not there: nothing to remove.")
        return 0
    return _report(result, f"The lab {result.name} is gone.")


@lab.command()
@inventory_option
@json_option
def status(inventory: Path, as_json: bool) -> int:
    """Show how each host stands; exit code 1 where one is not running."""
    from orchestrator.pipeline.lab import lab_status

    found = lab_status(inventory)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, default=str))
    else:
        _table(found)
    return 0 if all(host.standing == "running" for host in found.hosts) else 1


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("-i", "--inventory", "option", type=click.Path(path_type=Path), help="The lab's inventory.")
def ssh(host: str, command: tuple[str, ...], option: Path | None) -> None:
    """Open a shell on HOST, or run COMMAND there (after --)."""
    from orchestrator.pipeline.lab import ssh_command

    # One word is shell text, as with ssh itself; more are a command whose words stay words.
    words = command if len(command) < 2 else (shlex.join(command),)
    argv = ssh_command(chosen_inventory(None, option), host, words)
    if not shutil.which(argv[0]):
        raise LabError("This machine has no ssh.", install_hint(["openssh-client"]))
    os.execvp(argv[0], argv)


@lab.command()
@inventory_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where; .qcow2 (compressed) or .raw.  [default: labhost-RELEASE-ARCHITECTURE.qcow2]",
)
def image(inventory: Path, output: Path | None) -> int:
    """Keep the disk of the lab's virtual machines as the standard image of a lab host, without any key, for others to boot."""
    from orchestrator.pipeline.lab import lab_image

    with lab_progress() as progress:
        written = lab_image(inventory, output, progress)
    for what, path in written.files.items():
        click.echo(f"{what}: {path}")
    click.echo(f"Boot it, in {written.files['disk'].resolve().parent}: {written.boot}")
    click.echo(written.login)
    return 0


@lab.command()
@click.option("--hosts", type=click.IntRange(min=1), default=2, show_default=True, help="How many.")
@click.option("--provider", help="container or vm; else the best that works on this machine.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="Where; else the first free inventories/labN.yaml.",
)
def new(hosts: int, provider: str | None, path: Path | None) -> None:
    """Write an inventory for a new lab, with a bridge and a subnet, or with ports, that are free."""
    from orchestrator.lab.fresh import write_new
    from orchestrator.lab.lifecycle import PROVIDERS
    from orchestrator.lab.provider import choose
    from orchestrator.lab.system import System

    if provider is not None and provider not in PROVIDERS:
        raise click.BadParameter(f"there is: {', '.join(PROVIDERS)}.", param_hint="--provider")
    system = System()
    if provider is None:
        chosen = choose(None, PROVIDERS, system)
        provider = chosen.provider.name
        click.echo(f"provider {provider}: {chosen.why}", err=True)
    path = path or next(
        p for n in range(2, 10_000) if not (p := DEFAULT_INVENTORY.with_stem(f"lab{n}")).exists()
    )
    number = write_new(path, hosts, provider, system)
    where = f"at 127.0.0.1, ports from {number}" if provider == "vm" else f"in 10.231.{number}.0/24"
    click.echo(
        f"{path}: {'1 host' if hosts == 1 else f'{hosts} hosts'} {where}. Make them: labctl lab up {path}"
    )


def _report(result: LabResult, success: str) -> int:
    """Each failure in one sentence; the exit code."""
    for host in result.hosts:
        if host.error:
            click.echo(f"{click.style(host.name, fg='red')}: {host.error}", err=True)
    for problem in result.problems:
        click.echo(f"{click.style(result.name, fg='red')}: {problem}", err=True)
    if result.ok:
        click.echo(success)
    return 0 if result.ok else 1


def _table(found: LabStatus) -> None:
    from rich.table import Table
    from rich.text import Text

    from orchestrator.cli.console import plain_console

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("host", "address", "state", "pid", "since"):
        table.add_column(title, no_wrap=True)
    for host in found.hosts:
        state = Text(host.standing, style=_STYLES[host.standing])
        table.add_row(host.name, host.address, state, str(host.pid or "-"), host.since or "-")
    console = plain_console()
    console.print(table)
    for host in found.hosts:
        for said in filter(None, (host.reason, host.how)):
            console.print(printable(f"{host.name}: {said}"), soft_wrap=True)


@contextmanager
def lab_progress() -> Iterator[Callable[[str, str], None]]:
    """A line that turns for what is going on, on a terminal; else plain lines. Lines are for stderr: stdout has results."""
    from rich.text import Text

    from orchestrator.cli.console import plain_console

    console = plain_console(stderr=True)
    lock = Lock()
    latest: dict[str, str] = {}

    def show(who: str, what: str) -> None:
        with lock:
            line = Text.assemble((printable_line(who), "bold"), ": ", printable_line(what))
            console.print(line, soft_wrap=True)

    if not console.is_terminal:
        yield show
        return
    with console.status("") as spinner:

        def turn(who: str, what: str) -> None:
            show(who, what)
            with lock:
                latest[printable_line(who)] = printable_line(what)
                line = " · ".join(f"{who}: {what}" for who, what in latest.items())
                spinner.update(Text(line[: console.width - 4]))

        yield turn
