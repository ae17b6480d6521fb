# SPDX-License-Identifier: Apache-2.0
"""Benchmarks that reach beyond pods, executed whole over a fake runtime and a host that tells little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remote_agent.agent.executor import CriExecutor
from remote_agent.agent.schedule import DoTrial
from remote_agent.agent.spec import RunSpec
from remote_agent.benchmarks.images import PULLED
from remote_agent.contract.journal import Trial
from tests.fixtures.fake_cri import IMAGE, FakeCri, serving

PULL, PAUSE = "operations.image.pull", "operations.container.pause"
WATERFALL, CROWD = "operations.container.waterfall", "scalability.concurrent.4"


class World:
    def __init__(self, fake: FakeCri, root: Path) -> None:
        self.fake = fake
        self.executor = CriExecutor(root, root / "logs", settle_s=0.05, return_s=0.3)
        self.spec = RunSpec.from_json(
            {
                "run_id": "run-1", "host": "m1", "seed": 1,
                "combinations": [{"cri": "fake", "handler": "runc", "socket": str(fake.socket)}],
                "benchmarks": [{"name": name} for name in (PULL, PAUSE, WATERFALL, CROWD)],
            }
        )  # fmt: skip

    def trial(self, benchmark: str) -> Trial:
        due = DoTrial(benchmark, 0, 0, "fake/runc", 1, False)
        return self.executor.trial(self.spec, due, lambda: None, lambda *words: None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "cri.sock") as fake:
        yield World(fake, tmp_path)


def test_a_benchmark_without_pods_needs_none_of_their_parameters(world: World) -> None:
    trial = world.trial(PULL)
    assert (trial.status, trial.reason, trial.leaks) == ("ok", None, ())
    assert next(sample.metric for sample in trial.samples) == "PullImage"
    assert world.fake.images == (IMAGE,)
    assert "RunPodSandbox" not in world.fake.names()


def test_an_image_that_a_dead_agent_pulled_is_a_leftover(world: World) -> None:
    world.fake.images = (IMAGE, PULLED)
    assert world.executor.clean(world.spec, lambda *words: None) == 1
    assert list(world.fake.images) == [IMAGE]


def test_a_container_whose_program_is_not_found_cannot_be_paused(world: World) -> None:
    trial = world.trial(PAUSE)
    assert trial.status == "unsupported"
    assert trial.reason is not None
    assert trial.reason.startswith("This host does not tell it: no OCI runtime's program is known for")
    assert (trial.leaks, world.fake.pods) == ((), {})


def test_a_waterfall_has_the_stages_that_the_host_tells_and_no_other(world: World) -> None:
    trial = world.trial(WATERFALL)
    assert (trial.status, trial.reason) == ("ok", None)
    values = {sample.metric: sample.value for sample in trial.samples}
    assert {"SandboxUp", "Created", "FirstLine", "Started"} <= set(values)
    assert {"NamespaceMade", "ShimStarted", "SnapshotMade", "RuntimeSaysStarted"} & set(values) == set()
    assert 0 < values["SandboxUp"] < values["Created"] < values["Started"]


def test_pods_at_once_are_at_the_runtime_at_once(world: World) -> None:
    world.fake.delays_s = {"RunPodSandbox": 0.2}
    trial = world.trial(CROWD)
    assert trial.status == "ok"
    values = {sample.metric: sample.value for sample in trial.samples}
    assert 0.2 <= values["PodStart"] <= values["TotalTime"] < 0.6  # four in a row would take 0.8
    assert (trial.leaks, world.fake.pods) == ((), {})
