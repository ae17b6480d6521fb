# SPDX-License-Identifier: Apache-2.0
"""operations.sandbox: a pod in which no container is ever made."""

from __future__ import annotations

from remote_agent.benchmarks.bench import POD_PARAMS, Bench
from remote_agent.contract.benchmark import Benchmark, Metric


def lifecycle(bench: Bench) -> None:
    """One sandbox: made, stopped, removed."""
    pod = bench.pod()
    run = pod.run_sandbox()
    bench.observe()
    stop, remove = pod.stop_sandbox(), pod.remove_sandbox()
    bench.took("RunPodSandbox", run)
    bench.took("StopPodSandbox", stop)
    bench.took("RemovePodSandbox", remove)
    bench.took("Whole", run + stop + remove)


LIFECYCLE = Benchmark(
    name="operations.sandbox.lifecycle",
    summary="Makes a pod without a container, stops it and removes it; every CRI call is timed by itself.",
    primary="Whole",
    metrics=(
        Metric("Whole", "s", "The sum of RunPodSandbox, StopPodSandbox, RemovePodSandbox."),
        Metric("RunPodSandbox", "s", "From the call to the reply: sandbox, network namespace and CNI."),
        Metric(
            "StopPodSandbox", "s", "From the call to the reply: the sandbox ends, its network is torn down."
        ),
        Metric("RemovePodSandbox", "s", "From the call to the reply."),
    ),
    function=lifecycle,
    source="CRI; critest's pod benchmark",
    params=POD_PARAMS,
)
