# SPDX-License-Identifier: Apache-2.0
"""The estimate so far of the benchmark that is under way, for those who watch: no claim, and nothing is decided by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from orchestrator.model.stopping import Standing
from orchestrator.stats.median import median_interval
from orchestrator.stats.paired import hodges_lehmann, log_ratios, signed_rank_interval
from remote_agent.contract.benchmark import Better, Metric


@dataclass(frozen=True, slots=True)
class SoFar:
    """``what``: "ratio" (to the baseline, above 1 is worse) or "median" (in the metric's unit), of ``n`` pairs or values.

    ``low``, ``high``: its 95 % interval; None: there are too few for one.
    """

    combination: str
    what: str
    n: int
    value: float
    low: float | None
    high: float | None


def so_far(metric: Metric, baseline: str, standing: Standing) -> dict[str, Any] | None:
    """{"metric", "unit", "of": [SoFar]}: ratios; medians where nothing can be compared. None: no value yet."""
    found = _ratios(metric, baseline, standing) or _medians(standing)
    if not found:
        return None
    return {"metric": metric.name, "unit": metric.unit, "of": [asdict(one) for one in found]}


def _ratios(metric: Metric, baseline: str, standing: Standing) -> list[SoFar]:
    base, sign = standing.values.get(baseline, {}), -1 if metric.better is Better.HIGHER else 1
    others = {name: values for name, values in standing.values.items() if name != baseline}
    made = (_ratio(name, base, values, sign) for name, values in others.items())
    return sorted((one for one in made if one is not None), key=lambda one: one.combination)


def _ratio(name: str, base: Mapping[int, float], other: Mapping[int, float], sign: int) -> SoFar | None:
    both = [block for block in sorted(base.keys() & other.keys()) if base[block] > 0 and other[block] > 0]
    if not both:
        return None
    logs = sign * log_ratios([base[block] for block in both], [other[block] for block in both])
    interval = signed_rank_interval(logs)
    low, high = (math.exp(interval.low), math.exp(interval.high)) if interval else (None, None)
    return SoFar(name, "ratio", len(both), math.exp(hodges_lehmann(logs)), low, high)


def _medians(standing: Standing) -> list[SoFar]:
    return [_median(name, values) for name, values in sorted(standing.values.items()) if values]


def _median(name: str, values: Mapping[int, float]) -> SoFar:
    array = np.array([values[block] for block in sorted(values)])
    interval = median_interval(array)
    low, high = (interval.low, interval.high) if interval else (None, None)
    return SoFar(name, "median", len(array), float(np.median(array)), low, high)
