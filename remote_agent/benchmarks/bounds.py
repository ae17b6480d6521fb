# SPDX-License-Identifier: Apache-2.0
"""limits of memory, processes and block I/O: what a runtime makes of a container that reaches one.

Processes and block I/O have no field in the CRI: their limits go through ``unified``, which is control groups version 2
alone. A limit that is not kept is "not supported", with what happened instead; gVisor's sandbox is in another control group.
"""

from __future__ import annotations

from remote_agent.benchmarks import sysbench
from remote_agent.benchmarks.bench import IMAGE, Bench, BenchError, NotSupported
from remote_agent.benchmarks.reach import Ended, Limits, Pod, Shape
from remote_agent.contract.benchmark import Benchmark, Better, Metric

MIB = 1 << 20
KILLED = 137
"""Exit code of what SIGKILL ended: 128 + 9."""

OOM = "OOMKilled"
"""The CRI's reason (and the kubelet's word) for a container that the kernel killed for its memory."""

ALLOCATING, FILLING, HELD, FREE = "allocating", "filling", "held", "never refused"
LOOSE = 3.0
"""A container that writes so many times as fast as it may is not held by its limit."""

SPARE = 16
"""So many processes more than it may have a container tries to make."""

FORK = """trap 'echo {held} $i' EXIT
i=1
echo {filling}
while [ $i -le {most} ]; do sleep 3600 & i=$((i+1)); done
trap - EXIT
echo {free}"""
"""The shell counts itself; it ends, and says so, when it may not fork any more."""


def oom(bench: Bench) -> None:
    """A container allocates more than it may; the kernel kills it, and the runtime tells."""
    limit, wanted = bench.params["limit_mib"], bench.params["allocate_mib"]
    work = f"echo {ALLOCATING}; exec dd if=/dev/zero of=/dev/null bs={wanted}M count=1"
    pod, ended = _until_end(bench, work, Limits(memory_bytes=limit * MIB))
    if ended.exit_code != KILLED or ended.reason != OOM:
        raise NotSupported(
            f"A container that allocates {wanted} MiB under a memory limit of {limit} MiB is not reported as killed for it: "
            f"it ended with exit code {ended.exit_code}, reason {ended.reason or 'none'}."
        )
    if ended.how != "event":
        raise NotSupported(
            "The runtime sent no event of the container's end: when it came cannot be told by asking."
        )
    bench.took("TimeToEnd", ended.seen_ns - pod.logged_ns(ALLOCATING))


def pids(bench: Bench) -> None:
    """A container makes processes until the kernel refuses one."""
    _needs_version_2(bench, "processes")
    limit = bench.params["limit"]
    work = FORK.format(held=HELD, filling=FILLING, free=FREE, most=limit + SPARE)
    pod, ended = _until_end(bench, work, Limits(unified={"pids.max": str(limit)}))
    log = pod.log()
    if FREE in log:
        raise NotSupported(
            f"A container that may have {limit} processes was not refused {limit + SPARE} of them."
        )
    told = [line.split()[-1] for line in log.splitlines() if line.startswith(HELD)]
    if not told:
        raise BenchError(
            f"The container does not say how many processes it had; it ended with exit code {ended.exit_code} and: "
            f"{sysbench.tail(log)}"
        )
    bench.sample("Processes", int(told[0]))
    bench.took("FillTime", pod.logged_ns(HELD) - pod.logged_ns(FILLING))


def io(bench: Bench) -> None:
    """A container writes past the page cache, as fast as it may."""
    _needs_version_2(bench, "block I/O")
    rate, mib = bench.params["mib_per_s"], bench.params["file_mib"]
    disk, bound = bench.host.disk(), f"wbps={rate * MIB}"
    write = {"SeqWrite": sysbench.direct_writes(mib)}

    def look(pod: Pod) -> None:
        """The writing process may be in another control group, and slow by itself."""
        try:
            told = pod.process_cgroup().read("io", "io.max")
        except NotSupported:
            if pod.running():
                raise
            return
        if not any(words[0] == disk and bound in words for words in map(str.split, told.splitlines())):
            raise NotSupported(
                f"The limit of {rate} MiB/s for writes is not on the control group of the container's process: io.max has "
                f"{told or 'nothing'} there."
            )

    result = sysbench.execute(
        bench, write, limits=Limits(unified={"io.max": f"{disk} {bound}"}), meanwhile=look
    )
    delivered = mib / result["SeqWrite"].total_s
    if delivered > LOOSE * rate:
        raise NotSupported(
            f"The limit of {rate} MiB/s for direct writes does not hold the container: it wrote {delivered:.0f} MiB/s."
        )
    bench.sample("Delivered", delivered)
    bench.sample("Error", 100 * abs(delivered - rate) / rate)


def _until_end(bench: Bench, work: str, limits: Limits) -> tuple[Pod, Ended]:
    pod = bench.pod(Shape(command=("/bin/sh", "-c", work), ready="", limits=limits, ends=True))
    pod.run_sandbox()
    pod.create()
    bench.observe()
    pod.start()
    return pod, pod.await_end(bench.params["timeout_s"])


def _needs_version_2(bench: Bench, what: str) -> None:
    if bench.host.parent().version != 2:
        raise NotSupported(
            f"The CRI has no field for a limit of {what}: it goes through control groups version 2 alone, and this host has "
            "version 1."
        )


MEMORY_OOM = Benchmark(
    name="limits.memory.oom",
    summary="A container allocates allocate_mib under a memory limit of limit_mib: the kernel kills it, and the runtime says "
    f"so ({OOM}, exit code {KILLED}).",
    primary="TimeToEnd",
    metrics=(
        Metric(
            "TimeToEnd",
            "ms",
            "From when the runtime logged the line that the container writes just before it allocates, to the runtime's event "
            "that it has ended.",
        ),
    ),
    function=oom,
    source="Linux, Documentation/admin-guide/cgroup-v2.rst, memory.max; CRI, ContainerStatus.reason",
    params={"image": IMAGE, "limit_mib": 64, "allocate_mib": 256, "timeout_s": 300},
)

PIDS = Benchmark(
    name="limits.pids.fork",
    summary="A container that may have so many processes (pids.max, control groups version 2) makes them until it is refused "
    "one.",
    primary="FillTime",
    metrics=(
        Metric(
            "FillTime", "ms", "From the line that it logs before its first fork to the one after the refusal."
        ),
        Metric(
            "Processes",
            "processes",
            "Those that it had when it was refused another, itself included; as many as the limit if that is kept exactly.",
            Better.HIGHER,
        ),
    ),
    function=pids,
    source="Linux, Documentation/admin-guide/cgroup-v2.rst, pids.max",
    params={"image": IMAGE, "limit": 64, "timeout_s": 300},
)

IO = Benchmark(
    name="limits.io.write",
    summary="A container writes file_mib past the page cache (O_DIRECT) in its root file system, limited to mib_per_s "
    "(io.max, control groups version 2).",
    primary="Error",
    metrics=(
        Metric("Error", "%", "How far the rate that was delivered is off the one that was asked for."),
        Metric(
            "Delivered",
            "MiB/s",
            "file_mib by sysbench's total time, from the first write to the sync at the end.",
            Better.HIGHER,
        ),
    ),
    function=io,
    source="Linux, Documentation/admin-guide/cgroup-v2.rst, io.max",
    params={"image": sysbench.IMAGE, "mib_per_s": 10, "file_mib": 40, "timeout_s": 600},
    quick={"file_mib": 20},
)

ALL = (MEMORY_OOM, PIDS, IO)
