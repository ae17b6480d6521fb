# SPDX-License-Identifier: Apache-2.0
"""What a plan needs before a difference that stands alone can be claimed, and that the shipped suites have it."""

from __future__ import annotations

import pytest

from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec, Suite
from orchestrator.pipeline.run import known_suites
from orchestrator.shipped import shipped
from orchestrator.stats import block_requirement as module
from orchestrator.stats import fleet
from orchestrator.stats.block_requirement import (
    BlockRequirement,
    ShortBenchmark,
    block_requirement,
    planned_comparisons,
)
from orchestrator.stats.families import benjamini_hochberg
from orchestrator.stats.planning import fewest_pairs

COMBINATIONS = tuple(Combination("c", name) for name in ("runc", "crun", "runsc"))


def _hosts(*machines: str) -> tuple[RunHost, ...]:
    return tuple(RunHost(f"h{number}", machine) for number, machine in enumerate(machines))


TWO_HOSTS = _hosts("m", "m")
THREE_MACHINES = _hosts("m1", "m2", "m3")


def _spec(
    hosts: tuple[RunHost, ...],
    *plans: BenchmarkPlan,
    combinations: tuple[Combination, ...] = COMBINATIONS,
) -> RunSpec:
    return RunSpec("id", "s", "i", "t", 1, hosts, combinations, plans, combinations[0].name, "0")


@pytest.mark.parametrize(
    ("machines", "comparisons"),
    [("a", 4), ("aa", 8), ("ab", 8), ("aaa", 12), ("aab", 12), ("abc", 16), ("aabc", 20)],
)
def test_a_fleet_of_three_machines_or_more_is_in_the_family(machines: str, comparisons: int) -> None:
    spec = _spec(_hosts(*machines), BenchmarkPlan("x", 9), BenchmarkPlan("y", 9))
    assert planned_comparisons(spec) == comparisons


def test_a_fleet_begins_where_the_report_says_so() -> None:
    assert module.FLEET == fleet.FEWEST


@pytest.mark.parametrize(("benchmarks", "comparisons"), [(15, 30), (51, 102), (300, 600)])
def test_the_needed_blocks_are_the_fewest_that_survive_the_correction(
    benchmarks: int, comparisons: int
) -> None:
    required = block_requirement(_spec(_hosts("m"), *[BenchmarkPlan("x", 1)] * benchmarks))
    assert required.comparisons == comparisons
    for blocks, claimed in ((required.blocks, True), (required.blocks - 1, False)):
        lone = [2.0 ** (1 - blocks), *[1.0] * (comparisons - 1)]
        assert (benjamini_hochberg(lone)[0] <= 0.05) == claimed


def test_what_has_fewer_is_named_with_what_it_has() -> None:
    plans = BenchmarkPlan("x", 7, warmup=5), BenchmarkPlan("y", 8), BenchmarkPlan("z", 1)
    required = block_requirement(_spec(_hosts("m"), *plans))
    assert required == BlockRequirement(6, 8, (ShortBenchmark("x", 7), ShortBenchmark("z", 1)))


def test_a_target_is_judged_by_its_least_blocks() -> None:
    target = BenchmarkPlan("x", 60, precision=0.03)
    assert block_requirement(_spec(_hosts("m"), *[target] * 400)).short == ()
    required = block_requirement(_spec(_hosts("m"), *[target] * 450))
    assert required.blocks == 16
    assert required.short[0] == ShortBenchmark("x", 15)


def test_one_combination_compares_nothing_and_needs_nothing() -> None:
    spec = _spec(TWO_HOSTS, BenchmarkPlan("x", 1), combinations=COMBINATIONS[:1])
    required = block_requirement(spec)
    assert (required.comparisons, required.short) == (0, ())


SUITES = known_suites([shipped() / "suites"])
HEAVY = {"limits": {"limits.cpu.time"}, "thesis": {"limits.cpu.time"}}
"""Benchmarks of shipped suites that need the company of others: their files say so."""


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: str(suite.name))
@pytest.mark.parametrize("hosts", [_hosts("m"), TWO_HOSTS, _hosts("m", "m", "m"), THREE_MACHINES])
def test_shipped_suites_can_show_a_lone_difference(suite: Suite, hosts: tuple[RunHost, ...]) -> None:
    spec = _spec(hosts, *suite.benchmarks, combinations=suite.combinations)
    short = {benchmark.name for benchmark in block_requirement(spec).short}
    assert short == HEAVY.get(suite.name, set())


@pytest.mark.parametrize("name", HEAVY)
def test_a_suite_says_what_needs_company(name: str) -> None:
    text = " ".join((shipped() / f"suites/{name}.yaml").read_text().replace("#", "").split())
    for benchmark in HEAVY[name]:
        assert f"{benchmark} " in text
    assert "can be claimed only together with other differences" in text


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: str(suite.name))
def test_a_suite_says_what_its_counts_are_measured_by(suite: Suite) -> None:
    """The numbers in a shipped file's comments are those of its plan, on three machines."""
    spec = _spec(THREE_MACHINES, *suite.benchmarks, combinations=suite.combinations)
    text = " ".join((shipped() / f"suites/{suite.name}.yaml").read_text().replace("#", "").split())
    assert f"({planned_comparisons(spec)}" in text
    assert f"{fewest_pairs(planned_comparisons(spec))} " in text
