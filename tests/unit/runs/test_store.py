# SPDX-License-Identifier: Apache-2.0
"""The run store gives back what was put in, finds runs as people name them, and refuses what it cannot read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.model.errors import ResultError, UsageError
from orchestrator.model.run import HostState, RunSpec, RunState, RunStatus
from orchestrator.results.store import RunStore, new_run_id


def test_a_run_is_read_as_it_was_written(tmp_path: Path, spec: RunSpec) -> None:
    folder = RunStore(tmp_path).create(spec)
    assert folder.read_spec() == spec
    assert folder.read_state() is None
    state = RunState(
        spec.id,
        RunStatus.FAILED,
        (HostState("a", RunStatus.FAILED, 3, 1, 2, "gone"), HostState("b", RunStatus.COMPLETE, 8, 0, 0)),
        "2026-11-23T22:46:00+00:00",
        exit_code=3,
    )
    folder.write_state(state)
    assert folder.read_state() == state
    assert sorted(path.name for path in folder.path.iterdir()) == ["hosts", "run.json", "state.json"]
    assert all(folder.journal(host.name).parent.is_dir() for host in spec.hosts)


def test_a_run_that_is_there_is_not_made_again(tmp_path: Path, spec: RunSpec) -> None:
    store = RunStore(tmp_path)
    store.create(spec).write_state(RunState(spec.id, RunStatus.RUNNING, (), "now"))
    with pytest.raises(ResultError, match="cannot be made"):
        store.create(spec)
    assert store.find(spec.id).read_state() is not None


def test_a_run_is_found_by_id_by_its_beginning_and_as_the_latest(tmp_path: Path, spec: RunSpec) -> None:
    store = RunStore(tmp_path)
    with pytest.raises(UsageError, match="no run in"):
        store.find("latest")
    ids = ["20261122-100000-demo-aa", "20261122-100000-demo-aab", "20261123-100000-demo-cc"]
    for name in ids:
        store.create(replace(spec, id=name))
    assert store.ids() == list(reversed(ids))
    assert store.find("latest").id == ids[2]
    assert store.find("20261123").id == ids[2]
    assert store.find(ids[0]).id == ids[0]
    with pytest.raises(UsageError, match="beginning of 2 runs") as caught:
        store.find("20261122")
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match="no run 'x'"):
        store.find("x")


def test_a_run_is_found_by_its_folder_wherever_that_is(tmp_path: Path, spec: RunSpec) -> None:
    made = RunStore(tmp_path / "theirs").create(spec)
    ours = RunStore(tmp_path / "ours")
    for typed in (str(made.path), f"{made.path}/"):
        assert ours.find(typed).path == made.path
    ours.create(replace(spec, id="20261122-100000-demo-aa"))
    with pytest.raises(UsageError, match="no run"):
        ours.find(f"{tmp_path}/theirs")


@pytest.mark.parametrize(("schema", "says"), [(2, "newer labctl .schema 2"), (0, "older labctl .schema 0")])
def test_another_schema_is_refused_with_a_sentence(
    tmp_path: Path, spec: RunSpec, schema: int, says: str
) -> None:
    folder = RunStore(tmp_path).create(replace(spec, schema=schema))
    with pytest.raises(ResultError, match=says):
        folder.read_spec()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"schema": 1, "id', "not JSON"),
        ("[]", "no schema version"),
        (json.dumps({"schema": 1, "hosts": []}), "does not hold"),
        (json.dumps({"schema": 1, "hosts": [], "status": "odd", "id": "x"}), "does not hold"),
    ],
)
def test_a_torn_or_foreign_file_is_refused(tmp_path: Path, spec: RunSpec, text: str, says: str) -> None:
    folder = RunStore(tmp_path).create(spec)
    folder.state_json.write_text(text)
    with pytest.raises(ResultError, match=says):
        folder.read_state()


def test_ids_sort_by_time_and_are_safe_file_names() -> None:
    now = datetime(2026, 11, 23, 22, 45, 1, tzinfo=UTC)
    assert new_run_id("demo", now, "ab12") == "20261123-224501-demo-ab12"
    assert new_run_id("../my suite", now, "ab12") == "20261123-224501-my-suite-ab12"
    assert new_run_id("demo", now) != new_run_id("demo", now)
