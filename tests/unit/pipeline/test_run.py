# SPDX-License-Identifier: Apache-2.0
"""A run is planned of suite and inventory, and whatever can be wrong is said before anything begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import ConfigError, RunError, UsageError
from orchestrator.model.run import BenchmarkPlan, RunHost, RunState, RunStatus
from orchestrator.pipeline import run as pipeline
from orchestrator.pipeline.run import Wanted, cancel_run, plan_run, resume_run, suite_folders
from orchestrator.results.store import RunStore
from orchestrator.runs.process import owning

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


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
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
