# SPDX-License-Identifier: Apache-2.0
"""Two combinations of one run, such as a release and one's own commit: paired by block, and judged as in its report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from orchestrator.model.comparison import Change, Method
from orchestrator.model.errors import UsageError
from orchestrator.model.estimates import Measure, Pair, Settings
from orchestrator.model.run import Combination, RunSpec
from orchestrator.results.across import compared
from orchestrator.results.changed_verdicts import JudgedChanges
from orchestrator.results.judging import judge
from orchestrator.results.matching import Recorded
from orchestrator.results.pairing import estimated_pairs
from orchestrator.results.task import Task, counted


def within(run: Recorded, baseline: str, combination: str, settings: Settings) -> JudgedChanges:
    """The change from ``baseline`` to ``combination``, and what may be said of it.

    Raises UsageError: the run has not both, or they are one.
    """
    pair = _both(run.spec, baseline, combination)
    spec = replace(run.spec, baseline=baseline, combinations=pair)
    asked = {(host.name, plan.name): plan.blocks for host in spec.hosts for plan in spec.benchmarks}
    task = Task(spec, run.measures, run.values, run.trials, settings, asked)
    pairs = tuple(estimated_pairs(task))
    judgement = judge(task, pairs, compared(task, pairs))
    changes = tuple(_changes(task, judgement.found.pairs))
    return JudgedChanges(changes, (*judgement.fleet, *judgement.hosts), judgement.found.family)


def _both(spec: RunSpec, baseline: str, combination: str) -> tuple[Combination, Combination]:
    known = {one.name: one for one in spec.combinations}
    for name in (baseline, combination):
        if name not in known:
            raise UsageError(f"Run {spec.id} has no combination {name}.", f"It has: {', '.join(known)}.")
    if baseline == combination:
        others = ", ".join(name for name in known if name != baseline) or "no other one"
        raise UsageError(
            f"{baseline} is not compared with itself.", f"--with names another one; there is: {others}."
        )
    return known[baseline], known[combination]


def _changes(task: Task, pairs: Sequence[Pair]) -> list[Change]:
    measures = {(measure.benchmark, measure.metric): measure for measure in task.measures}
    machines = {host.name: host.machine for host in task.spec.hosts if not host.imported}
    return [
        _change(task, pair, measures[pair.benchmark, pair.metric], machines[pair.host])
        for pair in pairs
        if pair.host in machines
    ]


def _change(task: Task, pair: Pair, measure: Measure, machine: str) -> Change:
    return Change(
        host=pair.host,
        machine=machine,
        benchmark=pair.benchmark,
        metric=pair.metric,
        combination=pair.combination,
        unit=measure.unit,
        better=measure.better,
        primary=measure.primary,
        method=Method.PAIRED,
        a=pair.pairs,
        b=pair.pairs,
        median_a=_median(task, pair, task.spec.baseline),
        median_b=_median(task, pair, pair.combination),
        ratio=pair.ratio,
        interval=pair.interval,
        equivalence=pair.equivalence,
        p=pair.p,
        adjusted=pair.adjusted if measure.primary else None,
        reason=pair.reason,
    )


def _median(task: Task, pair: Pair, combination: str) -> float | None:
    values = counted(task.values.get((pair.host, pair.benchmark, pair.metric, combination)))[1]
    return float(np.median(values)) if len(values) else None
