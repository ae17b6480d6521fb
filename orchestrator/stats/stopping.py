# SPDX-License-Identifier: Apache-2.0
"""When is it enough? STATISTICS.md, "Stopping". Pure: what the journals hold goes in, how far a host may go comes out.

A benchmark with a fixed count gets it. One with a precision target gets FIRST counted blocks, then BATCH after BATCH, at
most MOST, until the half-width of every primary interval is <= ln(1 + precision) on the log scale. Those are the paired
Hodges-Lehmann intervals (95 %) of each combination against the baseline; where nothing can be compared (one combination, or
a baseline without samples), the medians' own. A combination that has given no sample so far is not waited for, and its
comparison is not counted: a handler that is not supported would else cost all MOST blocks. Where no combination gives a
sample, FIRST blocks are enough to know (UNMEASURED). No rule looks at a p value, nor at whether an interval excludes 1:
to stop because something became significant makes 14-24 % false positives.

A budget is seconds of work on one host: its trials and their clean-up, warm-up included, by its own clock as its journal
has it; not the turns of its neighbours, and not a time for which it was away. A benchmark with a budget of its own has
that. The others share the run's: each, in the order of execution, may use what is left of it divided by the number of
benchmarks that share it and are not done, itself included; so one that is done early leaves more to those behind it, and
none can starve them. A block is begun only where it fits, by the mean of this benchmark's blocks so far; the first one is
begun wherever anything is left. Of the blocks that fit half are granted at a time, so that blocks that turn out slower than
the mean cost the budget little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from orchestrator.model.interval import Interval
from orchestrator.model.run import BenchmarkPlan, RunSpec
from orchestrator.model.stopping import BATCH, FIRST, Goal, Halt, Standing, StopReason
from orchestrator.stats.median import median_interval
from orchestrator.stats.paired import log_ratios, signed_rank_interval

NOTHING = Standing()


def goal(spec: RunSpec, standings: Mapping[str, Standing]) -> Goal:
    """How far one host may go, given where its benchmarks stand. Benchmarks behind an undecided one wait for it.

    It may be asked whenever everything that was granted is done: the same standings give the same goal.
    """
    until = {plan.name: 0 for plan in spec.benchmarks}
    halts: dict[str, Halt] = {}
    left = spec.budget
    for index, plan in enumerate(spec.benchmarks):
        standing = standings.get(plan.name, NOTHING)
        allowance = _allowance(plan, left, spec.benchmarks[index:])
        decided = decide(plan, standing, spec.baseline, allowance)
        if isinstance(decided, int):
            until[plan.name] = decided
            if plan.precision is not None:
                return Goal(until, halts, final=False, firm=False)
        else:
            until[plan.name] = standing.blocks
            halts[plan.name] = decided
        if left is not None and _shares(plan):
            left = max(0.0, left - standing.seconds)
    firm = all(plan.precision is None for plan in spec.benchmarks)
    return Goal(until, halts, final=True, firm=firm)


def decide(plan: BenchmarkPlan, standing: Standing, baseline: str, allowance: float | None) -> int | Halt:
    """Go on below this number of blocks (warm-up included), or enough. ``allowance``: seconds it may use; None: any."""
    if plan.precision is None:
        total = plan.warmup + plan.blocks
        return total if standing.blocks < total else Halt(StopReason.FIXED)
    counted = standing.blocks - plan.warmup
    if counted >= FIRST and ((counted - FIRST) % BATCH == 0 or counted >= plan.blocks):
        halt = _look(plan.precision, standing, baseline)
        if halt is not None:
            return halt
    if counted >= plan.blocks:
        return Halt(StopReason.MAXIMUM, reached(standing, baseline))
    wanted = plan.warmup + min(_next_look(counted), plan.blocks)
    affordable = _affordable(standing, allowance)
    if affordable is not None and affordable <= standing.blocks:
        return Halt(StopReason.BUDGET, reached(standing, baseline))
    return wanted if affordable is None else min(wanted, affordable)


def reached(standing: Standing, baseline: str) -> float | None:
    """The half-width of the widest primary interval, as a share (0.03: 3 %). None: there is none, or one has no interval yet."""
    widths = _half_widths(standing, baseline)
    if not widths or None in widths:
        return None
    return math.expm1(max(width for width in widths if width is not None))


def _look(precision: float, standing: Standing, baseline: str) -> Halt | None:
    if not _sampled(standing):
        return Halt(StopReason.UNMEASURED)
    have = reached(standing, baseline)
    return Halt(StopReason.PRECISION, have) if have is not None and have <= precision else None


def _next_look(counted: int) -> int:
    """The number of counted blocks at which is looked next."""
    if counted < FIRST:
        return FIRST
    return FIRST + BATCH * ((counted - FIRST) // BATCH + 1)


def _shares(plan: BenchmarkPlan) -> bool:
    return plan.precision is not None and plan.budget is None


def _allowance(plan: BenchmarkPlan, left: float | None, rest: Sequence[BenchmarkPlan]) -> float | None:
    if plan.budget is not None:
        return plan.budget
    if left is None or not _shares(plan):
        return None
    return left / sum(_shares(other) for other in rest)


def _affordable(standing: Standing, allowance: float | None) -> int | None:
    """How far the allowance lets it go for now, in blocks, those that are done included; None: it sets no bound."""
    if allowance is None:
        return None
    left = allowance - standing.seconds
    if standing.blocks == 0:
        return 1 if left > 0 else 0
    each = standing.seconds / standing.blocks
    fit = math.floor(max(0.0, left) / each) if each > 0 else 1
    return standing.blocks + math.ceil(fit / 2)


def _sampled(standing: Standing) -> dict[str, Mapping[int, float]]:
    """The combinations that have given a sample, with what has a logarithm of it."""
    positive = {
        name: {block: value for block, value in values.items() if value > 0}
        for name, values in standing.values.items()
    }
    return {name: values for name, values in positive.items() if values}


def _half_widths(standing: Standing, baseline: str) -> list[float | None]:
    """Log scale, one an interval; None: too few pairs, or values, for it to exist."""
    sampled = _sampled(standing)
    base = sampled.pop(baseline, {})
    if base and sampled:
        return [_half(_paired(base, values)) for values in sampled.values()]
    return [_half(_alone(values)) for values in (base, *sampled.values()) if values]


def _half(interval: Interval | None) -> float | None:
    return None if interval is None else (interval.high - interval.low) / 2


def _paired(base: Mapping[int, float], other: Mapping[int, float]) -> Interval | None:
    both = sorted(base.keys() & other.keys())
    return signed_rank_interval(log_ratios([base[block] for block in both], [other[block] for block in both]))


def _alone(values: Mapping[int, float]) -> Interval | None:
    return median_interval(np.log(np.array([values[block] for block in sorted(values)])))
