# SPDX-License-Identifier: Apache-2.0
"""One short call, made several times in a trial: its median is the trial's number, each is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from remote_agent.benchmarks.bench import Bench
from remote_agent.contract.benchmark import Metric

CALLS: Mapping[str, Any] = {"calls": 10}
EACH = "Each"


def repeated(bench: Bench, metric: str, call: Callable[[], int]) -> None:
    """One call that warms up and is not kept, then ``calls`` of them. ``call`` gives its ns."""
    call()
    times = [call() for _ in range(max(1, bench.params["calls"]))]
    bench.took(metric, round(median(times)))
    for item, took in enumerate(times):
        bench.took(EACH, took, item)


def repeated_metrics(name: str, timed: str) -> tuple[Metric, Metric]:
    """The two that `repeated` records; ``timed`` is a sentence."""
    return (
        Metric(name, "s", f"{timed} The median of the trial's calls, after one that is not counted."),
        Metric(EACH, "s", "The same, call by call.", per_item=True, item="call"),
    )
