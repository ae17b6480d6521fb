# SPDX-License-Identifier: Apache-2.0
"""An agent that nobody needs ends by itself, and one that somebody needs does not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from remote_agent.agent.spec import RunSpec
from remote_agent.agent.wake import listening, wake
from remote_agent.gen.labctl.agent.v1 import agent_pb2 as pb
from remote_agent.gen.labctl.agent.v1 import agent_pb2_grpc as pb_grpc

ROOT = Path(__file__).resolve().parents[3]
IDLE_S = 0.5
Agent = tuple["subprocess.Popen[bytes]", pb_grpc.AgentStub]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """The real one, as a process, that ends after half a second without work."""
    path = tmp_path / "agent.sock"
    command = [sys.executable, "-m", "remote_agent.agent.main", "--socket", str(path), "serve"]
    with subprocess.Popen(
        [*command, "--runs", str(tmp_path / "runs"), "--idle", str(IDLE_S)], cwd=ROOT
    ) as process:
        _until(lambda: listening(path))
        with grpc.insecure_channel(
            f"unix:{path}", options=[("grpc.default_authority", "localhost")]
        ) as channel:
            yield process, pb_grpc.AgentStub(channel)
        process.kill()


def _until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_ends_without_a_call(agent: Agent) -> None:
    process, _ = agent
    assert process.wait(20) == 0


def test_a_run_that_has_not_ended_keeps_it_though_nobody_calls(agent: Agent, spec: RunSpec) -> None:
    process, stub = agent
    stub.StartRun(pb.StartRunRequest(spec=spec.to_message()), timeout=10)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(4 * IDLE_S)
    assert stub.Status(pb.StatusRequest(), timeout=10).run_id == "run-1", "it serves yet"


def test_every_call_keeps_it_for_a_while(agent: Agent, spec: RunSpec) -> None:
    process, stub = agent
    began = time.monotonic()
    while time.monotonic() - began < 4 * IDLE_S:
        with pytest.raises(grpc.RpcError):
            stub.Status(pb.StatusRequest(run_id="none"), timeout=10)
        assert process.poll() is None
        time.sleep(IDLE_S / 5)
    assert process.wait(20) == 0


def test_what_nobody_serves_and_no_service_is_for_is_not_started(tmp_path: Path) -> None:
    assert not wake(tmp_path / "no.sock")
