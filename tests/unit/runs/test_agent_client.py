# SPDX-License-Identifier: Apache-2.0
"""Waiting for an agent that may just be starting."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.model.errors import ConnectionLost
from orchestrator.runs.agent import AgentClient
from tests.unit.runs.conftest import FakeAgent


def test_an_agent_that_comes_up_late_is_waited_for(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path, "n1")
    agent.down()
    late = threading.Timer(0.3, agent.up)
    late.start()
    try:
        with AgentClient("n1", agent.socket) as client:
            client.wait_until_it_answers(10.0)
    finally:
        late.join()
        agent.down()


def test_an_agent_that_never_comes_up_is_a_lost_connection(tmp_path: Path) -> None:
    with (
        AgentClient("n1", tmp_path / "nobody.sock") as client,
        pytest.raises(ConnectionLost, match=r"n1.*does not answer 1 s after its start"),
    ):
        client.wait_until_it_answers(1.0)
