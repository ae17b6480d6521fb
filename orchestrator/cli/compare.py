# SPDX-License-Identifier: Apache-2.0
"""labctl compare: what changed from one run to another, or from one combination of a run to another; and gates on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.runs import root_option

if TYPE_CHECKING:
    from orchestrator.model.comparison import Comparison
    from orchestrator.pipeline.compare import Wanted


@click.command(
    "compare",
    epilog=examples(
        "labctl compare 20260131-0930 latest           # two runs, from A to B",
        "labctl compare latest --with containerd/runc-mine    # two handlers of one",
        "labctl compare latest --baseline crio/runc --with crio/crun",
        "labctl compare A B --gate 'operations.container.lifecycle:Run <= +5%'",
        "labctl compare A B --gate 'operations.container.exec@crio/runc <= +3%'",
        "labctl compare A B --gate 'operations.container.logs:Throughput >= -5%'",
        "labctl compare A B --markdown > comment.md",
    ),
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN_A [RUN_B]")
@click.option("--with", "combination", metavar="CRI/OCI", help="Of one run: this combination (B).")
@click.option(
    "--baseline", metavar="CRI/OCI", help="Of one run: what it is compared with (A). [default: the run's]"
)
@click.option(
    "--control",
    default="auto",
    show_default=True,
    metavar="CRI/OCI|none",
    help="Of two runs: the combination that is the same in both; `none`: the values as they are.",
)
@click.option(
    "--gate", "gates", multiple=True, metavar="GATE", help="What must hold (see above). Repeatable."
)
@click.option("--undecided-passes", is_flag=True, help="A gate that the blocks cannot decide does not fail.")
@click.option(
    "--margin",
    type=click.FloatRange(0, 100, min_open=True),
    default=5.0,
    show_default=True,
    metavar="PERCENT",
    help="The practical margin: a difference within it is none.",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="For a comment on a pull request.")
@click.option("--json", "as_json", is_flag=True, help="All of it (`labctl schema comparison`).")
@root_option
def compare(runs: tuple[str, ...], root: Path, **asked: Any) -> None:
    """Say what changed from RUN_A to RUN_B, or from one combination of a run to another, and hold gates against it.

    A run is named by its id, a beginning that only one has, its folder, or `latest`.

    Two runs share no block. Where both have a control, a combination that is made of the same components in both (the baseline, if it
    is), each value is taken as a ratio to the control's in its own block: what moved the machine between the runs is left out. Two
    combinations of one run are paired by block, which tells more from fewer blocks: a release and one's own commit are best compared so.

    \b
    A GATE is BENCHMARK[:METRIC][@CRI/OCI] <= +5%, or >= -5%: how much the values
    may change from A to B. Without a metric: the primary one; a beginning that
    only one has will do. Without a combination: every one.

    It is decided on the 90 % interval of the change, whose ends are one-sided 95 % bounds, and never on the estimate: passed where the
    whole interval keeps it, failed where the whole interval breaks it, else undecided. It must hold on each host and combination that
    it names. Exit code 4 where one failed or is undecided.

    A gate also fails where more trials failed in B than in A (Fisher's exact test, one-sided, after Holm over all
    gates) or where every trial failed in B; and it never passes where B does not support, or has no trial of,
    what A did.
    """
    from orchestrator.pipeline.compare import Wanted
    from orchestrator.results.gate_language import parse_gate

    if asked["as_markdown"] and asked["as_json"]:
        raise click.UsageError("--markdown and --json exclude each other: name one.")
    gates = tuple(parse_gate(text) for text in asked["gates"])
    wanted = Wanted(gates, asked["margin"] / 100, asked["control"])
    found = _compared(runs, asked["baseline"], asked["combination"], wanted, root)
    click.echo(_text(found, as_markdown=asked["as_markdown"], as_json=asked["as_json"]), nl=False)
    _hold(found, undecided_passes=asked["undecided_passes"])


def _compared(
    runs: Sequence[str], baseline: str | None, combination: str | None, wanted: Wanted, root: Path
) -> Comparison:
    """Raises UsageError, click.UsageError, ResultError."""
    from orchestrator.pipeline.compare import compare_combinations, compare_runs
    from orchestrator.results.controls import AUTO
    from orchestrator.results.store import RunStore

    if len(runs) > 2:
        raise click.UsageError(f"Two runs are compared, or two combinations of one; {len(runs)} are named.")
    if len(runs) == 2 and (baseline or combination):
        raise click.UsageError("--baseline and --with name combinations of one run: name one RUN.")
    if len(runs) == 1 and combination is None:
        raise click.UsageError("With what? Name a second RUN, or a combination of this one: --with CRI/OCI.")
    if len(runs) == 1 and wanted.control != AUTO:
        raise click.UsageError("--control is of two runs: combinations of one run are paired by block.")
    folders = [RunStore(root).find(name).path for name in runs]
    if combination is not None:
        return compare_combinations(folders[0], baseline, combination, wanted)
    return compare_runs(folders[0], folders[1], wanted)


def _text(found: Comparison, *, as_markdown: bool, as_json: bool) -> str:
    if as_json:
        from orchestrator.results.comparison_json import to_json

        return to_json(found)
    if as_markdown:
        from orchestrator.report.comparison_markdown import markdown

        return markdown(found)
    from orchestrator.report.comparison_terminal import printed
    from orchestrator.report.terminal import console_for

    return printed(found, console_for())


def _hold(found: Comparison, *, undecided_passes: bool) -> None:
    """Raises GateFailed, which names every gate that does not hold, and where."""
    from orchestrator.model.comparison import Standing
    from orchestrator.model.errors import GateFailed
    from orchestrator.report.comparison import broken_gates

    failed = broken_gates(found, Standing.FAILED)
    undecided = broken_gates(found, Standing.UNDECIDED, passable=False if undecided_passes else None)
    told = [
        f"{words}: {', '.join(gates)}"
        for words, gates in (("Failed", failed), ("Undecided", undecided))
        if gates
    ]
    if told:
        raise GateFailed(f"{'. '.join(told)}.", _hint(found) if undecided else None)


def _hint(found: Comparison) -> str:
    from orchestrator.model.comparison import Standing
    from orchestrator.report.comparison import broken_gates

    if broken_gates(found, Standing.UNDECIDED, passable=False):
        return (
            "What B did not try cannot be decided: name combinations of a gate that both have (@CRI/OCI), or pull the "
            "journals of B's hosts with `labctl fetch`."
        )
    return "More blocks may decide what is undecided; --undecided-passes lets it pass."
