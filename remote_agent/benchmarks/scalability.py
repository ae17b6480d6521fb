# SPDX-License-Identifier: Apache-2.0
"""scalability: many pods on one host, one after another."""

from __future__ import annotations

from remote_agent.benchmarks.bench import POD_PARAMS, Bench, destroy, start
from remote_agent.contract.benchmark import Benchmark, Metric

USUAL = (5, 10, 50)
"""The thesis' numbers of pods."""


def runtime(pods: int) -> Benchmark:
    """scalability.runtime.N for ``pods`` = N."""

    def scale(bench: Bench) -> None:
        made = [bench.pod() for _ in range(pods)]
        begin = bench.clock()
        starts = [start(pod) for pod in made]
        starting = bench.clock() - begin
        for pod in made:
            pod.await_ready()
        bench.observe()
        begin = bench.clock()
        ends = [destroy(pod) for pod in made]
        bench.took("TotalTime", starting)
        bench.took("TotalWithDestruction", starting + bench.clock() - begin)
        for item, (up, down) in enumerate(zip(starts, ends, strict=True)):
            bench.took("PodStart", up, item)
            bench.took("PodDestroy", down, item)

    return Benchmark(
        name=f"scalability.runtime.{pods}",
        summary=f"Starts {pods} pods of one container one after another, then destroys them one after another.",
        primary="TotalTime",
        metrics=(
            Metric(
                "TotalTime",
                "s",
                f"From the first pod's RunPodSandbox to the last of {pods} pods' StartContainer (Touchstone's number).",
            ),
            Metric(
                "TotalWithDestruction",
                "s",
                "TotalTime, and from the first pod's StopContainer to the last RemovePodSandbox (what the thesis' text says).",
            ),
            Metric(
                "PodStart", "s", "RunPodSandbox, CreateContainer and StartContainer of pod k.", per_item=True
            ),
            Metric("PodDestroy", "s", "Stop and removal of pod k and its container.", per_item=True),
        ),
        function=scale,
        source="Espe 2019, scalability.runtime; Touchstone",
        params=POD_PARAMS,
    )
