# SPDX-License-Identifier: Apache-2.0
"""How long a run will take: by earlier runs of the same work, and never by a guess."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli.run import duration_line
from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from orchestrator.pipeline.expected import Expected, expected
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
    took = expected(_spec("n", BenchmarkPlan("x", 20)), store)
    assert took == Expected(0.0, None, (), ("x",))
    assert duration_line(took) == "Expected duration: unknown until it was run once."


def test_the_newest_run_of_the_same_work_says_it(store: RunStore) -> None:
    plan = BenchmarkPlan("x", 4)
    _ran(store, _spec("1-old", plan), h1=9.0)
    _ran(store, _spec("2-new", plan), h1=1.0)
    _ran(store, _spec("3-other", replace(plan, params={"n": 5})), h1=100.0)
    took = expected(_spec("n", replace(plan, blocks=20)), store)
    assert took.least == took.most == pytest.approx(21 * 3.0)
    assert took.sources == ("2-new",)
    assert duration_line(took) == "Expected duration: about 1 min 3 s, by 2-new."


def test_neighbours_add_up_and_a_new_host_is_taken_for_like_the_others(store: RunStore) -> None:
    plan = BenchmarkPlan("x", 4, warmup=0)
    _ran(store, _spec("1-old", plan, hosts=(RunHost("h1", "m1"), RunHost("h9", "m9"))), h1=1.0, h9=2.0)
    alone = expected(_spec("n", plan, hosts=(RunHost("h1", "m1"), RunHost("h9", "m9"))), store)
    assert alone.most == pytest.approx(4 * 6.0), "machines at the same time: the slower one"
    shared = expected(_spec("n", plan, hosts=(RunHost("h1", "m1"), RunHost("h2", "m1"))), store)
    assert shared.most == pytest.approx(2 * 4 * 3.0)


def test_what_no_run_has_executed_is_named(store: RunStore) -> None:
    _ran(store, _spec("1-old", BenchmarkPlan("x", 4)), h1=1.0)
    took = expected(_spec("n", BenchmarkPlan("x", 4), BenchmarkPlan("y", 4)), store)
    assert took.least == pytest.approx(15.0)
    assert (took.most, took.unknown) == (None, ("y",))
    assert duration_line(took) == "Expected duration: over 15 s, by 1-old; y: unknown until it was run once."


def test_a_target_has_a_least_and_a_most_and_a_budget_bounds_it(store: RunStore) -> None:
    _ran(store, _spec("1-old", BenchmarkPlan("x", 4), BenchmarkPlan("y", 4)), h1=1.0)
    target = BenchmarkPlan("x", 60, precision=0.03)
    took = expected(_spec("n", target), store)
    assert took.least == pytest.approx(16 * 3.0)
    assert took.most == pytest.approx(61 * 3.0)
    assert duration_line(took) == "Expected duration: 48 s to 3 min 3 s, by 1-old."
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
