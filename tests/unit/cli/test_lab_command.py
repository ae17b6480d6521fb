# SPDX-License-Identifier: Apache-2.0
"""`labctl lab`: which inventory it takes, what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.lab import lab
from orchestrator.model.lab import HostResult, HostStanding, HostStatus, LabResult, LabStatus
from orchestrator.pipeline import lab as story


def invoke(*arguments: str, **environ: str) -> Result:
    return CliRunner(env={"LABCTL_INVENTORY": None, **environ}).invoke(
        lab, arguments, standalone_mode=False, catch_exceptions=False
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ([], {}, "inventories/lab.yaml"),
        ([], {"LABCTL_INVENTORY": "env.yaml"}, "env.yaml"),
        (["-i", "option.yaml"], {"LABCTL_INVENTORY": "env.yaml"}, "option.yaml"),
        (["argument.yaml"], {"LABCTL_INVENTORY": "env.yaml"}, "argument.yaml"),
    ],
)
def test_the_inventory_is_what_is_named_first(
    arguments: list[str], environ: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def down(path: Path, progress: object) -> None:
        asked.append(path)

    monkeypatch.setattr(story, "lab_down", down)
    result = invoke("down", *arguments, **environ)
    assert asked == [Path(expected)]
    assert (result.return_value, f"The lab of {expected} is not there" in result.output) == (0, True)


def test_each_failure_is_said_and_the_exit_code_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = (HostResult("a", None, "a cannot be made."), HostResult("b", "made"))
    monkeypatch.setattr(
        story, "lab_up", lambda path, progress: LabResult("lab", hosts, ("the bridge is odd",))
    )
    result = invoke("up")
    assert result.return_value == 1
    assert "a: a cannot be made." in result.stderr
    assert "lab: the bridge is odd" in result.stderr
    assert "are up" not in result.output


def test_status_is_a_table_or_json_and_fails_where_one_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = (
        HostStatus("a", "10.231.9.11", HostStanding.RUNNING, 42, "2026-01-01T00:00:00+00:00"),
        HostStatus("b", "10.231.9.12", HostStanding.STOPPED, reason="its process is gone"),
    )
    found = [LabStatus("lab", Path("lab.yaml"), "container", hosts)]
    monkeypatch.setattr(story, "lab_status", lambda path: found[0])
    table = invoke("status")
    assert table.return_value == 1
    assert ["a", "10.231.9.11", "running", "42", "2026-01-01T00:00:00+00:00"] in [
        line.split() for line in table.output.splitlines()
    ]
    assert "b: its process is gone" in table.output
    data = json.loads(invoke("status", "--json").output)
    assert [(host["name"], host["standing"], host["pid"]) for host in data["hosts"]] == [
        ("a", "running", 42),
        ("b", "stopped", None),
    ]
    found[0] = LabStatus("lab", Path("lab.yaml"), "container", hosts[:1])
    assert invoke("status").return_value == 0
