# SPDX-License-Identifier: Apache-2.0
"""Where the spread of each combination's values lies: between hosts, between runs of a host, within a run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.estimates import Measure, VarianceSplit
from orchestrator.model.samples import BlockRecord
from orchestrator.results.task import Task, counted
from orchestrator.stats.variance import components

Runs = dict[tuple[str, str], list[NDArray[np.int64]]]
"""The numbers of the blocks of each run, by (host, benchmark)."""


def variance_splits(task: Task, blocks: Sequence[BlockRecord]) -> Iterator[VarianceSplit]:
    """One of each primary metric and combination that several hosts, or several runs of a host, have values of."""
    runs = _runs(blocks)
    for measure in task.measures:
        for combination in task.spec.combinations if measure.primary else ():
            split = _split(task, measure, combination.name, runs)
            if split is not None:
                yield split


def _runs(blocks: Sequence[BlockRecord]) -> Runs:
    numbers: dict[tuple[str, str], dict[str, list[int]]] = {}
    for block in blocks:
        numbers.setdefault((block.host, block.benchmark), {}).setdefault(block.run, []).append(block.number)
    return {
        where: [np.array(each, dtype=np.int64) for each in found.values()] for where, found in numbers.items()
    }


def _split(task: Task, measure: Measure, combination: str, runs: Runs) -> VarianceSplit | None:
    logs = []
    for host in task.spec.hosts:
        if not host.imported:
            series = task.values.get((host.name, measure.benchmark, measure.metric, combination))
            numbers, values = counted(series)
            if (values <= 0).any():
                return None
            logs.append(_by_run(numbers, np.log(values), runs.get((host.name, measure.benchmark), [])))
    found = components(logs)
    if found is None:
        return None
    having = [[run for run in each if len(run)] for each in logs]
    return VarianceSplit(
        benchmark=measure.benchmark,
        metric=measure.metric,
        combination=combination,
        hosts=sum(bool(each) for each in having),
        runs=sum(map(len, having)),
        values=sum(len(run) for each in having for run in each),
        between_hosts=found.hosts,
        between_runs=found.runs,
        within=found.within,
        zeroed=found.zeroed,
    )


def _by_run(
    numbers: NDArray[np.int64], logs: NDArray[np.float64], runs: Sequence[NDArray[np.int64]]
) -> list[NDArray[np.float64]]:
    """One run where nothing tells of several."""
    return [logs[np.isin(numbers, run)] for run in runs] if len(runs) > 1 else [logs]
