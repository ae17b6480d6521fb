# SPDX-License-Identifier: Apache-2.0
"""limits of CPU time: what work takes under a quota, and how exactly and how soon a quota is kept.

A quota that is not kept at all is no number: gVisor's sandbox process, which does the work, is in the control group of the
pod's pause container, so the quota of the container may not touch it. That is looked at before anything is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from remote_agent.benchmarks import bounds, sysbench
from remote_agent.benchmarks.bench import IMAGE, READY, Bench, BenchError, NotSupported
from remote_agent.benchmarks.reach import Cgroup, Limits, Pod, Shape
from remote_agent.contract.benchmark import Benchmark, Metric

SPIN = ("/bin/sh", "-c", f"trap 'exit 0' TERM; echo {READY}; while :; do :; done")
"""One thread that asks the kernel for nothing but CPU time."""

STEPS = tuple(range(10, 101, 10))
"""limits.cpu.scaling: percent of one CPU."""

LOOSE = 3.0
"""A container that gets so many times its quota is not held by it: of the smallest quota here, 10 %, it could get ten."""

HELD_S = 0.3
"""For so long a container is watched before its quota is believed."""

SLOW_US = (20_000, 1_000_000)
"""Quota and period from which a reaction is measured: 20 ms of CPU time, then held back for almost a second (the longest
period there is). What runs within that second runs by the new quota."""

REACT_S = 5.0
STILL_NS = 20_000_000
LOOK_S = 0.001


@dataclass(frozen=True, slots=True)
class Seen:
    """What the kernel counted in a control group over a window of the clock."""

    window_ns: int
    cpu_ns: int
    throttled_ns: int

    @property
    def share(self) -> float:
        """Of one CPU."""
        return self.cpu_ns / self.window_ns


class NotHeld(NotSupported):
    """A quota is not kept at all."""


def time_limited(bench: Bench) -> None:
    """The work of performance.cpu.time under a fixed quota."""
    quota, period = bench.params["quota_us"], bench.params["period_us"]

    def look(pod: Pod) -> None:
        group = pod.process_cgroup()
        _held(group, _seen(bench, group, bench.clock() + int(HELD_S * 1e9)), quota / period)

    command = sysbench.cpu(bench.params["max_prime"], bench.params["events"])
    result = sysbench.execute(
        bench, {"cpu": command}, limits=Limits(quota, period), meanwhile=_while_running(look)
    )
    bench.sample("TotalTime", result["cpu"].total_s)


def scaling(bench: Bench) -> None:
    """The same work; its quota is raised while it runs. Work that ends early leaves out the steps that it has not seen."""
    period, step_ns = bench.params["period_us"], int(bench.params["step_s"] * 1e9)

    def raise_quota(pod: Pod) -> None:
        group, begin = pod.process_cgroup(), bench.clock()
        for step, percent in enumerate(STEPS):
            if step:
                if not pod.running():
                    return
                bench.took("StepUpdate", pod.update(_limit(percent, period)), step)
            seen = _seen(bench, group, begin + (step + 1) * step_ns)
            if not step:
                _held(group, seen, percent / 100)
            if not pod.running():
                return
            if seen.window_ns >= step_ns / 2:
                bench.sample("StepError", _error(seen, percent / 100), step)

    command = sysbench.cpu(bench.params["max_prime"], bench.params["events"])
    result = sysbench.execute(
        bench, {"cpu": command}, limits=_limit(STEPS[0], period), meanwhile=_while_running(raise_quota, False)
    )
    bench.sample("TotalTime", result["cpu"].total_s)


def quota(bench: Bench) -> None:
    """One container that spins; its quota is changed live, and what it gets is seen in its control group."""
    period, window_ns = bench.params["period_us"], int(bench.params["window_s"] * 1e9)
    percents = bench.params["percents"]
    pod = bench.pod(Shape(command=SPIN, ready=READY, limits=_limit(percents[0], period)))
    pod.run_sandbox()
    pod.create()
    pod.start()
    pod.await_ready()
    bench.observe()
    group, errors = pod.process_cgroup(), []
    for item, percent in enumerate(percents):
        pod.update(_limit(percent, period))
        bench.sleep(2 * period / 1e6)
        seen = _seen(bench, group, bench.clock() + window_ns)
        if not item:
            _held(group, seen, percent / 100)
        errors.append(_error(seen, percent / 100))
        bench.sample("QuotaError", errors[-1], item)
        bench.sample("QuotaThrottled", 100 * seen.throttled_ns / seen.window_ns, item)
    bench.sample("Error", sum(errors) / len(errors))
    bench.took("Reaction", _reaction(bench, pod, group))


def _limit(percent: float, period_us: int) -> Limits:
    return Limits(cpu_quota_us=round(period_us * percent / 100), cpu_period_us=period_us)


def _error(seen: Seen, asked: float) -> float:
    """How far off it is, in percent of what was asked for."""
    return 100 * abs(seen.share - asked) / asked


def _seen(bench: Bench, group: Cgroup, until_ns: int) -> Seen:
    """From now until then."""
    throttled, cpu, begin = group.throttled_ns(), group.cpu_ns(), bench.clock()
    bench.sleep_until(until_ns)
    cpu, window = group.cpu_ns() - cpu, bench.clock() - begin
    return Seen(window, cpu, group.throttled_ns() - throttled)


def _held(group: Cgroup, seen: Seen, asked: float) -> None:
    """Raises NotHeld. A busy machine may give less than the quota by itself: then it must be one of the process's own group."""
    if seen.share > LOOSE * asked or (group.cpu_quota_us() is None and not seen.throttled_ns):
        raise NotHeld(
            f"The container's CPU quota does not hold its process: {asked:.0%} of a CPU were asked for, "
            f"{seen.share:.0%} delivered, and the process was held back for {seen.throttled_ns / 1e6:.0f} ms of "
            f"{seen.window_ns / 1e6:.0f}."
        )


def _while_running(look: Callable[[Pod], None], needed: bool = True) -> Callable[[Pod], None]:
    """A container that has ended has no control group any more: that is no lack of the host's."""

    def careful(pod: Pod) -> None:
        try:
            look(pod)
        except NotHeld:
            raise
        except NotSupported:
            if pod.running():
                raise
            if needed:
                raise BenchError(
                    "The work ended before its quota could be looked at; it needs more events."
                ) from None

    return careful


def _reaction(bench: Bench, pod: Pod, group: Cgroup) -> int:
    """From the call that raises the quota until the container, which was held back, runs again; in ns.

    When its CPU time is seen to grow it has run for as long as it has grown: so the moment is exact to what a look costs.
    """
    pod.update(Limits(*SLOW_US))
    deadline = bench.clock() + int(REACT_S * 1e9)
    _grown(bench, group, deadline)
    still = _still(bench, group, deadline)
    with ThreadPoolExecutor(max_workers=1) as calls:
        call = bench.clock()
        update = calls.submit(
            pod.update, Limits(cpu_quota_us=SLOW_US[1] // 10, cpu_period_us=SLOW_US[1] // 10)
        )
        grown, ran = _grown(bench, group, deadline, still)
        update.result()
    if grown - call >= (SLOW_US[1] - SLOW_US[0]) * 1000 - 2 * STILL_NS:
        raise BenchError("A raised CPU quota was not kept within the second in which that can be told.")
    return grown - ran - call


def _grown(bench: Bench, group: Cgroup, deadline_ns: int, since: int | None = None) -> tuple[int, int]:
    """When CPU time was first seen to have grown, and by how much. Raises BenchError after the deadline."""
    cpu = group.cpu_ns() if since is None else since
    while (now := group.cpu_ns()) == cpu:
        _look_again(bench, deadline_ns, "got no CPU time")
    return bench.clock(), now - cpu


def _still(bench: Bench, group: Cgroup, deadline_ns: int) -> int:
    """Its CPU time when it has not grown for `STILL_NS`: the container is held back. Raises BenchError after the deadline."""
    cpu, since = group.cpu_ns(), bench.clock()
    while bench.clock() - since < STILL_NS:
        _look_again(bench, deadline_ns, "was not held back by its CPU quota")
        if (now := group.cpu_ns()) != cpu:
            cpu, since = now, bench.clock()
    return cpu


def _look_again(bench: Bench, deadline_ns: int, otherwise: str) -> None:
    if bench.clock() > deadline_ns:
        raise BenchError(f"The container {otherwise} within {REACT_S:g} s.")
    bench.sleep(LOOK_S)


SOURCE = "Espe 2019, {}; Touchstone (sysbench 0.4 there, 1.0 here)"
WORK: Mapping[str, Any] = {
    "image": sysbench.IMAGE,
    "timeout_s": 7200,
    "max_prime": 20_000,
    "events": 10_000,
}

CPU_TIME = Benchmark(
    name="limits.cpu.time",
    summary="The work of performance.cpu.time in a container that may use quota_us of CPU time in each period_us: a tenth "
    "of a CPU.",
    primary="TotalTime",
    metrics=(Metric("TotalTime", "s", "From sysbench's first event to its last, by its own clock."),),
    function=time_limited,
    source=SOURCE.format("limits.cpu.time"),
    params={**WORK, "quota_us": 1_000, "period_us": 10_000},
    quick={"events": 1_000},
)
"""Quota and period are the thesis' text; Touchstone's code has ten times both."""

CPU_SCALING = Benchmark(
    name="limits.cpu.scaling",
    summary="The work of performance.cpu.time while its CPU quota is raised live, from 10 % to 100 % of a CPU in ten steps "
    "of step_s.",
    primary="TotalTime",
    metrics=(
        Metric("TotalTime", "s", "From sysbench's first event to its last, by its own clock."),
        Metric(
            "StepUpdate",
            "ms",
            "The call that raises the quota in step k (k = 0 is the start, without a call), from the call to the reply.",
            per_item=True,
            item="step",
        ),
        Metric(
            "StepError",
            "%",
            "How far the CPU time that step k delivered, from that reply to the step's end, is off its quota of 10 (k + 1) %; "
            "left out where the call took more than half of the step, and where the work was done before.",
            per_item=True,
            item="step",
        ),
    ),
    function=scaling,
    source=SOURCE.format("limits.cpu.scaling"),
    params={**WORK, "step_s": 1.0, "period_us": 100_000},
    quick={"events": 1_000, "step_s": 0.1, "period_us": 10_000},
)
"""TotalTime is the thesis' number: its 23.87 s of work, of which ten steps do 5.5 s, take 10 + 18.4 = 28.4 s, as published."""

CPU_QUOTA = Benchmark(
    name="limits.cpu.quota",
    summary="A container that spins gets each of the quotas in percents, live; what it really gets is counted by the kernel "
    "in the control group of its process.",
    primary="Error",
    metrics=(
        Metric(
            "Error",
            "%",
            "How far delivered CPU time is off the quota that was asked for: the mean over all quotas.",
        ),
        Metric(
            "QuotaError",
            "%",
            "The same of the k-th of percents, over window_s, from two periods after the update's reply.",
            per_item=True,
            item="quota",
        ),
        Metric(
            "QuotaThrottled",
            "%",
            "The part of that window for which the kernel held the container back.",
            per_item=True,
            item="quota",
        ),
        Metric(
            "Reaction",
            "ms",
            "From the call of UpdateContainerResources that raises the quota of a container which is held back, until it runs "
            "again (which may be before the reply).",
        ),
    ),
    function=quota,
    source="Quotas by CFS bandwidth control: Linux, Documentation/scheduler/sched-bwc.rst",
    params={
        "image": IMAGE,
        "percents": [10, 25, 50, 75],
        "period_us": 100_000,
        "window_s": 1.0,
    },
    quick={"window_s": 0.3},
)

ALL = (CPU_TIME, CPU_SCALING, CPU_QUOTA, *bounds.ALL)
