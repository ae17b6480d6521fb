# SPDX-License-Identifier: Apache-2.0
"""operations.container.waterfall: the stages of a start, from what a runtime leaves on the host while it goes through them."""

from __future__ import annotations

from remote_agent.benchmarks.bench import POD_PARAMS, Bench, BenchError, destroy
from remote_agent.contract.benchmark import Benchmark, Metric

FILE = "by the time of a file, which is as exact as the kernel's tick (1 to 10 ms)"
TICK = "by /proc, in steps of 10 ms"


def waterfall(bench: Bench) -> None:
    """One pod and its container; afterwards what it left is looked at. Stages that this host does not tell are left out."""
    pod = bench.pod()
    begin = bench.clock()
    pod.run_sandbox()
    sandbox = bench.clock()
    pod.create()
    created = bench.clock()
    pod.start()
    started = bench.clock()
    pod.await_ready()
    bench.observe()
    traces = pod.traces()
    destroy(pod)
    if traces.first_line_ns is None:
        raise BenchError("The container's log has no line with a time.")
    for metric, moment in (
        ("NamespaceMade", traces.namespace_ns),
        ("AddressLeased", traces.lease_ns),
        ("ShimStarted", traces.shim_ns),
        ("SandboxUp", sandbox),
        ("SnapshotMade", traces.snapshot_ns),
        ("Created", created),
        ("BundleWritten", traces.bundle_ns),
        ("ProcessStarted", traces.process_ns),
        ("RuntimeSaysStarted", traces.started_ns),
        ("FirstLine", traces.first_line_ns),
        ("Started", started),
    ):
        if moment is not None:
            bench.took(metric, moment - begin)


WATERFALL = Benchmark(
    name="operations.container.waterfall",
    summary="The stages of a start, each as the time since the RunPodSandbox call, from what the runtimes leave on the host.",
    primary="FirstLine",
    metrics=(
        Metric("NamespaceMade", "s", f"Until the pod's network namespace is pinned in /run/netns, {FILE}."),
        Metric("AddressLeased", "s", f"Until CNI's host-local plugin has leased the pod's address, {FILE}."),
        Metric(
            "ShimStarted", "s", f"Until the pod's first shim (containerd-shim, conmon) is a process, {TICK}."
        ),
        Metric("SandboxUp", "s", "Until RunPodSandbox is answered."),
        Metric("SnapshotMade", "s", f"Until the container's writable layer is there, {FILE}."),
        Metric("Created", "s", "Until CreateContainer is answered."),
        Metric(
            "BundleWritten",
            "s",
            f"Until the container's OCI configuration is written for the OCI runtime, {FILE}.",
        ),
        Metric(
            "ProcessStarted",
            "s",
            f"Until the process that the runtime calls the container's is one, {TICK}; gVisor's is the sandbox's, the pod's own.",
        ),
        Metric("RuntimeSaysStarted", "s", "Until started_at of ContainerStatus."),
        Metric(
            "FirstLine",
            "s",
            "Until the first instruction shows: the time that the runtime gives to the container's first line of output.",
        ),
        Metric("Started", "s", "Until StartContainer is answered."),
    ),
    function=waterfall,
    source="the stages of the OCI runtime specification's life cycle, seen from outside",
    params=POD_PARAMS,
)
