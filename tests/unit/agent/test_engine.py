# SPDX-License-Identifier: Apache-2.0
"""The engine over a fake host: what is granted is done once, what was torn is redone, what is cancelled ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remote_agent.agent.engine import MAX_ATTEMPTS, Refused, UnknownRun
from remote_agent.agent.schedule import DoTrial
from remote_agent.agent.spec import RunSpec
from remote_agent.contract.journal import Leak, record

FIRST, SECOND = "operations.container.lifecycle", "scalability.runtime.5"


def _journal(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "runs/run-1/journal.jsonl").read_text().splitlines()]


def _kinds(root: Path) -> list[str]:
    return [line["type"] for line in _journal(root)]


def test_a_whole_run_in_records(spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path) -> None:
    running = run_engine(host)
    running.engine.start(spec)
    running.engine.grant("run-1", {FIRST: 2}, last=True)
    running.until_state("run-1", "complete")
    block = ["block", "trial_started", "trial", "trial_started", "trial", "block_ended"]
    assert _kinds(tmp_path) == ["run", "fingerprint", *block, *block, "fingerprint", "ended"]
    lines = _journal(tmp_path)
    assert lines[0]["spec"] == json.loads(json.dumps(spec.to_json()))
    assert [line["warmup"] for line in lines if line["type"] == "trial"] == [True, True, False, False]
    assert [line["noise"]["ctxt"] for line in lines if line["type"] == "block_ended"] == [20.0, 20.0]
    assert lines[-1]["status"] == "complete"
    assert host.finished == 1


def test_only_what_is_granted_is_done(spec: RunSpec, host: Any, run_engine: Any) -> None:
    running = run_engine(host)
    assert running.engine.start(spec).state == "idle"
    running.engine.grant("run-1", {FIRST: 1}, last=False)
    running.until(lambda: running.engine.status("run-1").done[FIRST] == 1)
    status = running.engine.status()
    assert (status.state, status.trial, len(host.trials)) == ("idle", "", 2)
    running.engine.grant("run-1", {FIRST: 0, SECOND: 1}, last=True)
    running.until_state("run-1", "complete")
    assert running.engine.status("run-1").granted == {FIRST: 1, SECOND: 1}
    assert len(host.trials) == 4


def test_start_is_idempotent_and_refuses_another_spec(spec: RunSpec, host: Any, run_engine: Any) -> None:
    running = run_engine(host)
    assert running.engine.start(spec) == running.engine.start(spec)
    other = RunSpec.from_json({**spec.to_json(), "seed": 8})
    with pytest.raises(Refused, match="run-1"):
        running.engine.start(other)
    with pytest.raises(Refused, match=r"no benchmark x\.y\.z"):
        running.engine.grant("run-1", {"x.y.z": 1}, last=False)
    with pytest.raises(UnknownRun):
        running.engine.grant("run-2", {}, last=False)


def test_killed_in_a_trial_it_is_redone_and_nothing_else_is(
    spec: RunSpec, host: Any, run_engine: Any, killed: type[BaseException], tmp_path: Path
) -> None:
    def die_in_third(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        if len(host.trials) == 3:
            raise killed
        return None

    host.script = die_in_third
    first = run_engine(host)
    first.engine.start(spec)
    first.engine.grant("run-1", {FIRST: 2, SECOND: 1}, last=True)
    first.died()
    assert _kinds(tmp_path)[-1] == "trial_started"

    host.script = lambda due, checkpoint: None
    host.leftovers, host.present = 2, frozenset({Leak("netns", "cni-1")})
    second = run_engine(host)
    second.until_state("run-1", "complete")
    lines = _journal(tmp_path)
    keys = [
        (line["benchmark"], line["block"], line["combination"]) for line in lines if line["type"] == "trial"
    ]
    assert len(keys) == len(set(keys)) == 6
    assert [line["attempt"] for line in lines if line["type"] == "trial"] == [1, 1, 2, 1, 1, 1]
    assert [line.get("resumed") for line in lines if line["type"] == "run"] == [None, True]
    notes = [line["message"] for line in lines if line["type"] == "note"]
    assert any("2 leftover" in note for note in notes)
    assert any("netns cni-1" in note for note in notes), "what a crash leaked is said"
    assert next(line for line in lines if line["type"] == "block_ended" and line["block"] == 1)["noise"][
        "missing"
    ]


def test_a_trial_that_kills_the_agent_again_and_again_is_given_up(
    spec: RunSpec, host: Any, run_engine: Any, killed: type[BaseException], tmp_path: Path
) -> None:
    def die(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        if due.combination.endswith("crun"):
            raise killed
        return None

    host.script = die
    for number in range(MAX_ATTEMPTS):
        running = run_engine(host)
        if number == 0:
            running.engine.start(spec)
            running.engine.grant("run-1", {FIRST: 1}, last=True)
        running.died()
    running = run_engine(host)
    running.until_state("run-1", "complete")
    bad = [line for line in _journal(tmp_path) if line["type"] == "trial" and line["status"] == "failed"]
    assert [line["combination"] for line in bad] == ["containerd/crun"]
    assert f"{MAX_ATTEMPTS} times" in bad[0]["reason"]


def test_a_failing_trial_does_not_stop_the_rest(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path
) -> None:
    host.script = lambda due, checkpoint: (
        "StartContainer: no (INTERNAL)" if "crun" in due.combination else None
    )
    running = run_engine(host)
    running.engine.start(spec)
    running.engine.grant("run-1", {FIRST: 3}, last=True)
    running.until_state("run-1", "complete")
    statuses = [
        (line["combination"], line["status"]) for line in _journal(tmp_path) if line["type"] == "trial"
    ]
    assert sorted(statuses) == [("containerd/crun", "failed")] * 3 + [("containerd/runc", "ok")] * 3


def test_cancel_ends_the_trial_under_way_and_the_run(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path
) -> None:
    inside = threading.Event()

    def until_cancelled(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        inside.set()
        for _ in range(10_000):
            checkpoint()
            threading.Event().wait(0.002)
        return "never cancelled"

    host.script = until_cancelled
    running = run_engine(host)
    running.engine.start(spec)
    running.engine.grant("run-1", {FIRST: 2}, last=True)
    assert inside.wait(10)
    assert running.engine.status("run-1").trial.startswith(FIRST)
    running.engine.cancel("run-1")
    running.until_state("run-1", "cancelled")
    assert _kinds(tmp_path)[-2:] == ["trial_started", "ended"]
    assert _journal(tmp_path)[-1]["status"] == "cancelled"
    assert running.engine.grant("run-1", {FIRST: 9}, last=True).state == "cancelled"


def test_a_cancel_survives_the_agents_death(
    spec: RunSpec, host: Any, run_engine: Any, killed: type[BaseException]
) -> None:
    host.script = _raise(killed)
    first = run_engine(host)
    first.engine.start(spec)
    first.engine.grant("run-1", {FIRST: 1}, last=True)
    first.died()
    first.engine.cancel("run-1")
    second = run_engine(host)
    second.until_state("run-1", "cancelled")
    assert len(host.trials) == 1


def test_one_run_after_another_each_with_its_own_journal(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path
) -> None:
    running = run_engine(host)
    other = RunSpec.from_json({**spec.to_json(), "run_id": "run-2"})
    running.engine.start(spec)
    running.engine.start(other)
    running.engine.grant("run-2", {FIRST: 1}, last=True)
    running.until_state("run-2", "complete")
    running.engine.grant("run-1", {FIRST: 1}, last=True)
    running.until_state("run-1", "complete")
    assert running.engine.status().run_id == "run-2"
    assert {line["run"] for line in _journal(tmp_path) if line["type"] == "run"} == {"run-1"}


def test_a_run_that_cannot_be_read_is_left_alone_and_named(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path
) -> None:
    bad = tmp_path / "runs/bad"
    bad.mkdir(parents=True)
    (bad / "spec.json").write_text("{}")
    torn = tmp_path / "runs/odd"
    torn.mkdir()
    (torn / "spec.json").write_text(json.dumps({**spec.to_json(), "run_id": "odd"}))
    (torn / "journal.jsonl").write_text("nonsense\n" + json.dumps(record("note")) + "\n")
    running = run_engine(host)
    assert running.engine.broken.keys() == {"bad", "odd"}
    assert "spec.json" in running.engine.broken["bad"]
    running.engine.start(spec)
    running.engine.grant("run-1", {FIRST: 1}, last=True)
    running.until_state("run-1", "complete")


def test_a_run_of_a_benchmark_that_is_gone_can_be_read_when_it_has_ended(
    spec: RunSpec, host: Any, run_engine: Any, tmp_path: Path
) -> None:
    ended, torn = ({**spec.to_json(), "run_id": name} for name in ("ended", "torn"))
    for run in (ended, torn):
        folder = tmp_path / "runs" / run["run_id"]
        folder.mkdir(parents=True)
        run["benchmarks"] = [{"name": "operations.of.old", "warmup": 0, "params": {}}]
        (folder / "spec.json").write_text(json.dumps(run))
    journal = json.dumps(record("ended", status="complete")) + "\n"
    (tmp_path / "runs/ended/journal.jsonl").write_text(journal)
    running = run_engine(host)
    assert running.engine.broken.keys() == {"torn"}
    assert "another version" in running.engine.broken["torn"]
    assert running.engine.read("ended", 0).decode() == journal


def _raise(error: type[BaseException]) -> Callable[[DoTrial, Callable[[], None]], str | None]:
    def script(due: DoTrial, checkpoint: Callable[[], None]) -> str | None:
        raise error

    return script
