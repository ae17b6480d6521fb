# SPDX-License-Identifier: Apache-2.0
"""scalability.concurrent.N: so many pods at once, a thread each. The one context in which a trial's calls overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Barrier, BrokenBarrierError

from remote_agent.benchmarks.bench import POD_PARAMS, Bench, BenchError, destroy, start
from remote_agent.benchmarks.reach import Pod
from remote_agent.contract.benchmark import Benchmark, Metric

USUAL = (1, 2, 4, 8)
MEET_S = 10.0
"""How long a thread waits for the others before any of them begins."""


def concurrent(pods: int) -> Benchmark:
    """scalability.concurrent.N for ``pods`` = N."""

    def crowd(bench: Bench) -> None:
        made = [bench.pod() for _ in range(pods)]
        starts = at_once(made, start, bench.clock)
        for pod in made:
            pod.await_ready()
        bench.observe()
        ends = at_once(made, destroy, bench.clock)
        for metric, own, spans in (
            ("TotalTime", "PodStart", starts),
            ("TotalDestruction", "PodDestroy", ends),
        ):
            first = min(begin for begin, _ in spans)
            bench.took(metric, max(end for _, end in spans) - first)
            bench.took(own, round(median(end - begin for begin, end in spans)))
        first = min(begin for begin, _ in starts)
        for item, end in enumerate(sorted(end for _, end in starts)):
            bench.took("Started", end - first, item)

    return Benchmark(
        name=f"scalability.concurrent.{pods}",
        summary=_summary(pods),
        primary="TotalTime",
        metrics=(
            Metric(
                "TotalTime",
                "s",
                "From the first RunPodSandbox to the last StartContainer; all threads begin at a barrier.",
            ),
            Metric(
                "TotalDestruction",
                "s",
                "From the first StopContainer to the last RemovePodSandbox, likewise.",
            ),
            Metric(
                "PodStart",
                "s",
                "A pod's own RunPodSandbox, CreateContainer and StartContainer: the median of the pods.",
            ),
            Metric(
                "PodDestroy",
                "s",
                "A pod's own stop and removal, and its container's: the median of the pods.",
            ),
            Metric(
                "Started",
                "s",
                "From the first RunPodSandbox until k pods run, whichever they are.",
                per_item=True,
                item="start",
            ),
        ),
        function=crowd,
        source="critest's podsNumberParallel and containersNumberParallel, with no sample lost",
        params=POD_PARAMS,
    )


def _summary(pods: int) -> str:
    if pods == 1:
        return "Starts and destroys one pod of one container, in a thread: what 2, 4 and 8 at once are to be set beside."
    return f"Starts {pods} pods of one container at once, then destroys all of them at once."


def at_once(
    pods: Sequence[Pod], work: Callable[[Pod], int], clock: Callable[[], int]
) -> list[tuple[int, int]]:
    """``work`` on every pod, each in a thread of its own, all let go at one barrier; when each began and ended.

    Waits for all of them. Raises what the first pod that failed raised.
    """
    barrier = Barrier(len(pods))

    def one(pod: Pod) -> tuple[int, int]:
        try:
            barrier.wait(MEET_S)
        except BrokenBarrierError:
            raise BenchError(f"{len(pods)} threads could not begin at once within {MEET_S:.0f} s.") from None
        begin = clock()
        work(pod)
        return begin, clock()

    with ThreadPoolExecutor(len(pods), "labctl-pod") as threads:
        return [done.result() for done in [threads.submit(one, pod) for pod in pods]]
