# SPDX-License-Identifier: Apache-2.0
"""A stopping rule in a conductor's hands: it grants as the rule says, tells why it stops, and a kill changes nothing."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.model.run import BenchmarkPlan, RunHost, RunSpec
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs.conductor import conduct
from orchestrator.runs.events import Phase, read_events
from orchestrator.runs.history import History
from orchestrator.runs.session import Link, Patience
from orchestrator.stats.stopping import goal
from remote_agent.contract.benchmark import Metric

if TYPE_CHECKING:
    from tests.unit.runs.conftest import FakeAgent

TOTAL = {name: Metric("Total", "s", ".") for name in ("operations.x.y", "scalability.x.5")}
QUICK = Patience(
    lost=5, cancel=1.0, heartbeat=0.3, settle=0.005, first_pause=0.05, longest_pause=0.1, losses=4
)
TARGET = (
    BenchmarkPlan("operations.x.y", 60, 1, precision=0.03),
    BenchmarkPlan("scalability.x.5", 2, 0),
)


def steady(benchmark: str, block: int, combination: str) -> float:
    return 0.2 if combination.endswith("crun") else 0.1


def noisy(benchmark: str, block: int, combination: str) -> float:
    return math.exp(random.Random(f"{block}{combination}").gauss(0, 0.5))


def settling(benchmark: str, block: int, combination: str) -> float:
    """Noise that is within 3 % after some more blocks than the first look's."""
    return math.exp(random.Random(f"{block}{combination}").gauss(0, 0.04))


def _conduct(spec: RunSpec, folder: RunFolder, agents: Mapping[str, FakeAgent]) -> int:
    @contextmanager
    def reach(host: RunHost, say: Callable[[Phase], None]) -> Iterator[Link]:
        yield Link(agents[host.name].socket, {"containerd": "/run/containerd/containerd.sock"})

    return conduct(spec, folder, reach, lambda: None, QUICK, TOTAL)


def _blocks(agent: FakeAgent) -> Counter[str]:
    records = agent.records()
    seen = {(record["benchmark"], record["block"]) for record in records if record["type"] == "trial"}
    return Counter(benchmark for benchmark, _ in seen)


def _events(folder: RunFolder, kind: str) -> list[Mapping[str, Any]]:
    return [event for event in read_events(folder.events)[0] if event["type"] == kind]


def _stops(folder: RunFolder) -> dict[tuple[str, str], tuple[str, int]]:
    found = [((e["host"], e["benchmark"]), (e["reason"], e["blocks"])) for e in _events(folder, "stop")]
    assert len(found) == len(dict(found)), "each is told once"
    return dict(found)


@pytest.fixture
def ruled(spec: RunSpec) -> RunSpec:
    return replace(spec, benchmarks=TARGET)


@pytest.fixture
def folder(tmp_path: Path, ruled: RunSpec) -> RunFolder:
    return RunStore(tmp_path / "runs").create(ruled)


def test_each_host_gets_as_many_blocks_as_it_takes(
    ruled: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    agents["a"].value, agents["b"].value, agents["c"].value = steady, settling, noisy
    assert _conduct(ruled, folder, agents) == 0
    stops = _stops(folder)
    assert stops["a", "operations.x.y"] == ("precision", 15)
    assert stops["c", "operations.x.y"] == ("maximum", 60)
    reason, counted = stops["b", "operations.x.y"]
    assert reason == "precision"
    assert counted in (20, 25, 30, 35, 40, 45, 50)
    assert {stops[name, "scalability.x.5"] for name in "abc"} == {("fixed", 2)}
    for name in "abc":
        assert _blocks(agents[name]) == {
            "operations.x.y": 1 + stops[name, "operations.x.y"][1],
            "scalability.x.5": 2,
        }
        assert agents[name].records()[-1]["type"] == "ended"


def test_neighbours_still_take_turns(ruled: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]) -> None:
    agents["a"].value, agents["b"].value = steady, settling
    assert _conduct(ruled, folder, agents) == 0
    spans = agents["a"].spans, agents["b"].spans
    assert not any(a < d and c < b for a, b in spans[0] for c, d in spans[1])


def test_a_rule_that_cannot_be_reached_ends_with_a_reason(
    ruled: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    agents["a"].value = agents["b"].value = agents["c"].value = steady
    agents["a"].failing = {"containerd/crun"}
    agents["b"].failing = {"containerd/runc"}
    agents["c"].failing = {"containerd/runc", "containerd/crun"}
    assert _conduct(ruled, folder, agents) == 1
    stops = _stops(folder)
    assert [stops[name, "operations.x.y"] for name in "abc"] == [
        ("precision", 15),
        ("precision", 15),
        ("unmeasured", 15),
    ]


def test_a_budget_ends_it_by_the_hosts_own_clock(
    spec: RunSpec, tmp_path: Path, agents: dict[str, FakeAgent]
) -> None:
    ruled = replace(spec, benchmarks=TARGET[:1], budget=0.4, hosts=(RunHost("c", "m2"),))
    folder = RunStore(tmp_path / "runs").create(ruled)
    agents["c"].trial_seconds, agents["c"].value = 0.02, noisy
    assert _conduct(ruled, folder, agents) == 0
    reason, counted = _stops(folder)["c", "operations.x.y"]
    assert reason == "budget"
    history = History(ruled, {"operations.x.y": "Total"})
    history.add_all(agents["c"].records())
    standing = history.standing("operations.x.y")
    assert standing.blocks == counted + 1
    assert 0.2 < standing.seconds < 0.45
    assert standing.seconds * (counted + 2) / (counted + 1) > 0.4, "another block would not have fitted"


def test_estimates_so_far_come_with_the_blocks(
    ruled: RunSpec, folder: RunFolder, agents: dict[str, FakeAgent]
) -> None:
    for agent in agents.values():
        agent.value = steady
    assert _conduct(ruled, folder, agents) == 0
    blocks = [e for e in _events(folder, "block") if e["host"] == "c" and e["benchmark"] == "operations.x.y"]
    last = blocks[-1]["so_far"]
    assert (last["metric"], last["unit"]) == ("Total", "s")
    assert last["of"] == [
        {"combination": "containerd/crun", "what": "ratio", "n": 15, "value": pytest.approx(2),
         "low": pytest.approx(2), "high": pytest.approx(2)}
    ]  # fmt: skip
    assert blocks[0]["so_far"] is None, "the warm-up block gives no value"


def test_a_killed_conductor_changes_no_decision(
    tmp_path: Path, spec: RunSpec, agents: dict[str, FakeAgent]
) -> None:
    """Killed again and again; what was executed is what the rule says of the journals, as for one that nobody disturbed."""
    ruled = replace(spec, benchmarks=(TARGET[0], replace(TARGET[0], name="scalability.x.5")))
    folder = RunStore(tmp_path / "runs").create(ruled)
    for name, agent in agents.items():
        agent.trial_seconds = 0.01
        agent.value = steady if name == "a" else settling
    script = Path(__file__).with_name("conductor_process.py")
    command = [sys.executable, str(script), str(folder.path), str(tmp_path), "Total"]
    for killed in range(4):
        process = subprocess.Popen(command)
        before = agents["b"].journal.stat().st_size if agents["b"].journal.exists() else 0
        deadline = time.monotonic() + 20
        while (
            len(_events(folder, "conductor")) <= killed
            or not agents["b"].journal.exists()
            or agents["b"].journal.stat().st_size < before + 1500
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    stops = _stops(folder)
    for host in ruled.hosts:
        history = History(ruled, dict.fromkeys(TOTAL, "Total"))
        records = [json.loads(line) for line in folder.journal(host.name).read_text().splitlines()]
        due = _undisturbed(ruled, history, records)
        assert due == {name: stops[host.name, name][1] + 1 for name in TOTAL}
        assert _blocks(agents[host.name]) == due


def _undisturbed(spec: RunSpec, history: History, records: list[dict[str, Any]]) -> dict[str, int]:
    """The blocks that are granted to a host that is alone, whose trials end as ``records`` say."""
    trials = [record for record in records if record["type"] == "trial"]
    found = goal(spec, {})
    while not found.final:
        for record in trials:
            if record["block"] < found.until[record["benchmark"]]:
                history.add(record)
        found = goal(spec, history.standings())
    return dict(found.until)


def test_only_whole_blocks_count(spec: RunSpec) -> None:
    history = History(replace(spec, benchmarks=TARGET), {"operations.x.y": "Total"})
    runc, crun = "containerd/runc", "containerd/crun"

    def trial(block: int, combination: str, value: float, status: str = "ok") -> dict[str, Any]:
        samples = [{"metric": "Total", "value": value, "unit": "s", "item": None}] if status == "ok" else []
        return {"type": "trial", "benchmark": "operations.x.y", "block": block, "combination": combination,
                "status": status, "samples": samples, "elapsed_ns": 10**9, "cleanup_ns": 10**9}  # fmt: skip

    history.add_all([trial(0, runc, 9.0), trial(0, crun, 9.0), trial(1, runc, 1.0)])
    standing = history.standing("operations.x.y")
    assert (standing.blocks, standing.seconds) == (1, 4.0)
    assert not any(standing.values.values()), "warm-up, and a block that is under way"
    history.add_all([trial(1, crun, 3.0), trial(2, runc, 5.0), trial(2, crun, 0.0, "failed")])
    standing = history.standing("operations.x.y")
    assert (standing.blocks, standing.seconds) == (3, 12.0)
    assert standing.values == {runc: {1: 1.0, 2: 5.0}, crun: {1: 3.0}}
    history.add(trial(2, runc, 6.0))
    assert history.standing("operations.x.y").values[runc] == {1: 1.0, 2: 6.0}
    assert history.standing("operations.x.y").seconds == 12.0
