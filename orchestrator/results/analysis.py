# SPDX-License-Identifier: Apache-2.0
"""Samples to estimates: what STATISTICS.md says, applied to a whole run. Pure.

task          what counts: warm-up never, and without flagged blocks where that is asked
cells         medians, one combination at a time
pairing       ratios to the baseline, paired by block
across        ratios over machines, and what may be said of them
discoveries   one correction over all comparisons of the report
judging       what may be said of the hosts' pairs
ranking       which combination is the fastest
spread        where the variance lies
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.model.estimates import Contamination, Estimates, FlaggedBlock, Measure, Settings
from orchestrator.model.ranking import Ranking
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import BlockRecord, HostRecord, Series, TrialCount
from orchestrator.results.across import Compared, compared, fleet_estimates, fleet_sentence
from orchestrator.results.cells import estimated_cells, estimated_curves
from orchestrator.results.contamination import flagged_blocks
from orchestrator.results.discoveries import corrected
from orchestrator.results.judging import Judgement, changed, judge, judged
from orchestrator.results.knees import knees
from orchestrator.results.notices import notices
from orchestrator.results.pairing import estimated_pairs
from orchestrator.results.ranking import changed_rankings, ranked
from orchestrator.results.shortage import too_few_blocks
from orchestrator.results.spread import variance_splits
from orchestrator.results.task import Task, Without
from orchestrator.stats.sentences import family_sentence
from orchestrator.stats.verdict import say_only
from remote_agent.contract.benchmark import Benchmark, Better, Metric

ALPHA, MARGIN = 0.05, 0.05


@dataclass(frozen=True, slots=True)
class Merged:
    """What the merge of a run left behind. ``asked`` is how many blocks of a benchmark a host was to do: () in the spec's words."""

    series: tuple[Series, ...]
    trials: tuple[TrialCount, ...]
    hosts: tuple[HostRecord, ...]
    sources: Mapping[str, str]
    blocks: tuple[BlockRecord, ...] = ()
    asked: Mapping[tuple[str, str], int] = field(default_factory=dict)


def estimate(spec: RunSpec, merged: Merged, catalogue: Mapping[str, Benchmark]) -> Estimates:
    """Everything that may be said of the run. ``catalogue`` maps benchmarks' names to what they declare."""
    values = {(s.host, s.benchmark, s.metric, s.combination): s for s in merged.series}
    measures = tuple(_measures(spec, merged.series, catalogue))
    settings = Settings(ALPHA, MARGIN)
    curves = tuple(estimated_curves(measures, merged.series))
    task = Task(spec, measures, values, merged.trials, settings, merged.asked or _asked(spec))
    pairs = tuple(estimated_pairs(task))
    across = compared(task, pairs)
    judgement = judge(task, pairs, across)
    rankings = tuple(ranked(task))
    contamination = _contamination(task, judgement, across, rankings, merged)
    return Estimates(
        run=spec.id,
        settings=settings,
        sources=merged.sources,
        measures=measures,
        hosts=merged.hosts,
        trials=merged.trials,
        cells=tuple(estimated_cells(task)),
        pairs=judgement.found.pairs,
        curves=curves,
        knees=tuple(knees(measures, curves)),
        fleet=tuple(fleet_estimates(task, across)),
        fleet_sentence=fleet_sentence(spec, across),
        family=judgement.found.family,
        family_sentence=family_sentence(judgement.found.family),
        verdicts=(*judgement.fleet, *judgement.hosts),
        notices=(
            *too_few_blocks(judgement.hosts, judgement.found.family),
            *notices(spec, merged.hosts, merged.trials, contamination),
        ),
        contamination=contamination,
        rankings=rankings,
        variances=tuple(variance_splits(task, merged.blocks)),
    )


def _asked(spec: RunSpec) -> Mapping[tuple[str, str], int]:
    return {(host.name, plan.name): plan.blocks for host in spec.hosts for plan in spec.benchmarks}


def _measures(
    spec: RunSpec, series: Sequence[Series], catalogue: Mapping[str, Benchmark]
) -> Iterator[Measure]:
    """The metrics that have samples, and every primary one: the family is what was declared, not what came out."""
    for plan in spec.benchmarks:
        known = catalogue.get(plan.name)
        declared = {metric.name: metric for metric in known.all_metrics} if known else {}
        sampled = {one.metric: one for one in series if one.benchmark == plan.name}
        primary = known.primary if known else None
        for name in dict.fromkeys((*declared, *sampled)):
            if name in sampled or name == primary:
                yield _measure(plan.name, name, declared.get(name), sampled.get(name), name == primary)


def _measure(
    benchmark: str, name: str, declared: Metric | None, sampled: Series | None, primary: bool
) -> Measure:
    unit = sampled.unit if sampled else declared.unit if declared else ""
    return Measure(
        benchmark=benchmark,
        metric=name,
        unit=unit,
        better=(declared.better if declared else Better.LOWER).value,
        primary=primary,
        per_item=sampled.items is not None if sampled else declared is not None and declared.per_item,
        timed=declared.timed if declared else "",
        item=declared.item if declared else "pod",
    )


def _contamination(
    task: Task,
    judgement: Judgement,
    across: Sequence[Compared],
    rankings: Sequence[Ranking],
    merged: Merged,
) -> Contamination | None:
    """The hosts' estimates once more without the flagged blocks; None where no block is flagged.

    What is said across machines is not made anew, and keeps its place in the family.
    """
    flagged = flagged_blocks(merged.blocks, merged.hosts)
    if not flagged:
        return None
    without = _left_out(flagged)
    affected = {host for host, _ in without}
    clean = tuple(estimated_pairs(task, without))
    unaffected = [pair for pair in judgement.found.pairs if pair.host not in affected]
    found = corrected(task, (*clean, *unaffected), across)
    other = say_only(tuple(judged(task, found, without)))
    return Contamination(
        flagged=flagged,
        counted=sum(not block.warmup for block in merged.blocks),
        cells=tuple(estimated_cells(task, without)) if without else (),
        pairs=found.pairs[: len(clean)],
        verdicts=tuple(verdict for verdict in other if verdict.where in affected),
        changes=(
            *changed(judgement.hosts, other),
            *changed_rankings(rankings, tuple(ranked(task, without))),
        ),
    )


def _left_out(flagged: Sequence[FlaggedBlock]) -> Without:
    numbers: dict[tuple[str, str], set[int]] = {}
    for block in flagged:
        if not block.warmup:
            numbers.setdefault((block.host, block.benchmark), set()).add(block.number)
    return {where: frozenset(found) for where, found in numbers.items()}
