# SPDX-License-Identifier: Apache-2.0
"""operations: what one pod's life costs, call by call."""

from __future__ import annotations

from remote_agent.benchmarks.bench import POD_PARAMS, Bench
from remote_agent.contract.benchmark import Benchmark, Metric


def lifecycle(bench: Bench) -> None:
    """One pod, one container: made, run, and removed again."""
    pod = bench.pod()
    calls = {
        "RunPodSandbox": pod.run_sandbox(),
        "CreateContainer": pod.create(),
        "StartContainer": pod.start(),
    }
    pod.await_ready()
    bench.observe()
    calls |= {
        "StopContainer": pod.stop(),
        "RemoveContainer": pod.remove(),
        "StopPodSandbox": pod.stop_sandbox(),
        "RemovePodSandbox": pod.remove_sandbox(),
    }
    for metric, parts in COMPOSED.items():
        bench.took(metric, sum(calls[part] for part in parts))
    for metric, nanoseconds in calls.items():
        bench.took(metric, nanoseconds)


COMPOSED = {
    "CreateAndRun": ("RunPodSandbox", "CreateContainer", "StartContainer"),
    "Create": ("RunPodSandbox", "CreateContainer"),
    "Run": ("StartContainer",),
    "Destroy": ("StopContainer", "RemoveContainer", "StopPodSandbox", "RemovePodSandbox"),
}

LIFECYCLE = Benchmark(
    name="operations.container.lifecycle",
    summary="Makes a pod with one container, runs it and removes it again; every CRI call is timed by itself.",
    primary="CreateAndRun",
    metrics=(
        *(Metric(name, "s", f"The sum of {', '.join(calls)}.") for name, calls in COMPOSED.items()),
        Metric("RunPodSandbox", "s", "From the call to the reply: sandbox, network namespace and CNI."),
        Metric(
            "CreateContainer",
            "s",
            "From the call to the reply: snapshot and OCI bundle; CRI-O also `create`.",
        ),
        Metric("StartContainer", "s", "From the call to the reply: the container's process runs."),
        Metric("StopContainer", "s", "From the call to the reply: TERM, which ends the container at once."),
        Metric("RemoveContainer", "s", "From the call to the reply."),
        Metric("StopPodSandbox", "s", "From the call to the reply: the network is torn down."),
        Metric("RemovePodSandbox", "s", "From the call to the reply."),
    ),
    function=lifecycle,
    source="Espe 2019, operations.container.lifecycle; Touchstone",
    params=POD_PARAMS,
)
