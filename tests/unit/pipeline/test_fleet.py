# SPDX-License-Identifier: Apache-2.0
"""A run for another engine: what is handed over, and how it is concluded from the journals that were brought."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import remote_agent
from orchestrator.cli.run import run as run_command
from orchestrator.cli.runs import look
from orchestrator.model.errors import LabctlError, ResultError, RunError, UsageError
from orchestrator.model.run import RunSpec, RunState, RunStatus
from orchestrator.pipeline import fleet
from orchestrator.pipeline.fleet import conclude, prepare_run
from orchestrator.pipeline.report import result_folder
from orchestrator.pipeline.run import Wanted, plan_run
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs.agent import run_message
from orchestrator.runs.bundle import Bundles, Target
from orchestrator.runs.deploy import SERVICE, WRAPPER
from orchestrator.runs.process import owning
from remote_agent.agent.spec import RunSpec as AgentSpec
from tests.fixtures.synthetic import Wanted as Made
from tests.fixtures.synthetic import journal, write_journal, write_run

NOW = datetime(2026, 11, 23, 22, 45, 1, tzinfo=UTC)
INVENTORY = """\
all:
  hosts:
    h1: {ansible_host: 192.0.2.1, labctl_machine: m1}
    h2: {ansible_host: 192.0.2.2, labctl_machine: m1}
    h3: {ansible_host: 192.0.2.3, labctl_cri_sockets: {containerd: /run/other.sock}}
"""
SUITE = """\
cri: [containerd]
oci: [runc, crun]
filter: [operations.container.lifecycle, scalability.runtime.5]
runs: 7
"""


def wheels(target: Target, requirements: Sequence[str], folder: Path) -> None:
    with zipfile.ZipFile(folder / "grpcio.whl", "w") as wheel:
        wheel.writestr("grpcio/__init__.py", f"# {target.python} {target.arch}")


def no_wheels(target: Target, requirements: Sequence[str], folder: Path) -> None:
    raise RunError("pip found none.")


def bundles(folder: Path, download: Any = wheels) -> Bundles:
    return Bundles(folder / "cache", Path(remote_agent.__path__[0]), download)


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    (tmp_path / "lab.yaml").write_text(INVENTORY)
    (tmp_path / "mine.yaml").write_text(SUITE)
    return plan_run(Wanted("mine", tmp_path / "lab.yaml"), [tmp_path], NOW)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def prepared(tmp_path: Path, spec: RunSpec, store: RunStore) -> RunFolder:
    return prepare_run(spec, store, ("x86_64",), bundles(tmp_path))


def told(folder: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder.fleet / "vars.json").read_text())["labctl_run"]
    return found


def test_each_host_is_asked_what_a_conductor_would_ask(prepared: RunFolder, spec: RunSpec) -> None:
    for host in spec.hosts:
        asked = json.loads((prepared.fleet / "hosts" / f"{host.name}.json").read_text())
        socket = "/run/other.sock" if host.name == "h3" else "/run/containerd/containerd.sock"
        assert AgentSpec.from_json(asked).to_message() == run_message(spec, host.name, {"containerd": socket})
        assert [item["blocks"] for item in asked["benchmarks"]] == [7, 7]
    assert prepared.read_spec() == spec


def test_the_agent_of_every_kind_of_host_lies_beside_it(
    tmp_path: Path, spec: RunSpec, store: RunStore
) -> None:
    folder = prepare_run(spec, store, ("x86_64", "aarch64"), bundles(tmp_path))
    agents = told(folder)["agents"]
    assert set(agents) == {"3.11-x86_64", "3.13-x86_64", "3.11-aarch64", "3.13-aarch64"}
    assert len({agent["version"] for agent in agents.values()}) == 4
    with tarfile.open(folder.fleet / agents["3.13-aarch64"]["archive"]) as archive:
        names = archive.getnames()
        assert archive.extractfile("wheels/grpcio/__init__.py").read() == b"# 3.13 aarch64"  # type: ignore[union-attr]
    assert "remote_agent/agent/main.py" in names
    assert names[-1] == told(folder)["agent"]["marker"], "the last: where it lies, everything does"
    assert (folder.fleet / "labctl-agent").read_text() == WRAPPER
    assert (folder.fleet / told(folder)["agent"]["unit"]).read_text() == SERVICE


def test_hosts_that_share_a_machine_take_turns(prepared: RunFolder) -> None:
    turns = {name: host["takes_turns"] for name, host in told(prepared)["hosts"].items()}
    assert turns == {"h1": True, "h2": True, "h3": False}


def test_it_may_be_taken_anywhere(prepared: RunFolder, tmp_path: Path) -> None:
    for path in prepared.fleet.rglob("*.json"):
        assert str(tmp_path) not in path.read_text()


def test_a_stopping_rule_needs_a_conductor(tmp_path: Path, store: RunStore, spec: RunSpec) -> None:
    wanted = Wanted("mine", tmp_path / "lab.yaml", precision=0.03)
    with pytest.raises(UsageError, match="no conductor that could look at the precision of operations"):
        prepare_run(plan_run(wanted, [tmp_path], NOW), store, ("x86_64",), bundles(tmp_path))
    assert store.ids() == []


@pytest.mark.parametrize("what", ["no wheels", "full"])
def test_no_half_run_is_left(
    tmp_path: Path, store: RunStore, spec: RunSpec, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: Any) -> None:
        raise OSError(28, "No space left on device")

    if what == "full":
        monkeypatch.setattr(fleet.shutil, "copyfile", full)  # type: ignore[attr-defined]
    with pytest.raises((RunError, ResultError)):
        prepare_run(spec, store, ("x86_64",), bundles(tmp_path, no_wheels if what == "no wheels" else wheels))
    assert store.ids() == []
    assert list(tmp_path.glob("runs/*")) == []


def brought(root: Path, made: Made | None = None) -> RunFolder:
    """A prepared run whose journals have been fetched."""
    folder = RunFolder(write_run(root, made))
    folder.fleet.mkdir()
    return folder


def test_a_run_that_was_brought_to_its_end_is_complete(tmp_path: Path) -> None:
    folder = brought(tmp_path)
    assert look(folder).status == "complete"
    state = folder.read_state()
    assert state is not None
    assert (state.status, state.exit_code) == (RunStatus.COMPLETE, 0)
    assert [(host.name, host.trials_done, host.trials_failed) for host in state.hosts] == [
        ("h1", 36, 0),
        ("h2", 36, 0),
    ]


def test_a_failed_trial_is_in_its_exit_code(tmp_path: Path) -> None:
    folder = brought(tmp_path, Made(fails=(("h2", "containerd/crun", 3),)))
    result_folder([folder.path])
    state = folder.read_state()
    assert state is not None
    assert (state.status, state.exit_code) == (RunStatus.COMPLETE, 1)
    assert [host.trials_failed for host in state.hosts] == [0, 1]


@pytest.mark.parametrize("lacking", ["nothing fetched", "half fetched", "torn"])
def test_until_every_host_has_come_to_its_end_it_is_prepared(tmp_path: Path, lacking: str) -> None:
    folder = brought(tmp_path)
    path = folder.journal("h2")
    lines = path.read_bytes().splitlines(keepends=True)
    rest = {"nothing fetched": b"", "half fetched": b"".join(lines[:9]), "torn": b"".join(lines)[:-20]}
    path.write_bytes(rest[lacking])
    assert conclude(folder) is None
    assert look(folder).status == "prepared"
    path.write_bytes(b"".join(lines))
    assert look(folder).status == "complete"


def test_a_cancelled_run_is_cancelled(tmp_path: Path) -> None:
    folder = brought(tmp_path)
    spec = folder.read_spec()
    records = journal(spec, Made(), 0)
    write_journal(folder.path, "h1", [*records[:9], {**records[-1], "status": "cancelled"}])
    state = conclude(folder)
    assert state is not None
    assert (state.status, state.exit_code) == (RunStatus.CANCELLED, 130)


def test_a_conductor_that_has_taken_it_up_decides_itself(tmp_path: Path) -> None:
    folder = brought(tmp_path)
    with owning(folder.lock):
        assert conclude(folder) is None
    assert conclude(folder) is not None
    decided = RunState(folder.id, RunStatus.FAILED, (), "2026-01-01T00:00:00+00:00", 3)
    folder.write_state(decided)
    assert conclude(folder) == decided


def test_a_run_of_labctls_own_is_never_concluded_so(tmp_path: Path) -> None:
    folder = RunFolder(write_run(tmp_path))
    assert conclude(folder) is None
    assert look(folder).status == "interrupted"


def type_(*words: str) -> Result:
    return CliRunner().invoke(run_command, words, standalone_mode=False)


@pytest.mark.parametrize("beside", [["--detach"], ["--resume", "latest"]])
def test_prepare_starts_nothing(beside: list[str]) -> None:
    assert "--prepare starts nothing" in str(type_("--prepare", *beside).exception)


def test_an_architecture_is_for_prepare() -> None:
    assert "--arch goes with --prepare" in str(type_("--suite", "demo", "--arch", "x86_64").exception)


def test_it_says_what_to_type_and_who_takes_turns(
    tmp_path: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fleet, "Bundles", lambda cache, package: bundles(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = type_("--prepare", "--suite", "mine.yaml", "--inventory", "lab.yaml", "--arch", "aarch64")
    assert done.exception is None, done.exception
    (run,) = RunStore(Path("runs")).ids()
    assert f"ansible-playbook -i lab.yaml playbooks/run.yaml -e run={run}\n" in done.output
    assert "h1, h2 share a machine (m1)" in done.output
    assert set(told(RunFolder(Path("runs", run)))["agents"]) == {"3.11-aarch64", "3.13-aarch64"}
    again = type_("--prepare", "--suite", "mine.yaml", "--inventory", "lab.yaml", "--root", "other", "--json")
    assert not isinstance(again.exception, LabctlError)
    assert Path(json.loads(again.stdout)["path"], "fleet/vars.json").exists()
