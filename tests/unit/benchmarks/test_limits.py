# SPDX-License-Identifier: Apache-2.0
"""Limits are seen to be kept, and what is not kept is no number."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from remote_agent.benchmarks import bounds, limits
from remote_agent.benchmarks.bench import BenchError, NotSupported
from remote_agent.benchmarks.limits import Seen
from remote_agent.benchmarks.reach import Ended, Shape
from remote_agent.contract.benchmark import Benchmark
from tests.fixtures.fake_host import (
    FakeGroup,
    FakeHost,
    FakePod,
    FakeTime,
    SpinningGroup,
    bench_of,
)


def _run(benchmark: Benchmark, host: FakeHost, **params: object) -> dict[str, list[float]]:
    bench = bench_of(benchmark, host, params)
    benchmark.function(bench)
    found: dict[str, list[float]] = {}
    for sample in bench.samples:
        found.setdefault(sample.metric, []).append(sample.value)
    return found


def _loose(time: FakeTime) -> FakeGroup:
    return SpinningGroup(time=time, holds=False)


@pytest.mark.parametrize("benchmark", [limits.CPU_TIME, limits.CPU_SCALING, limits.CPU_QUOTA])
def test_a_quota_that_does_not_hold_is_not_supported(benchmark: Benchmark) -> None:
    with pytest.raises(NotSupported, match="10% of a CPU were asked for, 100% delivered"):
        _run(benchmark, FakeHost(grouped=_loose))


@pytest.mark.parametrize(
    ("share", "throttled", "quota", "held"),
    [
        (0.1, 9, (10, 100), True),
        (0.05, 0, (10, 100), True),  # a busy machine: there was nothing to hold back
        (0.05, 0, None, False),  # a busy machine did what no quota does
        (0.1, 9, None, True),  # held by a group above
        (0.31, 9, (10, 100), False),
    ],
)
def test_whether_a_quota_holds_does_not_depend_on_a_busy_machine(
    share: float, throttled: int, quota: tuple[int, int] | None, held: bool
) -> None:
    group, seen = FakeGroup(quota=quota), Seen(1000, round(1000 * share), throttled)
    if held:
        limits._held(group, seen, 0.1)
    else:
        with pytest.raises(limits.NotHeld):
            limits._held(group, seen, 0.1)


def test_the_quota_is_the_thesis() -> None:
    host = FakeHost()
    _run(limits.CPU_TIME, host)
    asked = host.pods[0].shape.limits
    assert asked is not None
    assert (asked.cpu_quota_us, asked.cpu_period_us) == (1_000, 10_000)


def test_work_that_ends_at_once_cannot_tell_whether_its_quota_holds() -> None:
    class Gone(FakeGroup):
        def cpu_ns(self) -> int:
            raise NotSupported("This host does not tell it: gone.")

    host = FakeHost(grouped=lambda time: Gone(), runs=lambda pod: False)
    with pytest.raises(BenchError, match="needs more events"):
        _run(limits.CPU_TIME, host)


def test_scaling_raises_the_quota_once_a_second_from_10_to_100_percent() -> None:
    host = FakeHost()
    found = _run(limits.CPU_SCALING, host)
    assert host.calls.count("update") == 9
    assert host.pods[0].group.quota == (100_000, 100_000)
    assert 10.0e9 <= host.time.now < 10.1e9
    assert len(found["StepUpdate"]) == 9
    assert len(found["StepError"]) == 10
    assert max(found["StepError"]) < 0.1


def test_steps_that_the_work_does_not_see_are_left_out() -> None:
    looks: Iterator[bool] = iter([True] * 6 + [False])
    host = FakeHost(runs=lambda pod: next(looks))
    found = _run(limits.CPU_SCALING, host)
    assert len(found["TotalTime"]) == 1
    assert len(found["StepError"]) < 10


def test_a_step_that_its_call_takes_up_has_no_error() -> None:
    host = FakeHost()
    update = FakePod.update
    bench = bench_of(limits.CPU_SCALING, host)

    def slow(pod: FakePod, asked: object) -> int:
        host.time.sleep(0.7)
        return update(pod, asked)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakePod, "update", slow)
        limits.scaling(bench)
    assert [sample.item for sample in bench.samples if sample.metric == "StepError"] == [0]


def test_fidelity_is_the_distance_from_what_was_asked_for() -> None:
    class Twice(SpinningGroup):
        def cpu_ns(self) -> int:
            return 2 * super().cpu_ns()

    exact = _run(limits.CPU_QUOTA, FakeHost())
    assert exact["Error"][0] < 0.1
    assert exact["QuotaThrottled"] == pytest.approx([90, 75, 50, 25], abs=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "_reaction", lambda *all_of_it: 10**6)
        twice = _run(limits.CPU_QUOTA, FakeHost(grouped=lambda time: Twice(time=time)))
    assert twice["QuotaError"] == pytest.approx([100] * 4, abs=0.1)


@pytest.mark.parametrize("milliseconds", [5, 120])
def test_a_reaction_is_from_the_call_until_it_runs_again(milliseconds: int) -> None:
    class Slow(FakeHost):
        def pod(self, number: int, shape: Shape) -> FakePod:
            super().pod(number, shape)
            self.pods[-1].update_ns = milliseconds * 10**6
            return self.pods[-1]

    found = _run(limits.CPU_QUOTA, Slow())
    assert milliseconds <= found["Reaction"][0] < milliseconds + 40


def test_a_reaction_is_finer_than_the_looks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has run for so long when it is seen to run, began so long before."""

    class Delayed(SpinningGroup):
        def limit_cpu(self, quota_us: int, period_us: int) -> None:
            super().limit_cpu(quota_us, period_us)
            self._since += 33_000_000

        def cpu_ns(self) -> int:
            return super().cpu_ns() if self.time.clock() >= self._since else self._before

    class AtOnce(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
            fn(*args, **kwargs)
            return super().submit(int)

    monkeypatch.setattr(limits, "ThreadPoolExecutor", AtOnce)
    monkeypatch.setattr(limits, "LOOK_S", 0.015)
    found = _run(limits.CPU_QUOTA, FakeHost(grouped=lambda time: Delayed(time=time)))
    assert found["Reaction"][0] == pytest.approx(33, abs=0.01)


def test_a_container_that_never_runs_again_is_said() -> None:
    host = FakeHost(grouped=lambda time: FakeGroup(cpu=5))
    with pytest.raises(BenchError, match="got no CPU time within 5 s"):
        _run(limits.CPU_QUOTA, host)


def test_the_time_to_a_kill_is_from_the_log_line_to_the_event() -> None:
    assert _run(bounds.MEMORY_OOM, FakeHost()) == {"TimeToEnd": [30.0]}


@pytest.mark.parametrize(
    ("code", "reason", "how", "why"),
    [
        (0, "Completed", "event", "exit code 0, reason Completed"),
        (137, "Error", "event", "exit code 137, reason Error"),
        (137, "OOMKilled", "status", "sent no event"),
    ],
)
def test_what_is_not_killed_or_not_told_is_not_supported(code: int, reason: str, how: str, why: str) -> None:
    host = FakeHost(ended=lambda shape: Ended(code, reason, 10**9, 1, how))
    with pytest.raises(NotSupported, match=why):
        _run(bounds.MEMORY_OOM, host)


@pytest.mark.parametrize("benchmark", [bounds.PIDS, bounds.IO])
def test_version_1_has_no_such_limits(benchmark: Benchmark) -> None:
    host = FakeHost(group=FakeGroup(version=1))
    with pytest.raises(NotSupported, match="this host has version 1"):
        _run(benchmark, host)
    assert host.calls == []


def test_processes_are_counted_by_the_container_itself() -> None:
    assert _run(bounds.PIDS, FakeHost()) == {"Processes": [64.0], "FillTime": [50.0]}
    with pytest.raises(NotSupported, match="was not refused 80"):
        _run(bounds.PIDS, FakeHost(logged=lambda shape: "filling\nnever refused\n"))
    with pytest.raises(BenchError, match=r"does not say.*exit code 0 and: filling / sh: out of range"):
        _run(bounds.PIDS, FakeHost(logged=lambda shape: "filling\nsh: out of range\n"))


def test_the_shell_that_forks_says_when_it_was_not_refused() -> None:
    script = bounds.FORK.format(held=bounds.HELD, filling=bounds.FILLING, free=bounds.FREE, most=3)
    script = script.replace("sleep 3600", "sleep 0")
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout.splitlines() == ["filling", "never refused"]


def test_a_write_limit_names_the_disk_and_is_held_against_the_rate() -> None:
    host = FakeHost()
    found = _run(bounds.IO, host)
    asked = host.pods[0].shape.limits
    assert asked is not None
    assert asked.unified == {"io.max": f"8:0 wbps={10 << 20}"}
    assert found["Delivered"] == pytest.approx([40 / 4.1])
    assert found["Error"] == pytest.approx([100 * (10 - 40 / 4.1) / 10])
    ended_at_once = FakeHost(runs=lambda pod: False, grouped=lambda time: FakeGroup())
    with pytest.raises(NotSupported, match="does not hold the container: it wrote 10 MiB/s"):
        _run(bounds.IO, ended_at_once, mib_per_s=3)


def test_a_write_limit_must_be_on_the_group_of_the_process() -> None:
    """gVisor's writes may be slow by themselves: that is no limit that is kept."""
    for told, why in (("", "nothing"), ("8:16 wbps=10485760", "8:16"), ("8:0 wbps=104857600", "8:0")):
        elsewhere = FakeHost(grouped=lambda time, told=told: FakeGroup(files={"io.max": told}))  # type: ignore[misc]
        with pytest.raises(NotSupported, match=rf"io\.max has {why}"):
            _run(bounds.IO, elsewhere)
    kernels = "8:16 rbps=max wbps=1 riops=max wiops=max\n8:0 rbps=max wbps=10485760 riops=max wiops=max"
    assert _run(bounds.IO, FakeHost(grouped=lambda time: FakeGroup(files={"io.max": kernels})))["Error"]
