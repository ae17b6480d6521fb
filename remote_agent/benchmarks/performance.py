# SPDX-License-Identifier: Apache-2.0
"""performance: what work costs inside a container, as sysbench 1.0 times it there.

A trial is one container that runs sysbench as its process and ends by itself. What is timed is sysbench's own clock, from
its first event to its last: no CRI call, no start of a program is in it. Files are made in the container's root file system
(its writable layer), and nothing drops the page cache: see `READ`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from remote_agent.benchmarks import sysbench
from remote_agent.benchmarks.bench import Bench
from remote_agent.contract.benchmark import Benchmark, Metric

SOURCE = "Espe 2019, {}; Touchstone (sysbench 0.4 there, 1.0 here)"
COMMON: Mapping[str, Any] = {"image": sysbench.IMAGE, "timeout_s": 1800}
"""``timeout_s``: a container that has not ended by then fails its trial."""

CPU_PARAMS: Mapping[str, Any] = {**COMMON, "max_prime": 20_000, "events": 10_000}
MEMORY_PARAMS: Mapping[str, Any] = {**COMMON, "block_size": "1M", "total_size": "100G"}
DISK_PARAMS: Mapping[str, Any] = {**COMMON, "file_mib": 2048, "requests": 10_000}
QUICK_MEMORY = {"total_size": "10G"}
QUICK_DISK = {"file_mib": 204, "requests": 1_000}
"""204 MiB are 128 files of whole requests of 16 KiB each, as 2048 MiB are."""


def cpu_time(bench: Bench) -> None:
    command = sysbench.cpu(bench.params["max_prime"], bench.params["events"])
    bench.sample("TotalTime", sysbench.execute(bench, {"TotalTime": command})["TotalTime"].total_s)


def memory(*metrics: str) -> Callable[[Bench], None]:
    """The three memory benchmarks do the same work; each is a container of its own, as in the thesis."""

    def function(bench: Bench) -> None:
        command = sysbench.memory(bench.params["block_size"], bench.params["total_size"])
        result = sysbench.execute(bench, {"memory": command})["memory"]
        told = {
            "TotalTime": result.total_s,
            "AvgLatency": result.fine_avg_ms,
            "MinLatency": result.min_ms,
            "MaxLatency": result.max_ms,
        }
        for metric in metrics:
            bench.sample(metric, told[metric])

    return function


def disk_read(bench: Bench) -> None:
    """One container: makes the files, reads them in order, then at random places."""
    mib, requests = bench.params["file_mib"], bench.params["requests"]
    modes = {"SeqRead": sysbench.sequential("seqrd", mib), "RndRead": sysbench.random_reads(mib, requests)}
    _record(bench, sysbench.execute(bench, modes, first=sysbench.prepare(mib)))


def disk_write(bench: Bench) -> None:
    """One container: writes the files in order (which makes them), in order once more, then at random places."""
    mib, requests = bench.params["file_mib"], bench.params["requests"]
    modes = {
        "SeqWrite": sysbench.sequential("seqwr", mib),
        "SeqRewrite": sysbench.sequential("seqrewr", mib),
        "RndWrite": sysbench.random_writes(mib, requests),
    }
    _record(bench, sysbench.execute(bench, modes))


def _record(bench: Bench, results: Mapping[str, sysbench.Result]) -> None:
    for metric, result in results.items():
        bench.sample(metric, result.total_s)


CPU_TIME = Benchmark(
    name="performance.cpu.time",
    summary="Computes all primes up to max_prime, events times over, in one thread of a container without limits.",
    primary="TotalTime",
    metrics=(Metric("TotalTime", "s", "From sysbench's first event to its last, by its own clock."),),
    function=cpu_time,
    source=SOURCE.format("performance.cpu.time"),
    params=CPU_PARAMS,
    quick={"events": 1_000},
)

MEMORY_TOTAL = Benchmark(
    name="performance.memory.total",
    summary="Writes total_size through one buffer of block_size, in one thread.",
    primary="TotalTime",
    metrics=(
        Metric("TotalTime", "s", "From sysbench's first event (a block) to its last, by its own clock."),
    ),
    function=memory("TotalTime"),
    source=SOURCE.format("performance.memory.total"),
    params=MEMORY_PARAMS,
    quick=QUICK_MEMORY,
)

MEMORY_MINAVG = Benchmark(
    name="performance.memory.minavglatency",
    summary="The same work as performance.memory.total: what one block takes, on average and at the least.",
    primary="AvgLatency",
    metrics=(
        Metric(
            "AvgLatency",
            "ms",
            "One block from its start to its end: sysbench's sum of all blocks' times by their number "
            "(the average that it prints has two decimals only).",
        ),
        Metric("MinLatency", "ms", "The fastest block, as sysbench prints it: in steps of 0.01 ms."),
    ),
    function=memory("AvgLatency", "MinLatency"),
    source=SOURCE.format("performance.memory.minavglatency"),
    params=MEMORY_PARAMS,
    quick=QUICK_MEMORY,
)

MEMORY_MAX = Benchmark(
    name="performance.memory.maxlatency",
    summary="The same work as performance.memory.total: its slowest block, which is the machine's noise as well.",
    primary="MaxLatency",
    metrics=(Metric("MaxLatency", "ms", "The slowest block, as sysbench prints it: in steps of 0.01 ms."),),
    function=memory("MaxLatency"),
    source=SOURCE.format("performance.memory.maxlatency"),
    params=MEMORY_PARAMS,
    quick=QUICK_MEMORY,
)

READ = Benchmark(
    name="performance.disk.read",
    summary="Reads 128 files of file_mib together, that the same container has just written and synced, in its own root "
    "file system: where memory holds them, from the page cache, as in the thesis. It is the runtime's file path that "
    "is measured then, not the disk.",
    primary="SeqRead",
    metrics=(
        Metric(
            "SeqRead", "s", "From the first request to the last: every 16 KiB of the files once, in order."
        ),
        Metric("RndRead", "s", "From the first to the last of as many 16 KiB requests at random places."),
    ),
    function=disk_read,
    source=SOURCE.format("performance.disk.read"),
    params=DISK_PARAMS,
    quick=QUICK_DISK,
)
"""SeqRead is its primary metric: ten times as long as RndRead in the thesis, so that the same noise weighs less."""

WRITE = Benchmark(
    name="performance.disk.write",
    summary="Writes 128 files of file_mib together in the container's own root file system: through the page cache, and to "
    "the disk where a metric says that it is synced and the runtime lets a sync through.",
    primary="SeqWrite",
    metrics=(
        Metric("SeqWrite", "s", "From the first request to the sync at the end: new files, in order."),
        Metric("SeqRewrite", "s", "The same over the files that SeqWrite has left."),
        Metric(
            "RndWrite",
            "s",
            "As many 16 KiB requests at random places of the same files; every 100 of them all files are synced.",
        ),
    ),
    function=disk_write,
    source=SOURCE.format("performance.disk.write"),
    params=DISK_PARAMS,
    quick=QUICK_DISK,
)
"""SeqWrite is its primary metric: RndWrite, the longest, is nearly all syncs, and syncs are what the runtimes differ in by
decision: today's CRI-O mounts a container's root as a volatile overlay, where a sync does nothing, and gVisor keeps the
writable layer in a file of its own that it does not sync. SeqWrite has one sync, at its end.
"""

ALL = (CPU_TIME, MEMORY_TOTAL, MEMORY_MINAVG, MEMORY_MAX, READ, WRITE)
