# SPDX-License-Identifier: Apache-2.0
"""labctl run: execute a suite on hosts and follow it. And the hidden `conduct`, which is the conductor's own process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options, inventory_option, limit_option
from orchestrator.cli.prepare import prepare_options, prepare_run
from orchestrator.cli.runs import root_option
from orchestrator.shipped import suite_folders

if TYPE_CHECKING:
    from orchestrator.model.run import RunSpec
    from orchestrator.results.store import RunStore


def _quantity(kind: str) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """A callback that reads a `share` or a `time_span`."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        from orchestrator.load import quantity

        try:
            return None if value is None else float(getattr(quantity, kind)(value))
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from error

    return read


@click.command(
    "run",
    epilog=examples(
        "labctl run --suite demo",
        "labctl run --suite operations machines.yaml --runs 30 --seed 7",
        "labctl run --suite operations --precision 3% --budget 30m",
        "labctl run --suite scalability --dry-run   # what it can show, how long",
        "labctl run --resume 20260131-093000-demo-4f2a --detach",
        "labctl run --suite demo --prepare   # for ansible-playbook: docs/fleets.md",
    ),
)
@click.option("--suite", metavar="NAME|FILE", help="What to execute; `labctl list` shows what there is.")
@inventory_option
@limit_option
@become_options
@click.option(
    "--runs", type=click.IntRange(min=1), help="Counted blocks of each benchmark, instead of the suite's."
)
@click.option(
    "--precision",
    callback=_quantity("share"),
    metavar="SHARE",
    help="Instead of --runs: until every interval of a benchmark is as narrow as this (3%), 15 to 60 blocks.",
)
@click.option(
    "--budget",
    callback=_quantity("time_span"),
    metavar="TIME",
    help="With --precision: each host works no longer than this (30m); its benchmarks share it.",
)
@click.option(
    "--profile",
    type=click.Choice(["thesis", "quick"]),
    help="The size of the work: the thesis', or a tenth for a first look. The suite's if none is given, else thesis.",
)
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Of the permutations; random if none is given."
)
@click.option(
    "--baseline", metavar="CRI/OCI", help="What the others are compared with, instead of the suite's."
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Take up a run whose conductor is gone, as `labctl attach` does; no new one.",
)
@click.option("--detach", is_flag=True, help="Print the run's id and return; `labctl attach` follows it.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check everything, say what would be executed, what it can show and how long it takes, and stop.",
)
@prepare_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
@root_option
def run(
    suite: str | None,
    profile: str | None,
    resume: str | None,
    detach: bool,
    dry_run: bool,
    prepare: Sequence[str] | None,
    as_json: bool,
    root: Path,
    **wanted: Any,
) -> int:
    """Execute a suite on the hosts of an inventory and follow it.

    A conductor of its own owns the run and outlives this terminal: Ctrl-C detaches, a second one within three seconds
    cancels. Exit code: 0, 1 a host or trial failed, 3 a host was unreachable, 130 cancelled or detached.
    """
    from orchestrator.model.run import Profile
    from orchestrator.pipeline.run import Wanted, plan_run, resume_run, start_run
    from orchestrator.results.store import RunStore

    store = RunStore(root)
    if resume is not None:
        _refuse_beside_resume(suite, profile, dry_run, wanted)
        folder = store.find(resume)
        resume_run(folder)
    else:
        if suite is None:
            raise click.UsageError("Name a suite: --suite demo. `labctl list` shows what there is.")
        chosen = Profile(profile) if profile else None
        spec = plan_run(Wanted(suite=suite, profile=chosen, **wanted), suite_folders())
        if dry_run:
            _print_plan(spec, store, wanted["runs"], as_json)
            return 0
        _warn_of_too_few_blocks(spec, wanted["runs"])
        if prepare is not None:
            prepare_run(spec, store, prepare, as_json)
            return 0
        folder = start_run(spec, store)
    if detach:
        click.echo(
            json.dumps({"id": folder.id, "path": str(folder.path.absolute())}) if as_json else folder.id
        )
        return 0
    from orchestrator.cli.follow import follow_run

    return follow_run(folder, as_json)


def _refuse_beside_resume(
    suite: str | None, profile: str | None, dry_run: bool, wanted: Mapping[str, Any]
) -> None:
    typed = {"suite": suite, "profile": profile, "dry-run": dry_run or None, **wanted, "inventory": None}
    beside = [f"--{name}" for name, value in typed.items() if value is not None]
    if beside:
        raise click.UsageError(f"--resume takes a run up as it was planned: leave {', '.join(beside)} out.")


def _print_plan(spec: RunSpec, store: RunStore, runs: int | None, as_json: bool) -> None:
    from orchestrator.cli.planned_run import describe, duration_line, requirement_line
    from orchestrator.pipeline.expected import expected
    from orchestrator.pipeline.typical_durations import shipped_durations
    from orchestrator.stats.block_requirement import block_requirement

    required, time = block_requirement(spec), expected(spec, store, shipped_durations())
    if as_json:
        plan = {**asdict(spec), "block_requirement": asdict(required), "expected": asdict(time)}
        click.echo(json.dumps(plan, indent=2))
    else:
        click.echo(
            "\n".join((describe(spec), requirement_line(spec, required, runs), duration_line(spec, time)))
        )


def _warn_of_too_few_blocks(spec: RunSpec, runs: int | None) -> None:
    """On standard error, so that a program that reads the run's id or its JSON is not disturbed."""
    from orchestrator.cli.planned_run import requirement_line
    from orchestrator.stats.block_requirement import block_requirement

    required = block_requirement(spec)
    if required.short:
        click.echo(requirement_line(spec, required, runs), err=True)


@click.command("conduct", hidden=True)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def conduct(folder: Path) -> int:
    """Own the run in FOLDER until its end. Standard input is sudo's password, or nothing."""
    from orchestrator.load.become import OF_THIS_CALL
    from orchestrator.pipeline.run import conduct_run
    from orchestrator.results.store import RunFolder

    OF_THIS_CALL.take(sys.stdin.readline().rstrip("\n"))
    return conduct_run(RunFolder(folder))
