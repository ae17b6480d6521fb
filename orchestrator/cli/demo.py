# SPDX-License-Identifier: Apache-2.0
"""labctl demo: the whole job on this machine, as the very commands that a person would type one by one."""

from __future__ import annotations

import time
from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import inventory_option
from orchestrator.shipped import find_inventory, short_path


def story(inventory: Path) -> tuple[tuple[str, ...], ...]:
    """The commands of the demo, in order."""
    return (
        ("lab", "up", str(inventory)),
        # Debian's packages: a first look need not wait for compilers.
        ("provision", str(inventory), "--source", "debian"),
        ("run", "--suite", "demo", "--inventory", str(inventory)),
        ("report",),
    )


@click.command(
    "demo",
    epilog=examples(
        "labctl demo", "labctl demo inventories/lab2.yaml    # what `labctl lab new` has written"
    ),
)
@inventory_option
@click.pass_context
def demo(ctx: click.Context, inventory: Path) -> int:
    """This machine alone: make two local Debian hosts, provision them, run the suite `demo`, report.

    With Debian's packages of containerd, runc and crun; `labctl provision` without --source builds all runtimes from source.
    Takes root, and a few minutes. What this machine lacks is said before anything is made.
    Each step is a command that is shown, so that you can go on from any of them. The hosts
    stay up afterwards; `labctl lab down` takes every trace of them away.
    """
    from orchestrator.pipeline.lab import check_machine

    inventory = short_path(inventory)
    check_machine(find_inventory(inventory))
    began = time.monotonic()
    group = ctx.find_root().command
    worst = 0
    for command in story(inventory):
        click.secho(f"\n$ labctl {' '.join(command)}", bold=True)
        code = group.main(args=list(command), prog_name="labctl", standalone_mode=False) or 0
        worst = max(worst, code)
        # A run in which a trial failed is reported all the same; anything else that fails leaves nothing to go on with.
        if code and command[0] != "run":
            return worst
        if code not in (0, 1):
            return worst
    click.echo(
        f"\nThe demo took {time.monotonic() - began:.0f} s. The hosts are still up: `labctl run --suite operations` measures more,"
        f"\n`labctl lab down {inventory}` removes them."
    )
    return worst
