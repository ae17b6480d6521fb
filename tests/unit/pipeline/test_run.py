# SPDX-License-Identifier: Apache-2.0
"""A run is planned of suite and inventory, and whatever can be wrong is said before anything begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import ConfigError, RunError, UsageError
from orchestrator.model.run import BenchmarkPlan, RunHost, RunSpec, RunState, RunStatus
from orchestrator.pipeline import run as pipeline
from orchestrator.pipeline.run import Wanted, cancel_run, plan_run, resume_run
from orchestrator.results.store import RunStore
from orchestrator.runs.agent import run_message
from orchestrator.runs.process import owning
from orchestrator.shipped import suite_folders
from remote_agent.agent.schedule import OpenBlock, Progress, next_step
from remote_agent.agent.spec import RunSpec as AgentSpec
from remote_agent.agent.store import Grants

NOW = datetime(2026, 11, 23, 22, 45, 1, tzinfo=UTC)
INVENTORY = """\
all:
  hosts:
    h1: {ansible_host: 192.0.2.1, labctl_machine: m1}
    h2: {ansible_host: 192.0.2.2, labctl_machine: m1}
    h3: {ansible_host: 192.0.2.3, labctl_cri_sockets: {other: /run/other.sock}}
"""
SUITE = "cri: [containerd]\noci: [runc, crun]\nfilter: [operations.container.lifecycle, scalability.runtime.5]\nruns: 7\n"


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    (tmp_path / "lab.yaml").write_text(INVENTORY)
    (tmp_path / "mine.yaml").write_text(SUITE)
    return Wanted("mine", tmp_path / "lab.yaml")


def test_a_plan_is_the_suite_on_the_hosts(tmp_path: Path, wanted: Wanted) -> None:
    spec = plan_run(wanted, [tmp_path], NOW)
    assert spec.id.startswith("20261123-224501-mine-")
    assert spec.created == "2026-11-23T22:45:01+00:00"
    assert spec.inventory == str(tmp_path / "lab.yaml")
    assert spec.hosts == (RunHost("h1", "m1"), RunHost("h2", "m1"), RunHost("h3", "h3"))
    assert [item.name for item in spec.combinations] == ["containerd/runc", "containerd/crun"]
    assert spec.benchmarks == (
        BenchmarkPlan("operations.container.lifecycle", 7),
        BenchmarkPlan("scalability.runtime.5", 7),
    )
    assert spec.baseline == "containerd/runc", "the first, where the suite names none"
    assert plan_run(wanted, [tmp_path], NOW).seed != spec.seed


def test_what_builds_is_not_benched(tmp_path: Path, wanted: Wanted) -> None:
    wanted.inventory.write_text(INVENTORY + "  children:\n    builders:\n      hosts:\n        h2:\n")
    assert [host.name for host in plan_run(wanted, [tmp_path], NOW).hosts] == ["h1", "h3"]
    with pytest.raises(UsageError, match="h2 is of the group `builders`"):
        plan_run(replace(wanted, limit="h2"), [tmp_path], NOW)


def test_what_is_typed_goes_before_the_suite(tmp_path: Path, wanted: Wanted) -> None:
    typed = replace(wanted, limit="h3", runs=3, seed=5, baseline="containerd/crun")
    spec = plan_run(typed, [tmp_path], NOW)
    assert ([host.name for host in spec.hosts], spec.seed, spec.baseline) == (["h3"], 5, "containerd/crun")
    assert {plan.blocks for plan in spec.benchmarks} == {3}


def test_a_target_that_is_typed_holds_for_every_benchmark(tmp_path: Path, wanted: Wanted) -> None:
    spec = plan_run(replace(wanted, precision=0.03, budget=600.0), [tmp_path], NOW)
    assert spec.budget == 600
    assert {(plan.blocks, plan.precision, plan.budget) for plan in spec.benchmarks} == {(60, 0.03, None)}


RULED = "precision: 5%\nbudget: 10m\nbenchmarks: {scalability.runtime.5: {budget: 1m}}\n"


@pytest.mark.parametrize(
    ("typed", "plans", "budget"),
    [
        ({}, [(60, 0.05, None), (60, 0.05, 60)], 600),
        ({"runs": 9}, [(9, None, None), (9, None, None)], None),
        ({"budget": 30.0}, [(60, 0.05, None), (60, 0.05, None)], 30),
        ({"precision": 0.1}, [(60, 0.1, None), (60, 0.1, 60)], 600),
    ],
)
def test_what_is_typed_goes_before_the_suites_rule(
    tmp_path: Path, wanted: Wanted, typed: dict[str, Any], plans: list[Any], budget: float | None
) -> None:
    (tmp_path / "mine.yaml").write_text(SUITE.replace("runs: 7\n", RULED))
    spec = plan_run(replace(wanted, **typed), [tmp_path], NOW)
    assert [(plan.blocks, plan.precision, plan.budget) for plan in spec.benchmarks] == plans
    assert spec.budget == budget


def test_the_same_seed_hosts_and_suite_give_the_same_orders(tmp_path: Path, wanted: Wanted) -> None:
    """Through the message that the conductor sends, into the agent's own schedule."""
    orders = [_orders(plan_run(replace(wanted, seed=seed), [tmp_path], NOW)) for seed in (7, 7, 8)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert len(orders[0]) == 3 * 2 * 8
    assert len(set(orders[0].values())) == 2, "both orders of two combinations occur"


def _orders(spec: RunSpec) -> dict[tuple[str, str, int], tuple[str, ...]]:
    found = {}
    for host in spec.hosts:
        told = AgentSpec.from_message(run_message(spec, host.name, {"containerd": "/run/c.sock"}))
        grants, progress = Grants({plan.name: 8 for plan in spec.benchmarks}, last=True), Progress()
        while isinstance(step := next_step(told, grants, progress), OpenBlock):
            found[host.name, step.benchmark, step.block] = step.order
            progress.closed.add((step.benchmark, step.block))
    return found


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"runs": 3, "precision": 0.03}, UsageError, "--runs and --precision exclude each other"),
        ({"budget": 30.0}, UsageError, "--budget needs a precision target. Add --precision 3%"),
        ({"runs": 3, "budget": 30.0}, UsageError, "--budget needs a precision target"),
        ({"suite": "nosuch"}, UsageError, "no suite named 'nosuch'. Suites: mine"),
        ({"baseline": "crio/runc"}, UsageError, "It has: containerd/runc, containerd/crun"),
        ({"limit": "h9"}, UsageError, "h9"),
        ({"inventory": Path("none.yaml")}, ConfigError, "none.yaml"),
    ],
)
def test_what_is_wrong_is_said_before_anything_begins(
    tmp_path: Path, wanted: Wanted, change: dict[str, Any], error: type[UsageError], says: str
) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "mine.yaml").write_text(SUITE)
    with pytest.raises(error) as caught:
        plan_run(replace(wanted, **change), [tmp_path / "suites"], NOW)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_runtime_whose_socket_nobody_knows_is_refused(tmp_path: Path, wanted: Wanted) -> None:
    (tmp_path / "mine.yaml").write_text(SUITE.replace("[containerd]", "[other]"))
    assert len(plan_run(replace(wanted, limit="h3"), [tmp_path], NOW).hosts) == 1
    with pytest.raises(UsageError, match=r"'other' listens.*labctl_cri_sockets"):
        plan_run(wanted, [tmp_path], NOW)


def test_an_ended_run_is_neither_resumed_nor_cancelled(
    tmp_path: Path, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []
    monkeypatch.setattr(pipeline, "_launch", lambda folder: launched.append(folder.id))
    folder = RunStore(tmp_path / "runs").create(plan_run(wanted, [tmp_path], NOW))
    resume_run(folder)
    with owning(folder.lock):
        resume_run(folder)
    assert launched == [folder.id], "only where nobody owns it"
    cancel_run(folder)
    assert folder.cancel.exists()
    assert len(launched) == 2, "a new conductor does the cancelling"
    folder.write_state(RunState(folder.id, RunStatus.COMPLETE, (), "now", exit_code=0))
    resume_run(folder)
    assert len(launched) == 2
    with pytest.raises(RunError, match=r"ended already .complete."):
        cancel_run(folder)


def test_suites_are_looked_for_here_first_then_in_labctl() -> None:
    here, brought = suite_folders()
    assert here == Path("suites")
    assert (brought / "demo.yaml").is_file()
