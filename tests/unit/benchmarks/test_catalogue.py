# SPDX-License-Identifier: Apache-2.0
"""The catalogue is what the controller reads and the agent executes; a Bench takes only what is declared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from remote_agent.benchmarks.bench import BenchError
from remote_agent.benchmarks.registry import catalogue, find
from remote_agent.contract.benchmark import Benchmark, Better, Metric
from remote_agent.contract.journal import Sample
from tests.fixtures.fake_host import FakeHost, bench_of

ROOT = Path(__file__).resolve().parents[3]

SIZES = {"Processes", "Delivered"}
"""Metrics of which more is better."""


def write_payload(host: FakeHost) -> None:
    """What a container writes that fills its log, where the benchmark lets one."""
    for pod in host.pods:
        if pod.shape.command and "cat /block" in pod.shape.command[-1] and pod.log_file.exists():
            with pod.log_file.open("a") as log:
                log.write("x" * 32_000_000 + " stdout F all is written\n")


def _one(*metrics: Metric) -> Benchmark:
    return Benchmark("a.b.c", "", metrics[0].name, metrics, lambda bench: None)


@pytest.mark.parametrize("benchmark", catalogue(), ids=lambda benchmark: benchmark.name)
def test_each_says_what_it_is(benchmark: Benchmark) -> None:
    assert benchmark.name.count(".") == 2
    assert benchmark.metric(benchmark.primary).per_item is False
    assert len({metric.name for metric in benchmark.metrics}) == len(benchmark.metrics)
    assert benchmark.summary.endswith(".")
    assert all(metric.timed.endswith((".", ").")) for metric in benchmark.metrics)
    higher = {metric.name for metric in benchmark.metrics if metric.better is Better.HIGHER}
    rates = {metric.name for metric in benchmark.metrics if metric.unit.endswith("/s")}
    assert higher - SIZES == rates - SIZES, "times and errors are better lower, rates higher"
    assert benchmark.quick.keys() <= benchmark.params.keys()


@pytest.mark.parametrize("benchmark", catalogue(), ids=lambda benchmark: benchmark.name)
def test_each_records_every_metric_that_it_declares(benchmark: Benchmark, tmp_path: Path) -> None:
    host = FakeHost(logs=tmp_path)
    host.resting = lambda: write_payload(host)
    bench = bench_of(benchmark, host)
    benchmark.function(bench)
    assert {sample.metric for sample in bench.samples} == {metric.name for metric in benchmark.metrics}


@pytest.mark.parametrize("pods", [1, 5, 7, 50])
def test_scalability_makes_so_many_pods_for_any_number(pods: int) -> None:
    host = FakeHost()
    bench = bench_of(find(f"scalability.runtime.{pods}"), host)
    find(f"scalability.runtime.{pods}").function(bench)
    calls = host.calls
    assert len(bench.made) == calls.count("run_sandbox") == calls.count("remove_sandbox") == pods
    items = [sample.item for sample in bench.samples if sample.metric == "PodStart"]
    assert items == list(range(pods))


def test_the_catalogues_names_find_themselves_and_others_are_refused() -> None:
    assert [find(benchmark.name).name for benchmark in catalogue()] == [
        benchmark.name for benchmark in catalogue()
    ]
    numbers = (
        "scalability.runtime.0",
        "scalability.runtime.05",
        "scalability.runtime.",
        "scalability.churn.x",
    )
    for name in (*numbers, "scalability.runtime", "scalability.5", "operations", ""):
        with pytest.raises(KeyError):
            find(name)


def test_a_time_is_recorded_in_the_metrics_unit() -> None:
    bench = bench_of(
        _one(Metric("a", "s", "."), Metric("b", "ms", "."), Metric("c", "s", ".", per_item=True))
    )
    bench.took("a", 1_500_000_000)
    bench.took("b", 1_500_000)
    bench.took("c", 2_000_000_000, 3)
    assert bench.samples == (Sample("a", 1.5, "s"), Sample("b", 1.5, "ms"), Sample("c", 2.0, "s", 3))


@pytest.mark.parametrize(
    ("metric", "value", "item"),
    [
        ("other", 1.0, None),
        ("a", 1.0, 0),
        ("c", 1.0, None),
        ("a", float("nan"), None),
        ("a", float("inf"), None),
    ],
)
def test_what_is_not_declared_or_no_number_is_refused(metric: str, value: float, item: int | None) -> None:
    bench = bench_of(_one(Metric("a", "s", "."), Metric("c", "s", ".", per_item=True)))
    with pytest.raises(BenchError):
        bench.sample(metric, value, item)
    assert bench.samples == ()


def test_the_catalogue_needs_the_standard_library_alone() -> None:
    code = (
        "import sys\nfrom remote_agent.benchmarks.registry import catalogue\ncatalogue()\n"
        "print([name for name in ('grpc', 'google', 'remote_agent.cri', 'remote_agent.gen') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("benchmark", catalogue(), ids=lambda benchmark: benchmark.name)
def test_no_container_is_stopped_before_it_is_ready(benchmark: Benchmark, tmp_path: Path) -> None:
    host = FakeHost(logs=tmp_path)
    host.resting = lambda: write_payload(host)
    benchmark.function(bench_of(benchmark, host))
    calls = host.calls
    for number, call in enumerate(calls):
        if call == "stop":
            assert calls[:number].count("await_ready") > calls[:number].count("stop")
