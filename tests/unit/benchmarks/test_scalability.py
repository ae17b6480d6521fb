# SPDX-License-Identifier: Apache-2.0
"""Pods at once, in turnover and in number, against a fake host."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from remote_agent.benchmarks.bench import BenchError, Cancelled
from remote_agent.benchmarks.concurrent import at_once
from remote_agent.benchmarks.reach import Usage
from remote_agent.benchmarks.registry import find
from tests.fixtures.fake_host import FakeGroup, FakeHost, FakePod, bench_of

MIB = 1 << 20


def test_all_pods_are_worked_on_at_once() -> None:
    inside = threading.Barrier(4, timeout=10)

    def work(pod: object) -> int:
        inside.wait()  # passes only if all four are here together
        return 0

    host = FakeHost()
    pods = [bench_of(find("scalability.concurrent.4"), host).pod() for _ in range(4)]
    spans = at_once(pods, work, time.monotonic_ns)
    assert len(spans) == 4
    assert max(begin for begin, _ in spans) <= min(end for _, end in spans)


def test_all_threads_are_waited_for_before_a_failure_is_told() -> None:
    ended: list[int] = []

    def work(pod: FakePod) -> int:
        if pod.number == 0:
            raise BenchError("the first")
        time.sleep(0.05)
        ended.append(pod.number)
        return 0

    host = FakeHost()
    bench = bench_of(find("scalability.concurrent.4"), host)
    pods = [bench.pod() for _ in range(3)]
    with pytest.raises(BenchError, match="the first"):
        at_once(pods, work, bench.clock)  # type: ignore[arg-type]  # fake pods
    assert sorted(ended) == [1, 2]


def test_a_cancelled_run_ends_a_trial_with_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def cancelled(pod: FakePod) -> int:
        raise Cancelled

    monkeypatch.setattr(FakePod, "create", cancelled)
    benchmark = find("scalability.concurrent.2")
    with pytest.raises(Cancelled):
        benchmark.function(bench_of(benchmark))


def test_starts_are_counted_in_the_order_in_which_they_were_done() -> None:
    benchmark = find("scalability.concurrent.8")
    bench = bench_of(benchmark)
    benchmark.function(bench)
    started = [sample for sample in bench.samples if sample.metric == "Started"]
    assert [sample.item for sample in started] == list(range(8))
    assert [sample.value for sample in started] == sorted(sample.value for sample in started)
    (total,) = [sample.value for sample in bench.samples if sample.metric == "TotalTime"]
    assert total == started[-1].value


def test_churn_keeps_the_number_of_pods_and_replaces_the_oldest() -> None:
    host, benchmark = FakeHost(), find("scalability.churn.3")
    bench = bench_of(benchmark, host, {"cycles": 5})
    benchmark.function(bench)
    there, least, most = 0, 99, 0
    cycling = host.calls[host.calls.index("usage") :]
    for call in host.calls:
        there += (call == "run_sandbox") - (call == "remove_sandbox")
        most = max(most, there)
    there = 3
    for call in cycling[: cycling.index("await_ready", 1)]:
        there += (call == "run_sandbox") - (call == "remove_sandbox")
        least = min(least, there)
    assert (least, most) == (2, 3)
    assert len(host.pods) == host.calls.count("remove_sandbox") == 8
    cycles = [sample for sample in bench.samples if sample.metric == "Each"]
    assert len(cycles) == 5
    up = len("run_sandbox") + len("create") + len("start")
    down = len("stop") + len("remove") + len("stop_sandbox") + len("remove_sandbox")
    assert {sample.value for sample in cycles} == {(up + down) / 1e9}


def test_density_is_the_growth_by_pod_beside_a_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    host, benchmark = FakeHost(), find("scalability.density.4")

    def grown(pods: int) -> None:
        host.group = FakeGroup(memory=(7 + 5 * pods) * MIB)
        host.available = (1000 - 6 * pods) * MIB
        host.seen = Usage((50 + 2 * pods) * MIB, pods, 3 * pods * MIB, 1)

    host.resting = lambda: grown(len(host.pods))
    bench = bench_of(benchmark, host)
    benchmark.function(bench)
    found = {sample.metric: sample.value for sample in bench.samples}
    assert found == {"CgroupMemory": 5, "AvailableMemory": 6, "ShimMemory": 3, "DaemonMemory": 2}
    assert host.rests == [1.0, 1.0]


def test_what_a_host_does_not_tell_of_its_shims_is_left_out() -> None:
    host, benchmark = FakeHost(), find("scalability.density.2")
    host.seen = replace(host.seen, shim_bytes=None)
    bench = bench_of(benchmark, host)
    benchmark.function(bench)
    metrics = {sample.metric for sample in bench.samples}
    assert "ShimMemory" not in metrics
    assert "DaemonMemory" in metrics
