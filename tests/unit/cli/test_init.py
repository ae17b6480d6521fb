# SPDX-License-Identifier: Apache-2.0
"""`labctl init`: a folder that works at once, in which nothing is ever overwritten; and what `labctl demo` checks first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import run
from orchestrator.lab import lifecycle
from orchestrator.lab.fresh import write_first
from orchestrator.lab.system import System
from orchestrator.load.inventory import load_inventory
from orchestrator.load.lab import lab_spec
from orchestrator.model.errors import LabError
from orchestrator.model.system_packages import CONTAINER_HOSTS, CONTAINER_IMAGES, NOTHING, Needs, install_hint
from orchestrator.pipeline import lab as lab_story
from orchestrator.pipeline import project as project_story
from orchestrator.shipped import shipped

Capture = pytest.CaptureFixture[str]
TOOL = Path(__file__).parents[3] / "tools/system-packages"


class Machine:
    """A provider that works, or says why not."""

    name, summary = "container", "containers"

    def __init__(self, lacking: Needs = NOTHING) -> None:
        self.lacking = lacking

    def problem(self, besides: Needs = NOTHING) -> LabError | None:
        lacking = [package for proof, package in {**self.lacking, **besides}.items() if proof in self.lacking]
        return LabError("It lacks something.", install_hint(lacking)) if lacking else None


def providers(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    for module in (lifecycle, lab_story, project_story):
        monkeypatch.setattr(module, "PROVIDERS", {"container": lambda system: machine})


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    providers(monkeypatch, Machine())
    monkeypatch.setattr("orchestrator.lab.fresh.networks_here", lambda system: [])
    monkeypatch.setattr("orchestrator.lab.fresh.links_here", lambda system: [])
    monkeypatch.delenv("LABCTL_INVENTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_it_writes_works_at_once(project: Path, capsys: Capture) -> None:
    assert run(["init"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  labctl run --suite first && labctl report"
    assert run(["run", "--dry-run", "--suite", "first", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["suite"] == "first"
    assert planned["inventory"] == str(project / "inventories/lab.yaml")
    lab = lab_spec(load_inventory(project / "inventories/lab.yaml"))
    assert [host.name for host in lab.hosts] == [f"{lab.name}-1", f"{lab.name}-2"]
    assert lab.network is not None and lab.network.bridge == lab.name.replace("lab", "labctl")
    assert lab.hosts[0].key_file.resolve() == project / ".labctl/lab/lab/id_ed25519"
    assert {"/.labctl/", "/runs/"} <= set((project / ".gitignore").read_text().splitlines())


def test_nothing_is_overwritten_and_what_is_there_is_said(project: Path, capsys: Capture) -> None:
    (project / "suites").mkdir()
    (project / "suites/first.yaml").write_text("mine")
    assert run(["init", "--playbooks"]) == 0
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert "suites/first.yaml: is there already, and stays as it is" in capsys.readouterr().out
    assert (project / "suites/first.yaml").read_text() == "mine"
    assert run(["init", "--playbooks"]) == 0
    assert capsys.readouterr().out.count("is there already") == 4
    assert before == {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}


def test_the_playbooks_are_copied_whole_and_without_caches(project: Path, capsys: Capture) -> None:
    assert run(["init", "new", "--playbooks"]) == 0
    source, copy = shipped() / "playbooks", project / "new/playbooks"
    files = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    expected = {path for path in files if "__pycache__" not in path.parts}
    assert {path.relative_to(copy) for path in copy.rglob("*") if path.is_file()} == expected
    assert "  cd new && labctl lab up" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_one_sentence(project: Path, capsys: Capture) -> None:
    (project / "file").write_text("")
    assert run(["init", "file/below"]) == 2
    assert "file/below cannot be written: Not a directory." in capsys.readouterr().err


def test_a_machine_that_cannot_make_a_lab_yet_gets_an_inventory_and_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    providers(monkeypatch, Machine({"nft": "nftables"}))
    assert run(["init"]) == 0
    assert "Run: sudo apt-get install --no-install-recommends nftables" in capsys.readouterr().out


def test_a_machine_without_ip_gets_an_inventory_too(
    monkeypatch: pytest.MonkeyPatch, project: Path, capsys: Capture
) -> None:
    def fail(system: System) -> list[str]:
        raise LabError("`ip -j link` cannot be started.")

    monkeypatch.setattr("orchestrator.lab.fresh.links_here", fail)
    monkeypatch.setattr("orchestrator.lab.fresh.find_tool", lambda name: None)
    assert run(["init"]) == 0
    assert (project / "inventories/lab.yaml").is_file()


def test_two_projects_have_labs_of_two_names(tmp_path: Path) -> None:
    labs = tmp_path / "labs"
    names = [
        write_first(tmp_path / each / "inventories/lab.yaml", "container", System(), labs) for each in "ab"
    ]
    assert len(set(names)) == 2
    (labs / names[0]).mkdir(parents=True)
    (tmp_path / "a/inventories/lab.yaml").unlink()
    assert write_first(tmp_path / "a/inventories/lab.yaml", "container", System(), labs) not in names[:1]


def test_the_demo_says_everything_that_is_missing_before_it_makes_anything(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    providers(monkeypatch, Machine({"nft": "nftables", "skopeo": "skopeo"}))
    assert run(["demo"]) == 2
    captured = capsys.readouterr()
    assert "Run: sudo apt-get install --no-install-recommends nftables skopeo" in captured.err
    assert captured.out == ""
    assert list(project.iterdir()) == []


def test_make_installs_what_the_product_needs() -> None:
    """tools/system-packages runs before there is a Python environment, so it has a list of its own."""
    text = TOOL.read_text()
    lines = text.partition("<<LIST\n")[2].partition("\nLIST\n")[0].splitlines()
    listed = dict(line.split() for line in lines if not line.startswith("$"))
    needed = {**CONTAINER_HOSTS, **CONTAINER_IMAGES}
    assert {proof: needed.get(proof) for proof in listed} == listed
    always_there = {"apt", "dpkg"}
    assert set(needed.values()) - always_there <= set(listed.values())
