# SPDX-License-Identifier: Apache-2.0
"""How long a run will take: by earlier runs of the same work, and never by a guess."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli.planned_run import duration_line
from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from orchestrator.pipeline.expected import Expected, expected
from orchestrator.pipeline.typical_durations import MachineKind, TypicalBenchmark, TypicalDurations
from orchestrator.results.store import RunStore

COMBINATIONS = (Combination("c", "runc"), Combination("c", "crun"))


def _spec(name: str, *plans: BenchmarkPlan, hosts: tuple[RunHost, ...] = (RunHost("h1", "m1"),)) -> RunSpec:
    return RunSpec(
        name, "s", "i.yaml", "2026-11-23T22:45:01+00:00", 1, hosts, COMBINATIONS, plans, "c/runc", "0"
    )


def _ran(store: RunStore, spec: RunSpec, **seconds: float) -> None:
    """A journal of each host: warm-up trials of an hour, then what ``seconds`` (host) says of runc, twice that of crun."""
    folder = store.create(spec)
    for host in spec.hosts:
        lines = ["not json\n"]
        for plan in spec.benchmarks:
            for block in range(plan.warmup + plan.blocks):
                for number, item in enumerate(spec.combinations):
                    took = 3600 if block < plan.warmup else seconds[host.name] * (number + 1)
                    record = {"type": "trial", "benchmark": plan.name, "block": block, "combination": item.name,
                              "warmup": block < plan.warmup, "status": "ok", "elapsed_ns": int(took * 9e8),
                              "cleanup_ns": int(took * 1e8)}  # fmt: skip
                    lines.append(json.dumps(record) + "\n")
        folder.journal(host.name).write_text("".join(lines))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def test_without_an_earlier_run_nothing_is_known(store: RunStore) -> None:
    spec = _spec("n", BenchmarkPlan("x", 20))
    took = expected(spec, store)
    assert took == Expected(0.0, None, (), ("x",))
    assert duration_line(spec, took) == "Expected duration: unknown until it was run once."


def test_the_newest_run_of_the_same_work_says_it(store: RunStore) -> None:
    plan = BenchmarkPlan("x", 4)
    _ran(store, _spec("1-old", plan), h1=9.0)
    _ran(store, _spec("2-new", plan), h1=1.0)
    _ran(store, _spec("3-other", replace(plan, params={"n": 5})), h1=100.0)
    spec = _spec("n", replace(plan, blocks=20))
    took = expected(spec, store)
    assert took.least == took.most == pytest.approx(21 * 3.0)
    assert took.sources == ("2-new",)
    assert duration_line(spec, took) == "Expected duration: about 1 min, by 2-new."


def test_neighbours_add_up_and_a_new_host_is_taken_for_like_the_others(store: RunStore) -> None:
    plan = BenchmarkPlan("x", 4, warmup=0)
    _ran(store, _spec("1-old", plan, hosts=(RunHost("h1", "m1"), RunHost("h9", "m9"))), h1=1.0, h9=2.0)
    alone = expected(_spec("n", plan, hosts=(RunHost("h1", "m1"), RunHost("h9", "m9"))), store)
    assert alone.most == pytest.approx(4 * 6.0), "machines at the same time: the slower one"
    shared = expected(_spec("n", plan, hosts=(RunHost("h1", "m1"), RunHost("h2", "m1"))), store)
    assert shared.most == pytest.approx(2 * 4 * 3.0)


def test_what_no_run_has_executed_is_named(store: RunStore) -> None:
    _ran(store, _spec("1-old", BenchmarkPlan("x", 4)), h1=1.0)
    spec = _spec("n", BenchmarkPlan("x", 4), BenchmarkPlan("y", 4))
    took = expected(spec, store)
    assert took.least == pytest.approx(15.0)
    assert (took.most, took.unknown) == (None, ("y",))
    assert duration_line(spec, took) == (
        "Expected duration: over 15 s, by 1-old; y: unknown until it was run once."
    )


def test_a_target_has_a_least_and_a_most_and_a_budget_bounds_it(store: RunStore) -> None:
    _ran(store, _spec("1-old", BenchmarkPlan("x", 4), BenchmarkPlan("y", 4)), h1=1.0)
    target = BenchmarkPlan("x", 60, precision=0.03)
    spec = _spec("n", target)
    took = expected(spec, store)
    assert took.least == pytest.approx(16 * 3.0)
    assert took.most == pytest.approx(61 * 3.0)
    assert duration_line(spec, took) == "Expected duration: 48 s to 3 min, by 1-old."
    shared = replace(_spec("n", target, replace(target, name="y")), budget=60.0)
    assert expected(shared, store).least == pytest.approx(6.0)
    assert expected(shared, store).most == 60.0
    own = _spec("n", replace(target, budget=30.0), BenchmarkPlan("y", 4))
    assert expected(own, store).most == pytest.approx(30 + 15)


def test_a_run_that_cannot_be_read_is_passed_over(store: RunStore) -> None:
    plan = BenchmarkPlan("x", 4)
    _ran(store, _spec("1-old", plan), h1=1.0)
    _ran(store, _spec("2-new", plan), h1=5.0)
    (store.root / "2-new" / "run.json").write_text("{")
    assert expected(_spec("n", plan), store).sources == ("1-old",)


MACHINE = "a virtual machine with 2 CPUs (some CPU, 2026-11-30)"
TYPICAL = TypicalDurations(
    MachineKind("some CPU", 2, True, "kvm", "2026-11-30"),
    (
        TypicalBenchmark("x", {"n": 5}, {"c/runc": 100.0}),
        TypicalBenchmark("x", {}, {"c/runc": 4.0, "c/crun": 6.0}),
        TypicalBenchmark("y", {}, {"c/runc": 2.0, "crio/runc": 3.0}),
    ),
)


def test_without_an_earlier_run_typical_durations_say_it_and_where_they_come_from(store: RunStore) -> None:
    spec = _spec("n", BenchmarkPlan("x", 9))
    took = expected(spec, store, TYPICAL)
    assert took == Expected(100.0, 100.0, (), (), ("x",), MACHINE)
    assert duration_line(spec, took) == (
        f"Expected duration: about 1 min 40 s, by typical durations on {MACHINE}."
    )


def test_typical_durations_are_those_of_the_same_parameters(store: RunStore) -> None:
    sized = expected(_spec("n", BenchmarkPlan("x", 9, params={"n": 5})), store, TYPICAL)
    assert sized.most == pytest.approx(10 * 200.0)
    assert expected(_spec("n", BenchmarkPlan("x", 9, params={"n": 6})), store, TYPICAL).unknown == ("x",)


def test_a_combination_without_a_typical_duration_is_taken_for_the_slowest_one(store: RunStore) -> None:
    took = expected(_spec("n", BenchmarkPlan("y", 9)), store, TYPICAL)
    assert took.most == pytest.approx(10 * (2.0 + 3.0))


def test_an_earlier_run_goes_before_typical_durations_and_both_are_named(store: RunStore) -> None:
    _ran(store, _spec("1-old", BenchmarkPlan("x", 4)), h1=1.0)
    spec = _spec("n", BenchmarkPlan("x", 9), BenchmarkPlan("y", 9))
    took = expected(spec, store, TYPICAL)
    assert took.most == pytest.approx(10 * 3.0 + 10 * 5.0)
    assert (took.sources, took.typical) == (("1-old",), ("y",))
    assert duration_line(spec, took) == (
        f"Expected duration: about 1 min 20 s, by 1-old; y by typical durations on {MACHINE}."
    )


def test_what_neither_knows_stays_unknown(store: RunStore) -> None:
    spec = _spec("n", BenchmarkPlan("x", 9), BenchmarkPlan("z", 9))
    took = expected(spec, store, TYPICAL)
    assert (took.most, took.unknown, took.typical) == (None, ("z",), ("x",))
    assert duration_line(spec, took) == (
        f"Expected duration: over 1 min 40 s, by typical durations on {MACHINE}; z: unknown until it was run once."
    )
