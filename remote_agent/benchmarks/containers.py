# SPDX-License-Identifier: Apache-2.0
"""operations.container: what may be asked of a container that runs - to execute, to tell, to be limited, to halt."""

from __future__ import annotations

from statistics import median

from remote_agent.benchmarks.bench import POD_PARAMS, Bench, BenchError, NotSupported, destroy, running
from remote_agent.benchmarks.reach import Cgroup, Limits, OciRuntime, Pod, Shape
from remote_agent.benchmarks.repeat import CALLS, repeated, repeated_metrics
from remote_agent.contract.benchmark import Benchmark, Metric

LOOK_S = 0.0005
SHOWN_NS = 2 * 10**9
"""A quota that the host does not show by then is taken for one that it never shows."""


def execute(bench: Bench) -> None:
    """ExecSync in one container, again and again."""
    pod = running(bench)
    bench.observe()
    repeated(bench, "ExecSync", lambda: _execute(pod, bench.params["execute"]))
    destroy(pod)


def _execute(pod: Pod, command: list[str]) -> int:
    done = pod.exec(command)
    if done.exit_code != 0:
        said = f": {done.stderr.strip()}" if done.stderr.strip() else "."
        raise BenchError(f"{' '.join(command)} ended with {done.exit_code} in the container{said}")
    return done.took_ns


def stats(bench: Bench) -> None:
    """ContainerStats of one container, again and again."""
    pod = running(bench)
    bench.observe()
    repeated(bench, "ContainerStats", lambda: pod.stats().took_ns)
    destroy(pod)


def status(bench: Bench) -> None:
    """ContainerStatus of one container, again and again."""
    pod = running(bench)
    bench.observe()
    repeated(bench, "ContainerStatus", pod.status)
    destroy(pod)


def update(bench: Bench) -> None:
    """The CPU quota of a container that runs: lowered and raised again, and looked for on the host."""
    high, low = bench.params["high_us"], bench.params["low_us"]
    pod = running(bench, Shape(limits=Limits(cpu_quota_us=high)))
    bench.observe()
    group = pod.cgroup()
    _shown(bench, group, high)
    calls: dict[str, list[int]] = {name: [] for name in ("Lower", "Raise", "LowerShown", "RaiseShown")}
    for _ in range(max(1, bench.params["rounds"])):
        for name, quota in (("Lower", low), ("Raise", high)):
            begin = bench.clock()
            calls[name].append(pod.update(Limits(cpu_quota_us=quota)))
            calls[f"{name}Shown"].append(_shown(bench, group, quota) - begin)
    destroy(pod)
    bench.took("Update", round(median(calls["Lower"] + calls["Raise"])))
    for metric, times in calls.items():
        bench.took(metric, round(median(times)))


def _shown(bench: Bench, group: Cgroup, quota_us: int) -> int:
    """When the host shows that quota. Raises NotSupported: it does not."""
    deadline = bench.clock() + SHOWN_NS
    while (shown := group.cpu_quota_us()) is None or shown[0] != quota_us:
        if bench.clock() > deadline:
            says = "no quota" if shown is None else f"{shown[0]} us"
            raise NotSupported(
                f"The runtime takes a CPU quota of {quota_us} us, and its control group on the host shows {says}."
            )
        bench.sleep(LOOK_S)
    return bench.clock()


def pause(bench: Bench) -> None:
    """Halt a container and let it go on, by the OCI runtime's own program."""
    pod = running(bench)
    bench.observe()
    oci = pod.oci()
    calls: dict[str, list[int]] = {"Pause": [], "Resume": []}
    try:
        for _ in range(max(1, bench.params["rounds"])):
            calls["Pause"].append(oci.pause())
            _check(oci, paused=True)
            calls["Resume"].append(oci.resume())
            _check(oci, paused=False)
    finally:
        if oci.paused():
            oci.resume()
    destroy(pod)
    for metric, times in calls.items():
        bench.took(metric, round(median(times)))


def _check(oci: OciRuntime, *, paused: bool) -> None:
    if oci.paused() != paused:
        wanted, other = ("paused", "running") if paused else ("running", "paused")
        raise NotSupported(f"{oci.program} says that the container is {other} when it should be {wanted}.")


EXEC = Benchmark(
    name="operations.container.exec",
    summary="Executes `true` in a container that runs (ExecSync), ten times.",
    primary="ExecSync",
    metrics=repeated_metrics(
        "ExecSync", "From the call to the reply: the process was made in the container and has ended."
    ),
    function=execute,
    source="CRI ExecSync, what the kubelet's exec probes call",
    params={**POD_PARAMS, **CALLS, "execute": ["true"]},
)

STATS = Benchmark(
    name="operations.container.stats",
    summary="Asks for a container's CPU and memory use (ContainerStats), ten times.",
    primary="ContainerStats",
    metrics=repeated_metrics("ContainerStats", "From the call to the reply."),
    function=stats,
    source="CRI ContainerStats",
    params={**POD_PARAMS, **CALLS},
)

STATUS = Benchmark(
    name="operations.container.status",
    summary="Asks for a container's status (ContainerStatus), ten times.",
    primary="ContainerStatus",
    metrics=repeated_metrics("ContainerStatus", "From the call to the reply."),
    function=status,
    source="CRI ContainerStatus; critest's StatusContainer",
    params={**POD_PARAMS, **CALLS},
)

UPDATE = Benchmark(
    name="operations.container.update",
    summary="Lowers and raises the CPU quota of a container that runs, and looks for it in the host's control group.",
    primary="Update",
    metrics=(
        Metric(
            "Update",
            "s",
            "UpdateContainerResources, from the call to the reply: the median of all calls, down and up.",
        ),
        Metric("Lower", "s", "The same of the calls that lower the quota alone."),
        Metric("Raise", "s", "The same of the calls that raise it alone."),
        Metric(
            "LowerShown",
            "s",
            "From the call until the container's control group on the host shows the lower quota; it is looked at after the "
            "reply, so never less than the call.",
        ),
        Metric("RaiseShown", "s", "The same for the higher quota."),
    ),
    function=update,
    source="CRI UpdateContainerResources, what resizes a pod in place",
    params={**POD_PARAMS, "high_us": 100_000, "low_us": 50_000, "rounds": 5},
)

PAUSE = Benchmark(
    name="operations.container.pause",
    summary="OUTSIDE CRI, which has no such call: the OCI runtime's own program halts a container and lets it go on.",
    primary="Pause",
    metrics=(
        Metric(
            "Pause",
            "s",
            "OUTSIDE CRI: from the start of `PROGRAM pause` on the host to its end; the median of the trial's calls.",
        ),
        Metric("Resume", "s", "OUTSIDE CRI: the same of `PROGRAM resume`."),
    ),
    function=pause,
    source="runc-pause(8), runc-resume(8); crun(1); runsc's commands of that name",
    params={**POD_PARAMS, "rounds": 5},
)
