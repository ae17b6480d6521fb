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
    """``timed`` says from where to where, in a sentence. ``per_item`` metrics have one sample an item and trial.

    ``item`` is the word for such an item: pods in the order of their starts, or something else that is counted (``call``).
    """

    name: str
    unit: str
    timed: str
    better: Better = Better.LOWER
    per_item: bool = False
    item: str = "pod"


ACCOMPANYING = (
    Metric(
        "Floor", "ms", "A Version call on the same channel just before: what any call costs (median of five)."
    ),
    Metric(
        "DaemonCPU", "s", "CPU time of the process that serves the CRI, from the trial's start to its end."
    ),
    Metric(
        "ServiceCPU",
        "s",
        "CPU time of the daemon's control group: daemon, shims, CNI plugins and OCI runtime calls, over the same time.",
    ),
    Metric(
        "ShimCPU",
        "s",
        "CPU time of all shims (containerd-shim, conmon) together, from their start until the pods are up.",
    ),
    Metric("DaemonPSS", "MiB", "Memory of the process that serves the CRI while the pods are there (PSS)."),
    Metric(
        "ShimPSS",
        "MiB",
        "Memory of all shims (containerd-shim, conmon) together while the pods are there (PSS).",
    ),
)
"""What is recorded beside the metrics of every benchmark; a host that cannot tell one of them leaves it out."""


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

    @property
    def all_metrics(self) -> tuple[Metric, ...]:
        """Its own, and those that accompany every benchmark."""
        return (*self.metrics, *ACCOMPANYING)

    def metric(self, name: str) -> Metric:
        """The metric of that name. Raises KeyError."""
        for metric in self.all_metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)
