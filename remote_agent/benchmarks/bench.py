# SPDX-License-Identifier: Apache-2.0
"""What a benchmark's function is given: pods whose calls are timed, parameters, and a place for its samples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from remote_agent.benchmarks.reach import (
    BenchError,
    Cancelled,
    Host,
    Images,
    NotSupported,
    Pod,
    Shape,
    Usage,
)
from remote_agent.contract.benchmark import Benchmark
from remote_agent.contract.journal import Sample

IMAGE = "localhost/labctl/busybox:1"
"""What the containers run: on every host before a run begins, pulled from nowhere."""

READY = "ready"
SCRIPT = f"trap 'exit 0' TERM; echo {READY}; while :; do sleep 3600 & wait; done"

POD_PARAMS: Mapping[str, Any] = {
    "image": IMAGE,
    "command": ["/bin/sh", "-c", SCRIPT],
    "ready": READY,
    "stop_timeout_s": 10,
}
"""Defaults of every benchmark that makes pods. The command ends at once on TERM, so that the stop timeout is never
reached; a trial in which it is reached counts as failed. As process 1 it would lose a TERM that comes before its trap is
set (and `sleep` ignores it for good: RUNTIMES.md), so it says in its log when it may be stopped, and is waited for,
untimed. ``ready`` is that line; empty for a command that needs no waiting."""

PER_SECOND = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds in each unit of time that a metric may have."""

DEFAULT = Shape()


class Bench:
    """One trial's. What ``host`` makes carries the trial's labels: clean-up finds it, also after a crash."""

    def __init__(
        self,
        benchmark: Benchmark,
        params: Mapping[str, Any],
        host: Host,
        clock: Callable[[], int],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.params = params
        self.host = host
        self.clock = clock
        """The host's CLOCK_MONOTONIC in ns, for what spans several calls."""
        self.sleep = sleep
        """Waits so many seconds; never while something is timed, unless the wait is part of what is measured."""
        self.usage: Usage | None = None
        """What the runtime itself cost when `observe` was called last."""
        self._benchmark = benchmark
        self._made: list[Pod] = []
        self._samples: list[Sample] = []

    @property
    def samples(self) -> tuple[Sample, ...]:
        return tuple(self._samples)

    @property
    def made(self) -> tuple[Pod, ...]:
        """Every pod that was asked for, in order."""
        return tuple(self._made)

    @property
    def images(self) -> Images:
        return self.host.images

    def pod(self, shape: Shape = DEFAULT) -> Pod:
        """A new pod with all its requests built; nothing is called yet."""
        pod = self.host.pod(len(self._made), shape)
        self._made.append(pod)
        return pod

    def observe(self) -> Usage:
        """See what the runtime costs while the pods are there. Call it once a trial, outside everything that is timed."""
        self.usage = self.host.usage()
        return self.usage

    def sample(self, metric: str, value: float, item: int | None = None) -> None:
        """Record ``value`` in the metric's own unit. Raises BenchError: not declared, not finite, item missing or amiss."""
        try:
            declared = self._benchmark.metric(metric)
        except KeyError:
            raise BenchError(f"{self._benchmark.name} records {metric}, which it does not declare.") from None
        if declared.per_item != (item is not None):
            raise BenchError(f"{self._benchmark.name}: {metric} has {'no ' if item is None else 'an '}item.")
        if not math.isfinite(value):
            raise BenchError(f"{self._benchmark.name}: {metric} is {value}, which is no measurement.")
        self._samples.append(Sample(metric, value, declared.unit, item))

    def sleep_until(self, moment_ns: int) -> None:
        """Wait for a moment of the clock; not at all where it is past."""
        left = moment_ns - self.clock()
        if left > 0:
            self.sleep(left / 1e9)

    def took(self, metric: str, nanoseconds: int, item: int | None = None) -> None:
        """Record a time in the metric's unit."""
        every = self._benchmark.all_metrics
        unit = next((declared.unit for declared in every if declared.name == metric), "s")
        self.sample(metric, nanoseconds / PER_SECOND.get(unit, 10**9), item)


def running(bench: Bench, shape: Shape = DEFAULT) -> Pod:
    """A new pod that is up and may be stopped; nothing of it is timed."""
    pod = bench.pod(shape)
    start(pod)
    pod.await_ready()
    return pod


def start(pod: Pod) -> int:
    """CreateAndRun: RunPodSandbox, CreateContainer, StartContainer. The sum of the calls, in ns."""
    return pod.run_sandbox() + pod.create() + pod.start()


def destroy(pod: Pod) -> int:
    """Destroy: StopContainer, RemoveContainer, StopPodSandbox, RemovePodSandbox. The sum of the calls, in ns."""
    return pod.stop() + pod.remove() + pod.stop_sandbox() + pod.remove_sandbox()


__all__ = [
    "IMAGE",
    "POD_PARAMS",
    "Bench",
    "BenchError",
    "Cancelled",
    "NotSupported",
    "destroy",
    "running",
    "start",
]
