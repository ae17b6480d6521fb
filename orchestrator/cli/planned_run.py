# SPDX-License-Identifier: Apache-2.0
"""A planned run in words: who executes what, how often, what that many blocks can show, and how long it takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.cli.words import about, duration
from orchestrator.model.stopping import FIRST
from orchestrator.stats.sentences import listed

if TYPE_CHECKING:
    from orchestrator.model.run import BenchmarkPlan, RunSpec
    from orchestrator.pipeline.expected import Expected
    from orchestrator.stats.block_requirement import BlockRequirement

MOST_NAMES = 4
"""More benchmarks than that are counted, not named."""


def describe(spec: RunSpec) -> str:
    """What a dry run says: who executes what, how often."""
    lines = [
        f"{spec.suite}: nothing is executed (--dry-run). "
        f"Baseline {spec.baseline}, seed {spec.seed}, profile {spec.profile}."
    ]
    lines += [f"  on  {host.name} (machine {host.machine})" for host in spec.hosts]
    lines += [f"  of  {item.name}" for item in spec.combinations]
    for plan in spec.benchmarks:
        params = f" {json.dumps(dict(plan.params))}" if plan.params else ""
        lines.append(f"  do  {plan.name}: {how_often(plan)}{params}")
    if spec.budget is not None:
        lines.append(
            f"Budget: {duration(spec.budget)} of work a host, shared by the benchmarks with a target."
        )
    blocks = sum(plan.blocks + plan.warmup for plan in spec.benchmarks)
    trials = blocks * len(spec.combinations)
    most = "At most " if any(plan.precision is not None for plan in spec.benchmarks) else ""
    lines.append(f"{most}{trials} trials a host, {trials * len(spec.hosts)} in all.")
    return "\n".join(lines)


def how_often(plan: BenchmarkPlan) -> str:
    """``20 blocks after 1 warm-up``, or the target."""
    if plan.precision is None:
        return f"{plan.blocks} block{'s' * (plan.blocks != 1)} after {plan.warmup} warm-up"
    own = f", within {duration(plan.budget)} of its own" if plan.budget is not None else ""
    return (
        f"{FIRST} to {plan.blocks} blocks after {plan.warmup} warm-up, "
        f"until every interval is within {100 * plan.precision:g} %{own}"
    )


def requirement_line(spec: RunSpec, required: BlockRequirement, runs: int | None = None) -> str:
    """Whether a difference that stands alone can be claimed, and where not. ``runs``: what was typed behind `--runs`."""
    if not required.comparisons:
        return "Nothing is compared: the suite has one combination."
    if not required.short:
        return (
            f"Enough to claim a difference that stands alone among {required.comparisons} comparisons: "
            f"it needs {required.blocks} blocks{_unless_budget(spec)}."
        )
    enough = f" `--runs {required.blocks}` would be enough." if runs is not None else ""
    return (
        f"A difference that stands alone among {required.comparisons} comparisons can be claimed from "
        f"{required.blocks} blocks on. {_too_few(spec, required)}: "
        f"differences there can be claimed only together with others.{enough}"
    )


def _unless_budget(spec: RunSpec) -> str:
    ruled = any(plan.precision is not None for plan in spec.benchmarks)
    budget = spec.budget is not None or any(plan.budget is not None for plan in spec.benchmarks)
    return ", unless a budget ends earlier" if ruled and budget else ""


def _too_few(spec: RunSpec, required: BlockRequirement) -> str:
    """``limits.cpu.time has 6, x and y have at least 15``, with a capital where it is no benchmark's name."""
    targets = {plan.name for plan in spec.benchmarks if plan.precision is not None}
    groups: dict[tuple[int, bool], list[str]] = {}
    for item in required.short:
        groups.setdefault((item.blocks, item.name in targets), []).append(item.name)
    text = ", ".join(
        f"{_have(names, len(spec.benchmarks))} {'at least ' if target else ''}{blocks}"
        for (blocks, target), names in sorted(groups.items())
    )
    return f"E{text[1:]}" if text.startswith("every ") else text


def _have(names: Sequence[str], of: int) -> str:
    who = some_names(names, of)
    return f"{who} has" if len(names) == 1 or who.startswith("every ") else f"{who} have"


def some_names(names: Sequence[str], of: int) -> str:
    """``a``, ``a and b``, ``13 of 34 benchmarks``, ``every benchmark``."""
    if len(names) == of and of > 1:
        return "every benchmark"
    return listed(names) if len(names) <= MOST_NAMES else f"{len(names)} of {of} benchmarks"


def duration_line(spec: RunSpec, time: Expected) -> str:
    """How long it will take, and by what: earlier runs of this lab, or typical durations on another machine."""
    by = _measured_in(spec, time)
    if not by or not time.least:
        return "Expected duration: unknown until it was run once."
    if time.most is None:
        return (
            f"Expected duration: over {about(time.least)}, {by}; "
            f"{', '.join(time.unknown)}: unknown until it was run once."
        )
    if about(time.least) == about(time.most):
        return f"Expected duration: about {about(time.most)}, {by}."
    return f"Expected duration: {about(time.least)} to {about(time.most)}, {by}."


def _measured_in(spec: RunSpec, time: Expected) -> str:
    """``by RUN, RUN``, ``by typical durations on MACHINE``, or both with the benchmarks that the second is for."""
    earlier = f"by {', '.join(time.sources)}" if time.sources else ""
    typical = f"by typical durations on {time.machine}" if time.typical else ""
    if earlier and typical:
        return f"{earlier}; {some_names(time.typical, len(spec.benchmarks))} {typical}"
    return earlier or typical
