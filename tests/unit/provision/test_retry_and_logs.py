# SPDX-License-Identifier: Apache-2.0
"""What is left on the controller: who failed the last time, and a log a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.model.errors import ConfigError
from orchestrator.provision.events import Event, Kind
from orchestrator.provision.logs import HostLogs
from orchestrator.provision.retry import FILE, Failed
from remote_agent.contract.steps import Status


def test_hosts_that_were_not_tried_stay_failed(tmp_path: Path) -> None:
    failed, inventory = Failed(tmp_path / "state"), tmp_path / "lab.yaml"
    failed.remember(inventory, {"a": True, "b": True, "c": False})
    failed.remember(tmp_path / "other.yaml", {"a": True})
    failed.remember(inventory, {"a": False})
    assert failed.of(inventory) == {"b"}
    assert failed.of(tmp_path / "other.yaml") == {"a"}
    failed.remember(inventory, {"b": False})
    assert failed.of(inventory) == frozenset()


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ConfigError, match="not what labctl wrote"):
        Failed(tmp_path).of(tmp_path)


def test_a_log_a_host(tmp_path: Path) -> None:
    with HostLogs(tmp_path, lambda: "12:00") as logs:
        logs.emit(Event(Kind.TASK, "a", task="t", module="copy", place="f:1"))
        logs.emit(
            Event(Kind.RESULT, "a", task="t", status=Status.FAILED, msg="no", detail="x\ny", seconds=0.5)
        )
        logs.emit(Event(Kind.ENDED, "b/c", seconds=1))
        assert logs.path("b/c").name == "b_c.log"
    assert (tmp_path / "a.log").read_text().splitlines() == [
        "12:00 task t (copy, f:1)",
        "12:00   failed 0.500 s: no",
        "12:00   | x",
        "12:00   | y",
    ]
    assert "ended" in (tmp_path / "b_c.log").read_text()
