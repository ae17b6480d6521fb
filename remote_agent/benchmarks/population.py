# SPDX-License-Identifier: Apache-2.0
"""scalability.churn.N and scalability.density.N: what N pods cost while they are there, in time and in memory."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from remote_agent.benchmarks.bench import POD_PARAMS, Bench, destroy, running
from remote_agent.benchmarks.bench import start as start_pod
from remote_agent.contract.benchmark import Benchmark, Metric

CHURN = (8,)
DENSITY = (16,)
MIB = 1 << 20


def churn(pods: int) -> Benchmark:
    """scalability.churn.N for ``pods`` = N."""

    def turn_over(bench: Bench) -> None:
        there = [running(bench) for _ in range(pods)]
        bench.observe()
        ends, starts = [], []
        for _ in range(max(1, bench.params["cycles"])):
            new = bench.pod()
            ends.append(destroy(there.pop(0)))
            starts.append(start_pod(new))
            new.await_ready()
            there.append(new)
        for pod in there:
            destroy(pod)
        cycles = [down + up for down, up in zip(ends, starts, strict=True)]
        for metric, times in (("Cycle", cycles), ("PodDestroy", ends), ("PodStart", starts)):
            bench.took(metric, round(median(times)))
        for item, took in enumerate(cycles):
            bench.took("Each", took, item)

    return Benchmark(
        name=f"scalability.churn.{pods}",
        summary=f"With {pods} pods there all the time, destroys the oldest and starts a new one, again and again.",
        primary="Cycle",
        metrics=(
            Metric("Cycle", "s", "PodDestroy and PodStart together: the median of the trial's cycles."),
            Metric("PodDestroy", "s", "Stop and removal of the oldest pod and its container: the median."),
            Metric(
                "PodStart", "s", "RunPodSandbox, CreateContainer, StartContainer of the new pod: the median."
            ),
            Metric("Each", "s", "A cycle, one after another.", per_item=True, item="cycle"),
        ),
        function=turn_over,
        source="the scalability that Espe 2019 measures, in a steady state",
        params={**POD_PARAMS, "cycles": 10},
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes, at one moment. None where this host does not tell it."""

    cgroup: int
    available: int
    shims: int | None
    daemon: int | None


def density(pods: int) -> Benchmark:
    """scalability.density.N for ``pods`` = N."""

    def weigh(bench: Bench) -> None:
        there = [running(bench)]
        before = _held(bench)
        there += [running(bench) for _ in range(pods)]
        after = _held(bench)
        for pod in there:
            destroy(pod)
        bench.sample("CgroupMemory", (after.cgroup - before.cgroup) / pods / MIB)
        bench.sample("AvailableMemory", (before.available - after.available) / pods / MIB)
        for metric, low, high in (
            ("ShimMemory", before.shims, after.shims),
            ("DaemonMemory", before.daemon, after.daemon),
        ):
            if low is not None and high is not None:
                bench.sample(metric, (high - low) / pods / MIB)

    return Benchmark(
        name=f"scalability.density.{pods}",
        summary=f"What a pod takes of the host's memory: {pods} more pods beside a first one, by four counts side by side.",
        primary="CgroupMemory",
        metrics=(
            Metric(
                "CgroupMemory",
                "MiB",
                "Growth of the pods' parent control group, by pod: processes, sandboxes, their kernel memory and page cache, and what "
                "a shim takes once the runtime has put it there (CRI-O's conmon); not containerd's shims, nor the daemon.",
            ),
            Metric(
                "AvailableMemory",
                "MiB",
                "Fall of the host's MemAvailable, by pod: all of it, and whatever else the machine did meanwhile.",
            ),
            Metric(
                "ShimMemory",
                "MiB",
                "Growth of all shims' PSS (containerd-shim, conmon), by pod; not gVisor's sandboxes, which are the pods' own.",
            ),
            Metric(
                "DaemonMemory",
                "MiB",
                "Growth of the PSS of the process that serves the CRI, by pod; it may also shrink.",
            ),
        ),
        function=weigh,
        source="memory.current of cgroups(7), MemAvailable of proc_meminfo(5), PSS of proc_pid_smaps(5)",
        params={**POD_PARAMS, "settle_s": 1.0},
    )


def _held(bench: Bench) -> Held:
    """After a rest: what is held only to start pods goes."""
    bench.sleep(bench.params["settle_s"])
    usage = bench.observe()
    return Held(
        bench.host.parent().memory_bytes(), bench.host.available_bytes(), usage.shim_bytes, usage.daemon_bytes
    )
