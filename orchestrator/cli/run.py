# SPDX-License-Identifier: Apache-2.0
"""labctl run: execute a suite on hosts and follow it. And the hidden `conduct`, which is the conductor's own process."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import inventory_option, limit_option
from orchestrator.cli.runs import root_option

if TYPE_CHECKING:
    from orchestrator.model.run import RunSpec


@click.command(
    "run",
    epilog=examples(
        "labctl run --suite demo",
        "labctl run --suite operations machines.yaml --runs 30 --seed 7",
        "labctl run --suite scalability --dry-run",
    ),
)
@click.option(
    "--suite", required=True, metavar="NAME|FILE", help="What to execute; `labctl list` shows what there is."
)
@inventory_option
@limit_option
@click.option(
    "--runs", type=click.IntRange(min=1), help="Counted blocks of each benchmark, instead of the suite's."
)
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Of the permutations; random if none is given."
)
@click.option(
    "--baseline", metavar="CRI/OCI", help="What the others are compared with, instead of the suite's."
)
@click.option("--detach", is_flag=True, help="Print the run's id and return; `labctl attach` follows it.")
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be executed, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
@root_option
def run(detach: bool, dry_run: bool, as_json: bool, root: Path, **wanted: Any) -> int:
    """Execute a suite on the hosts of an inventory and follow it.

    A conductor of its own owns the run and outlives this terminal: Ctrl-C detaches, a second one within three seconds
    cancels. Exit code: 0, 1 a host or trial failed, 3 a host was unreachable, 130 cancelled or detached.
    """
    from orchestrator.pipeline.run import Wanted, plan_run, start_run, suite_folders
    from orchestrator.results.store import RunStore

    spec = plan_run(Wanted(**wanted), suite_folders())
    if dry_run:
        click.echo(json.dumps(asdict(spec), indent=2) if as_json else describe(spec))
        return 0
    folder = start_run(spec, RunStore(root))
    if detach:
        click.echo(
            json.dumps({"id": folder.id, "path": str(folder.path.absolute())}) if as_json else folder.id
        )
        return 0
    from orchestrator.cli.follow import follow_run

    return follow_run(folder, as_json)


@click.command("conduct", hidden=True)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def conduct(folder: Path) -> int:
    """Own the run in FOLDER until its end."""
    from orchestrator.pipeline.run import conduct_run
    from orchestrator.results.store import RunFolder

    return conduct_run(RunFolder(folder))


def describe(spec: RunSpec) -> str:
    """What a dry run says: who executes what, how often."""
    lines = [f"{spec.suite}: nothing is executed (--dry-run). Baseline {spec.baseline}, seed {spec.seed}."]
    lines += [f"  on  {host.name} (machine {host.machine})" for host in spec.hosts]
    lines += [f"  of  {item.name}" for item in spec.combinations]
    for plan in spec.benchmarks:
        params = f" {json.dumps(dict(plan.params))}" if plan.params else ""
        lines.append(f"  do  {plan.name}: {plan.blocks} blocks after {plan.warmup} warm-up{params}")
    blocks = sum(plan.blocks + plan.warmup for plan in spec.benchmarks)
    trials = blocks * len(spec.combinations)
    lines.append(f"{trials} trials a host, {trials * len(spec.hosts)} in all.")
    return "\n".join(lines)
