# SPDX-License-Identifier: Apache-2.0
"""What changed from one run to another: two samples of every metric. Pure.

With a control (`orchestrator.results.controls`) the samples are the log ratios to it, paired within each run's own blocks, so that their
shift is a difference of differences; else they are the logs of the values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.comparison import HIGHER, Change, Method
from orchestrator.model.estimates import Measure
from orchestrator.model.interval import Interval
from orchestrator.model.run import RunHost
from orchestrator.results.matching import Common, Recorded
from orchestrator.results.task import Counted, counted
from orchestrator.stats.paired import DIGITS
from orchestrator.stats.twosample import FEWEST, rank_sum_p, shift_estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """A change, and its interval at level 1 - alpha/H, by which H machines are held to disagree.

    ``samples`` are what it was estimated from, log scale, above is worse.
    """

    change: Change
    own: Interval | None = None
    samples: tuple[Floats, Floats] | None = None

    def at(self, level: float) -> Interval | None:
        """The interval of its ratio at ``level``; None: the samples are too small for one."""
        if self.samples is None:
            return None
        return _ratio(shift_estimate(*self.samples, (level,))[1][0])


def between(
    a: Recorded, b: Recorded, both: Common, control: str | None, alpha: float
) -> tuple[tuple[Found, ...], tuple[Change, ...]]:
    """The changes of all that both runs have, and the drift: the control's own, () without one.

    What neither run has a value of is left out; what one of them lacks has a reason.
    """
    level = 1 - alpha / max(len({host.machine for host in both.hosts}), 1)
    found: list[Found] = []
    drift: list[Found] = []
    for host in both.hosts:
        for measure in both.measures:
            for combination in both.combinations:
                beside = None if combination == control else control
                one = _found(a, b, host, measure, combination, beside, level)
                if one is not None:
                    (drift if combination == control else found).append(one)
    return tuple(found), tuple(one.change for one in drift)


def _found(
    a: Recorded,
    b: Recorded,
    host: RunHost,
    measure: Measure,
    combination: str,
    control: str | None,
    level: float,
) -> Found | None:
    values = [_counted(run, host, measure, combination) for run in (a, b)]
    if not len(values[0][1]) and not len(values[1][1]):
        return None
    change = _empty(host, measure, combination, control, values)
    if control is None:
        samples = [_logs(measure, one[1]) for one in values]
    else:
        beside = [_counted(run, host, measure, control) for run in (a, b)]
        samples = [_ratios(measure, one, base) for one, base in zip(values, beside, strict=True)]
    sizes = f"{len(samples[0])} and {len(samples[1])}"
    change = replace(change, a=len(samples[0]), b=len(samples[1]))
    if not len(samples[0]) or not len(samples[1]):
        return Found(replace(change, reason=_why(change, values, control)))
    estimate, (interval, equivalence, own) = shift_estimate(samples[0], samples[1], (0.95, 0.90, level))
    change = replace(
        change,
        ratio=math.exp(estimate),
        interval=_ratio(interval),
        equivalence=_ratio(equivalence),
        p=rank_sum_p(samples[0], samples[1]),
        reason=None if interval else f"{sizes} blocks, and an interval needs {FEWEST} of each",
    )
    return Found(change, own, (samples[0], samples[1]))


def _counted(run: Recorded, host: RunHost, measure: Measure, combination: str) -> Counted:
    return counted(run.values.get((host.name, measure.benchmark, measure.metric, combination)))


def _empty(
    host: RunHost, measure: Measure, combination: str, control: str | None, values: Sequence[Counted]
) -> Change:
    medians = [float(np.median(one[1])) if len(one[1]) else None for one in values]
    return Change(
        host=host.name,
        machine=host.machine,
        benchmark=measure.benchmark,
        metric=measure.metric,
        combination=combination,
        unit=measure.unit,
        better=measure.better,
        primary=measure.primary,
        method=Method.CONTROLLED if control else Method.DIRECT,
        a=0,
        b=0,
        median_a=medians[0],
        median_b=medians[1],
    )


def _why(change: Change, values: Sequence[Counted], control: str | None) -> str:
    for label, one in zip(("A", "B"), values, strict=True):
        if not len(one[1]):
            return f"no counted trial succeeded in {label}"
    label = "B" if change.a else "A"
    if control is not None:
        return f"no block of {label} has it and {control}, both above zero"
    return f"a value of zero or below has no ratio ({label})"


def _logs(measure: Measure, values: Floats) -> Floats:
    """Log scale, above is worse; none where a value has no logarithm."""
    if (values <= 0).any():
        return np.empty(0)
    sign = -1.0 if measure.better == HIGHER else 1.0
    return np.asarray(sign * np.log(values))


def _ratios(measure: Measure, values: Counted, base: Counted) -> Floats:
    """The log ratios to the control's values, of the blocks that have both."""
    _, here, there = np.intersect1d(values[0], base[0], assume_unique=True, return_indices=True)
    ours, theirs = _logs(measure, values[1][here]), _logs(measure, base[1][there])
    return np.round(ours - theirs, DIGITS) if len(ours) == len(theirs) else np.empty(0)


def _ratio(interval: Interval | None) -> Interval | None:
    return interval and Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
