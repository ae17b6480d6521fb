# SPDX-License-Identifier: Apache-2.0
"""state.json comes back as it was written, and refuses what it does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.lab.state import HostState, LabState, NetworkState, StateFile, with_host
from orchestrator.lab.system import Identity
from orchestrator.model.errors import LabError

STATE = LabState(
    "lab",
    "/somewhere/lab.yaml",
    "container",
    NetworkState("labctl9", "10.231.9.0/24", "10.231.9.1", "labctl_lab", "0"),
    "/somewhere/id",
    True,
    "/somewhere/known_hosts",
    {
        "a": HostState(
            "10.231.9.11", 22, "trixie", True, "ssh-ed25519 AAAA", Identity(7, 99, "boot"), "2026"
        ),
        "b": HostState("10.231.9.12", 22, "trixie"),
    },
)


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = StateFile.of("lab", tmp_path)
    assert file.read() is None
    file.write(STATE)
    assert file.read() == STATE
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["state.json"]


def test_one_host_changes_and_the_others_stay(tmp_path: Path) -> None:
    file = StateFile.of("lab", tmp_path)
    file.write(STATE)
    file.update_host("b", lambda host: replace(host, made=True))
    read = file.read()
    assert read is not None
    assert (read.hosts["b"].made, read.hosts["a"]) == (True, STATE.hosts["a"])
    file.update(lambda state: with_host(state, "a", None))
    after = file.read()
    assert after is not None and list(after.hosts) == ["b"]


def test_another_schema_is_refused_with_its_number(tmp_path: Path) -> None:
    file = StateFile.of("lab", tmp_path)
    file.write(STATE)
    file.path.write_text(json.dumps({**json.loads(file.path.read_text()), "schema": 7}))
    with pytest.raises(LabError, match=r"schema 7, this is 1"):
        file.read()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 1, "network": 3, "hosts": {}}'])
def test_a_torn_file_is_an_error_and_not_an_absent_lab(text: str, tmp_path: Path) -> None:
    file = StateFile.of("lab", tmp_path)
    file.write(STATE)
    file.path.write_text(text)
    with pytest.raises(LabError, match="cannot be read"):
        file.read()


def test_a_state_that_went_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is gone"):
        StateFile.of("lab", tmp_path).update(lambda state: state)
