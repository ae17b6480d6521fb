# SPDX-License-Identifier: Apache-2.0
"""What the terminal does with a run: follow, come back, cancel, list; with real conductors and agents that do nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.cli.main import run as labctl
from orchestrator.model.run import RunSpec
from orchestrator.pipeline import run as pipeline
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs.process import owned, owner

if TYPE_CHECKING:
    from tests.unit.runs.conftest import FakeAgent

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(
    tmp_path: Path, spec: RunSpec, agents: dict[str, FakeAgent], monkeypatch: pytest.MonkeyPatch
) -> RunFolder:
    """A run that nobody owns yet; who resumes it gets a real conductor process."""
    script = str(Path(__file__).with_name("conductor_process.py"))
    started: list[subprocess.Popen[bytes]] = []

    def launch(folder: RunFolder) -> None:
        command = [sys.executable, script, str(folder.path), str(tmp_path)]
        started.append(subprocess.Popen(command, start_new_session=True))
        deadline = time.monotonic() + 15
        while not owned(folder.lock) and started[-1].poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    monkeypatch.setattr(pipeline, "_launch", launch)
    monkeypatch.setenv("LABCTL_RUNS", str(tmp_path / "runs"))
    return RunStore(tmp_path / "runs").create(spec)


def _once_under_way(folder: RunFolder, *actions: Callable[[], object]) -> threading.Thread:
    """Do ``actions``, half a second apart, when a trial has been pulled: a busy machine takes its time until then."""

    def work() -> None:
        deadline = time.monotonic() + 60
        while not _pulled(folder) and time.monotonic() < deadline:
            time.sleep(0.02)
        for number, action in enumerate(actions):
            time.sleep(0.5 if number else 0.0)
            action()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _pulled(folder: RunFolder) -> bool:
    return any('"trial"' in path.read_text() for path in folder.path.glob("hosts/*/journal.jsonl"))


def test_attach_starts_a_conductor_follows_and_gives_the_runs_exit_code(
    folder: RunFolder, agents: dict[str, FakeAgent], capsys: Capture
) -> None:
    agents["c"].failing = {"containerd/crun"}
    assert labctl(["attach", folder.id[:12]]) == 1
    said = capsys.readouterr().out
    assert said.count("block ") >= 12
    assert "a: operations.x.y block 1/3, warm-up, 0." in said
    assert "c: containerd/crun operations.x.y block 1 failed: no" in said
    assert "Complete: 24 trials, 4 failed, 0 leaks" in said
    assert labctl(["attach"]) == 1, "again, it only shows what was"
    assert "Complete: 24 trials" in capsys.readouterr().out


def test_run_resume_takes_a_run_up_also_without_following_it(folder: RunFolder, capsys: Capture) -> None:
    assert labctl(["run", "--resume", folder.id[:12], "--detach"]) == 0
    assert capsys.readouterr().out.strip() == folder.id
    assert labctl(["run", "--resume", folder.id]) == 0
    assert "Complete: 24 trials, 0 failed" in capsys.readouterr().out


def test_attach_json_prints_json_alone(folder: RunFolder, capsys: Capture) -> None:
    assert labctl(["attach", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["status"], said["exit_code"], len(said["hosts"])) == ("complete", 0, 3)


def test_a_killed_conductor_is_named_and_attach_takes_the_run_up(
    folder: RunFolder, agents: dict[str, FakeAgent], capsys: Capture
) -> None:
    for agent in agents.values():
        agent.trial_seconds = 0.1

    def kill() -> None:
        pid = owner(folder.lock)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    timer = _once_under_way(folder, kill)
    assert labctl(["attach"]) == 1
    timer.join()
    said = capsys.readouterr()
    assert "has lost its conductor" in said.err
    assert f"labctl attach {folder.id}" in said.err
    assert labctl(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "interrupted"
    assert labctl(["attach"]) == 0
    said = capsys.readouterr()
    assert "taken up where it was left" in said.out
    assert "Complete: 24 trials, 0 failed" in said.out


def test_cancel_ends_the_run_and_waits_for_it(
    folder: RunFolder, agents: dict[str, FakeAgent], capsys: Capture
) -> None:
    for agent in agents.values():
        agent.trial_seconds = 0.3
    pipeline.resume_run(folder)
    _once_under_way(folder).join()
    assert labctl(["cancel"]) == 0
    assert "Cancelled: " in capsys.readouterr().out
    assert labctl(["attach"]) == 130
    assert labctl(["cancel"]) == 1
    assert "ended already (cancelled)" in capsys.readouterr().err


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_detaches_and_the_run_goes_on(
    folder: RunFolder, agents: dict[str, FakeAgent], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.cli.follow.SECOND_CHANCE", 0.2)
    for agent in agents.values():
        agent.trial_seconds = 0.1
    timer = _once_under_way(folder, _interrupt)
    assert labctl(["attach"]) == 130
    timer.join()
    assert f"Detached; the run goes on. labctl attach {folder.id}" in capsys.readouterr().err
    assert owned(folder.lock)
    assert labctl(["attach"]) == 0


def test_a_second_ctrl_c_cancels_and_cleans_up(
    folder: RunFolder, agents: dict[str, FakeAgent], capsys: Capture
) -> None:
    for agent in agents.values():
        agent.trial_seconds = 0.3
    timer = _once_under_way(folder, _interrupt, _interrupt)
    assert labctl(["attach"]) == 130
    timer.join()
    assert "Cancelling" in capsys.readouterr().err
    state = folder.read_state()
    assert state is not None
    assert state.status == "cancelled"
    assert all(agent.records()[-1]["status"] == "cancelled" for agent in agents.values())


def test_runs_are_listed_newest_first_and_a_foreign_one_says_why_it_cannot_be_read(
    folder: RunFolder, spec: RunSpec, capsys: Capture
) -> None:
    store = RunStore(folder.path.parent)
    store.create(replace(spec, id="20270101-000000-demo-zz", schema=9))
    assert labctl(["runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in listed] == ["20270101-000000-demo-zz", spec.id]
    assert [each["status"] for each in listed] == ["unreadable", "interrupted"]
    assert "newer labctl" in listed[0]["problem"]
    assert labctl(["runs"]) == 0
    said = capsys.readouterr()
    assert spec.id in said.out
    assert "newer labctl" in said.err


@pytest.mark.parametrize("verb", ["attach", "cancel", "fetch"])
def test_a_run_that_is_not_there_is_a_usage_error(folder: RunFolder, verb: str, capsys: Capture) -> None:
    assert labctl([verb, "nosuch"]) == 2
    assert "There is no run 'nosuch'" in capsys.readouterr().err


def test_fetch_leaves_a_run_that_is_under_way_alone(
    folder: RunFolder, agents: dict[str, FakeAgent], capsys: Capture
) -> None:
    for agent in agents.values():
        agent.trial_seconds = 0.1
    pipeline.resume_run(folder)
    assert labctl(["fetch"]) == 1
    assert "is under way" in capsys.readouterr().err
    assert labctl(["attach"]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--suite", "nosuch"], "There is no suite named 'nosuch'"),
        (["--suite", "demo", "--inventory", "none.yaml"], "none.yaml"),
        (["--suite", "demo", "--limit", "h9"], "h9"),
        (["--suite", "demo", "--baseline", "crio/runc"], "The baseline 'crio/runc'"),
        (["--suite", "demo", "--runs", "0"], "--runs"),
        ([], "Name a suite"),
        (
            ["--suite", "demo", "--runs", "3", "--precision", "3%"],
            "--runs and --precision exclude each other",
        ),
        (["--suite", "demo", "--precision", "3"], "'3' is no share; write 3% or 0.03"),
        (["--suite", "demo", "--budget", "30m"], "--budget needs a precision target"),
        (["--suite", "demo", "--precision", "3%", "--budget", "30"], "write it with its unit"),
        (["--suite", "demo", "--profile", "slow"], "--profile"),
        (["--resume", "x", "--suite", "demo", "--runs", "3"], "leave --suite, --runs out"),
    ],
)
def test_what_is_typed_wrong_is_one_sentence_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, words: list[str], says: str
) -> None:
    (tmp_path / "lab.yaml").write_text("all: {hosts: {h1: {ansible_host: 192.0.2.1}}}\n")
    monkeypatch.setenv("LABCTL_INVENTORY", str(tmp_path / "lab.yaml"))
    assert labctl(["run", *words, "--root", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_says_what_would_be_executed_and_starts_nothing(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "lab.yaml").write_text("all: {hosts: {h1: {ansible_host: 192.0.2.1}}}\n")
    words = [
        "run",
        "--suite",
        "demo",
        "--inventory",
        str(tmp_path / "lab.yaml"),
        "--root",
        str(tmp_path / "runs"),
    ]
    assert labctl([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "42 trials a host, 42 in all" in said
    assert "profile thesis" in said
    assert "Enough to claim a difference that stands alone among 2 comparisons: it needs 7 blocks." in said
    assert re.search(r"Expected duration: about .*, by typical durations on a .*machine with \d+ CPU", said)
    assert labctl([*words, "--dry-run", "--precision", "3%", "--budget", "30m", "--profile", "quick"]) == 0
    said = capsys.readouterr().out
    assert "15 to 60 blocks after 1 warm-up, until every interval is within 3 %" in said
    assert "Budget: 30 min of work a host" in said
    assert "At most 244 trials a host" in said
    assert "profile quick" in said
    assert labctl([*words, "--dry-run", "--json", "--seed", "5"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["seed"] == 5
    assert plan["block_requirement"] == {"comparisons": 2, "blocks": 7, "short": []}
    assert plan["expected"]["typical"] == ["operations.container.lifecycle", "scalability.runtime.5"]
    assert not (tmp_path / "runs").exists()


TOO_FEW = (
    "A difference that stands alone among 4 comparisons can be claimed from 8 blocks on. Every benchmark has 7: "
    "differences there can be claimed only together with others. `--runs 8` would be enough.\n"
)


@pytest.mark.parametrize("way", ["--detach", "--prepare", "--json", "--dry-run"])
def test_too_few_blocks_are_said_before_the_run_which_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, way: str
) -> None:
    (tmp_path / "lab.yaml").write_text("all: {hosts: {h1: {}, h2: {}}, vars: {labctl_machine: m}}\n")
    monkeypatch.setattr(pipeline, "_launch", lambda folder: None)
    monkeypatch.setattr("orchestrator.cli.run.prepare_run", lambda *arguments: None)
    monkeypatch.setattr("orchestrator.cli.follow.follow_run", lambda *arguments: 0)
    words = [
        "run",
        "--suite",
        "demo",
        "--inventory",
        str(tmp_path / "lab.yaml"),
        "--root",
        str(tmp_path / "r"),
    ]
    for runs in ("8", "7"):
        assert labctl([*words, "--runs", runs, way]) == 0
        printed = capsys.readouterr()
        said = printed.out if way == "--dry-run" else printed.err
        assert (TOO_FEW in said) == (runs == "7")
    assert "--runs 8" not in (printed.err if way == "--dry-run" else printed.out)


def test_an_unreachable_host_gives_exit_code_3(tmp_path: Path, capsys: Capture) -> None:
    """Through the real conductor and the real SSH, to a port on which nobody listens."""
    (tmp_path / "lab.yaml").write_text("all: {hosts: {h1: {ansible_host: 127.0.0.1, ansible_port: 9}}}\n")
    words = [
        "run",
        "--suite",
        "demo",
        "--inventory",
        str(tmp_path / "lab.yaml"),
        "--root",
        str(tmp_path / "runs"),
    ]
    assert labctl(words) == 3
    said = capsys.readouterr().out
    assert "h1: failed: " in said
    assert "h1: failed: h1:" not in said
    assert "Failed: 0 trials" in said


def test_list_tells_of_suites_benchmarks_and_metrics(capsys: Capture) -> None:
    assert labctl(["list"]) == 0
    short = capsys.readouterr().out
    assert "scalability.runtime.50" in short
    assert "CreateAndRun" not in short
    assert labctl(["list", "--long"]) == 0
    assert "CreateAndRun" in capsys.readouterr().out
    assert labctl(["list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {suite["name"] for suite in told["suites"]} >= {"demo", "operations", "scalability"}
