# SPDX-License-Identifier: Apache-2.0
"""playbooks/run.yaml: what it makes of a host, by what the host's agent says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.load.inventory import load_inventory
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.pipeline.fleet import prepare_run
from orchestrator.pipeline.run import Wanted, plan_run
from orchestrator.provision.channel import Channel
from orchestrator.provision.compile import Options
from orchestrator.provision.engine import HostRun, HostStopped
from orchestrator.provision.files import Blobs, BlobSource
from orchestrator.provision.scope import Variables
from orchestrator.provision.selection import Tags
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs.bundle import Bundle
from orchestrator.runs.deploy import Installed, install_steps
from remote_agent.contract.steps import Outcome, Status, Step
from tests.unit.pipeline.test_fleet import INVENTORY, NOW, SUITE, bundles, told

PLAYBOOK = Path(__file__).parents[3] / "playbooks/run.yaml"
FACTS = {"python_version": "3.13.5", "architecture": "x86_64"}


class AgentHost(Channel):
    """A host whose agent says of the newest run and of this one what it is told to say (None: there is no agent, no such run)."""

    def __init__(self, newest: dict[str, str] | None, this: dict[str, str] | None, executed: int) -> None:
        self.host = "h"
        self.steps: list[Step] = []
        self._newest, self._this, self._executed = newest, this, executed
        self._waiting: list[Step] = []

    def send(self, step: Step) -> None:
        self.steps.append(step)
        self._waiting.append(step)

    def outcome(self, blobs: BlobSource, progress: Any, take: Any = None) -> Outcome:
        step = self._waiting.pop(0)
        result = {"rc": 0, "stdout": "", "stderr": "", **self._result(step)}
        return Outcome(
            step.id, Status.OK if step.module in ("stat", "command") else Status.CHANGED, result=result
        )

    def _result(self, step: Step) -> dict[str, Any]:
        argv = [str(word) for word in step.args.get("argv") or []]
        if step.module == "stat":
            return {"stat": {"exists": self._newest is not None}}
        if step.module == "fetch":
            return {"checksum": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}
        if step.module == "shell":
            return {
                "rc": self._executed,
                "stdout": "" if self._executed == 0 else "2 trials failed.",
            }
        if argv[1:2] == ["status"]:
            asked = self._this if len(argv) > 3 else self._newest
            return {"rc": 2} if asked is None else {"stdout": json.dumps(asked)}
        return {}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "lab.yaml").write_text(INVENTORY)
    (tmp_path / "mine.yaml").write_text(SUITE)
    spec = plan_run(Wanted("mine", tmp_path / "lab.yaml", limit="h2:h3"), [tmp_path], NOW)
    return prepare_run(spec, RunStore(tmp_path / "runs"), ("x86_64",), bundles(tmp_path))


def carried_out(
    folder: RunFolder,
    host: str = "h3",
    newest: dict[str, str] | None = None,
    this: dict[str, str] | None = None,
    executed: int = 0,
    facts: dict[str, Any] | None = None,
) -> tuple[list[Step], str]:
    """The steps that ``host`` was sent, and why it was stopped."""
    inventory, language = load_inventory(folder.path.parents[1] / "lab.yaml"), Language({})
    extra = {"run": folder.id, "runs": str(folder.path.parent), "run_journals": str(folder.path / "brought")}
    variables = Variables(language, inventory, inventory.host(host), extra, check=False)
    variables.learn(facts or FACTS)
    channel = AgentHost(newest, this, executed)
    run = HostRun(channel, variables, Options(language, Blobs(), PLAYBOOK.parent), lambda event: None)
    (play,) = load_playbook(PLAYBOOK, language).plays
    try:
        run.run(play, [{"labctl_run": told(folder)}], Tags())
    except HostStopped as stopped:
        return channel.steps, stopped.message
    return channel.steps, ""


def words(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


def test_the_agent_lies_where_a_conductor_would_have_put_it(folder: RunFolder) -> None:
    steps, stopped = carried_out(folder)
    assert stopped == ""
    archive = folder.fleet / told(folder)["agents"]["3.13-x86_64"]["archive"]
    ref = Blobs().add(archive)
    wanted = install_steps(Bundle(archive, ref.sha256, ref.size), Installed())
    kept = ("path", "src", "dest", "state", "creates", "mode", "force")
    ours = [_shown(step, kept) for step in steps if step.name.startswith("agent : ")]
    for step in wanted:
        assert (step.module, _shown(step, kept)[1]) in ours, step
    for name, content in (
        ("labctl-agent", "/usr/local/bin/labctl-agent"),
        ("labctl-agent.service", "/etc/systemd"),
    ):
        (copied,) = [s for s in steps if s.module == "copy" and str(s.args["dest"]).startswith(content)]
        assert copied.args["src"]["$blob"] == Blobs().add(folder.fleet / name).sha256
    assert words(steps).index("agent : Restart the agent") < words(steps).index("run : Make the run's folder")


def _shown(step: Step, kept: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Of a step what says where a file goes; a copy's source is another way to the same content."""
    return step.module, {
        name: step.args[name] for name in kept if name in step.args and (step.module, name) != ("copy", "src")
    }


def test_the_run_is_checked_started_waited_for_and_fetched(folder: RunFolder) -> None:
    steps, _ = carried_out(folder)
    here = f"/var/lib/labctl/runs/{folder.id}"
    assert words(steps)[-5:] == [
        "run : Bring what is asked of this host",
        "run : How does the run stand",
        "run : Is everything there that the run needs",
        "run : Execute the run",
        "run : Fetch the journal",
    ]
    execute, fetch = steps[-2:]
    agent = "/usr/local/bin/labctl-agent"
    start = f"{agent} start {here}/wanted.json --grant-all"
    assert execute.args["cmd"] == f"{start} && exec {agent} wait {folder.id}"
    assert execute.timeout == 86400
    assert fetch.args["src"] == f"{here}/journal.jsonl"
    assert fetch.args["dest"] == str(folder.path / "brought/h3/journal.jsonl")


def test_a_host_with_a_neighbour_waits_for_its_turn(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(INVENTORY)
    (tmp_path / "mine.yaml").write_text(SUITE)
    spec = plan_run(Wanted("mine", tmp_path / "lab.yaml"), [tmp_path], NOW)
    folder = prepare_run(spec, RunStore(tmp_path / "runs"), ("x86_64",), bundles(tmp_path))
    assert "run : Execute the run when it is this host's turn" in words(carried_out(folder, "h1")[0])
    assert "run : Execute the run" in words(carried_out(folder, "h3")[0])
    (play,) = load_playbook(PLAYBOOK, Language({})).plays
    throttled = [task.title for task in play.tasks if task.throttle]
    assert throttled == ["run : Execute the run when it is this host's turn"]


def test_under_way_it_is_waited_for_and_nothing_is_changed(folder: RunFolder) -> None:
    now = {"run_id": folder.id, "state": "executing"}
    steps, stopped = carried_out(folder, newest=now, this=now)
    assert stopped == ""
    assert not [
        step for step in steps if step.name.startswith("agent : ") and step.module not in ("stat", "command")
    ]
    assert "run : Is everything there that the run needs" not in words(steps)
    assert words(steps)[-2:] == ["run : Execute the run", "run : Fetch the journal"]


def test_another_run_is_left_alone(folder: RunFolder) -> None:
    steps, stopped = carried_out(folder, newest={"run_id": "somebody's", "state": "executing"})
    assert "This host is executing the run somebody's: wait for its end, or cancel it" in stopped
    assert {step.module for step in steps} <= {"stat", "command"}


def test_another_run_that_has_ended_is_no_matter(folder: RunFolder) -> None:
    steps, stopped = carried_out(folder, newest={"run_id": "somebody's", "state": "complete"})
    assert stopped == ""
    assert words(steps)[-1] == "run : Fetch the journal"


def test_a_kind_of_host_that_was_not_prepared_is_named(folder: RunFolder) -> None:
    steps, stopped = carried_out(folder, facts={"python_version": "3.12.1", "architecture": "aarch64"})
    assert "No agent was prepared for 3.12-aarch64 (prepared: 3.11-x86_64, 3.13-x86_64)" in stopped
    assert "--arch aarch64" in stopped
    assert {step.module for step in steps} <= {"stat", "command"}


def test_a_host_that_is_not_of_the_run_is_passed_over(folder: RunFolder) -> None:
    assert carried_out(folder, "h1") == ([], "")


def test_failed_trials_fail_the_host_with_its_journal_at_home(folder: RunFolder) -> None:
    steps, stopped = carried_out(folder, executed=1)
    assert words(steps)[-1] == "run : Fetch the journal"
    assert "2 trials failed." in stopped
