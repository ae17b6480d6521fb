# SPDX-License-Identifier: Apache-2.0
"""Combinations against the baseline, paired by block. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.estimates import Measure, Pair
from orchestrator.model.interval import Interval
from orchestrator.results.task import Counted, Task, Without, counted
from orchestrator.results.touchstone import NO_BLOCKS
from orchestrator.stats import paired
from orchestrator.stats.median import FEWEST
from orchestrator.stats.paired import signed_rank_estimate, signed_rank_p
from remote_agent.contract.benchmark import Better


def estimated_pairs(task: Task, without: Without | None = None) -> Iterator[Pair]:
    """All pairs; or, ``without`` some blocks, those of the hosts that have any of them."""
    affected = None if without is None else {host for host, _ in without}
    for measure in task.measures:
        for host in task.spec.hosts if not measure.per_item else ():
            where = (host.name, measure.benchmark)
            if where not in task.asked or (affected is not None and host.name not in affected):
                continue
            left_out = (without or {}).get(where, frozenset())
            base = counted(task.values.get((*where, measure.metric, task.spec.baseline)), left_out)
            for combination in task.spec.combinations:
                if combination.name == task.spec.baseline:
                    continue
                if host.imported:
                    yield _no_pair(host.name, measure, combination.name, 0, NO_BLOCKS)
                    continue
                other = counted(task.values.get((*where, measure.metric, combination.name)), left_out)
                yield _pair(host.name, measure, combination.name, base, other)


def _no_pair(host: str, measure: Measure, combination: str, pairs: int, reason: str) -> Pair:
    where = (host, measure.benchmark, measure.metric, combination)
    return Pair(*where, pairs, None, None, None, None, None, reason)


def log_ratios(
    task: Task, host: str, measure: Measure, combination: str, without: Without | None = None
) -> NDArray[np.float64]:
    """The paired differences of one host, log scale, above 0 is worse; of a pair that has a ratio."""
    key = (host, measure.benchmark, measure.metric)
    left_out = (without or {}).get(key[:2], frozenset())
    base, other = (
        counted(task.values.get((*key, name)), left_out) for name in (task.spec.baseline, combination)
    )
    _, here, there = np.intersect1d(base[0], other[0], assume_unique=True, return_indices=True)
    return _logs(measure, base[1][here], other[1][there])


def paired_logs(measure: Measure, ours: Counted, theirs: Counted) -> NDArray[np.float64]:
    """``theirs`` to ``ours`` by block, log scale, above 0 is worse; none where a value has no logarithm."""
    _, here, there = np.intersect1d(ours[0], theirs[0], assume_unique=True, return_indices=True)
    mine, others = ours[1][here], theirs[1][there]
    return np.empty(0) if (mine <= 0).any() or (others <= 0).any() else _logs(measure, mine, others)


def _logs(measure: Measure, ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    sign = -1.0 if measure.better == Better.HIGHER.value else 1.0
    return sign * paired.log_ratios(ours, theirs)


def _pair(host: str, measure: Measure, combination: str, base: Counted, other: Counted) -> Pair:
    both, here, there = np.intersect1d(base[0], other[0], assume_unique=True, return_indices=True)
    n = len(both)
    if n == 0:
        return _no_pair(host, measure, combination, 0, "no block has both sides")
    ours, theirs = base[1][here], other[1][there]
    if (ours <= 0).any() or (theirs <= 0).any():
        return _no_pair(host, measure, combination, n, "a value of zero or below has no ratio")
    differences = _logs(measure, ours, theirs)
    estimated, (interval, equivalence) = signed_rank_estimate(differences, (0.95, 0.90))
    return Pair(
        host=host,
        benchmark=measure.benchmark,
        metric=measure.metric,
        combination=combination,
        pairs=n,
        ratio=math.exp(estimated),
        interval=_ratio(interval),
        equivalence=_ratio(equivalence),
        p=signed_rank_p(differences),
        adjusted=None,
        reason=None if n >= FEWEST else f"{n} of the {FEWEST} pairs that an interval needs",
    )


def _ratio(interval: Interval | None) -> Interval | None:
    return interval and Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
