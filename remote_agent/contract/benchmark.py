# SPDX-License-Identifier: Apache-2.0
"""How a benchmark describes itself: the catalogue that `labctl list` prints and that reports take their words from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Better(StrEnum):
    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True)
class Metric:
    """``timed`` says from where to where, in a sentence. ``per_item`` metrics have one sample an item (a pod) and trial."""

    name: str
    unit: str
    timed: str
    better: Better = Better.LOWER
    per_item: bool = False


@dataclass(frozen=True, slots=True)
class Benchmark:
    """``name`` is ``context.component.facet``. ``primary`` names the one metric that verdicts are about.

    ``function(bench)`` does one trial: it is given a `remote_agent.benchmarks.bench.Bench`, and leaves its samples there.
    ``params`` are the defaults of what a suite may set. ``quick`` replaces some of them in the profile `quick`: about a
    tenth of the thesis' work, for a first look, never set beside the thesis' numbers.
    """

    name: str
    summary: str
    primary: str
    metrics: tuple[Metric, ...]
    function: Callable[[Any], None]
    source: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)

    def metric(self, name: str) -> Metric:
        """The metric of that name. Raises KeyError."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)
