# SPDX-License-Identifier: Apache-2.0
"""A Debian 12 and a Debian 13 host in one inventory: provisioned, benchmarked, reported; what one of them cannot have is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.store import RunStore
from tests.lab.conftest import quiet, write_inventory

pytestmark = pytest.mark.lab

REASON = "Debian 12 has crun 1.8.1"
SUITE = "cri: [{cri}]\noci: [{oci}]\nbaseline: containerd/runc\nfilter: [operations.container.lifecycle]\nruns: 6\n"
OLDER, NEWER = "debian12", "debian13"


class Project:
    """A project folder with an inventory of the two hosts, which are up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inventory = folder / "mixed.yaml"

    def labctl(self, *words: str, expected: int = 0) -> str:
        """Run labctl in the project. Return what it prints."""
        repository = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli.main", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(repository), "LABCTL_INVENTORY": str(self.inventory)},
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert done.returncode == expected, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def changes(self, *words: str) -> dict[str, int]:
        """Provision. Return how many tasks changed each host."""
        recap = json.loads(self.labctl("provision", "--json", *words).splitlines()[-1])
        return {host["host"]: host["changed"] for host in recap["hosts"]}

    def run(self, cri: str, oci: str) -> dict[str, Counter[tuple[str, str]]]:
        """Execute the life cycle. Return, of each host, how many trials of a combination ended how."""
        suite = self.folder / "suite.yaml"
        suite.write_text(SUITE.format(cri=cri, oci=oci))
        events = self.labctl("run", "--suite", str(suite))
        assert f"crun is not to be had on this host: {REASON}" in events
        run = RunStore(self.folder / "runs").find("latest")
        found: dict[str, Counter[tuple[str, str]]] = {}
        for host in (OLDER, NEWER):
            records: list[dict[str, Any]] = [
                json.loads(line) for line in run.journal(host).read_text().splitlines()
            ]
            trials = [record for record in records if record.get("type") == "trial"]
            found[host] = Counter((trial["combination"], trial["status"]) for trial in trials)
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    from orchestrator.pipeline.lab import lab_down, lab_up

    folder = tmp_path_factory.mktemp("mixed")
    name = f"mixed{os.getpid()}"
    text = write_inventory(folder, name).read_text()
    text = text.replace(f"    {name}-1:\n", f"    {OLDER}:\n      labctl_lab_release: bookworm\n")
    project = Project(folder)
    project.inventory.write_text(text.replace(f"    {name}-2:\n", f"    {NEWER}:\n"))
    try:
        assert lab_up(project.inventory, quiet).ok
        yield project
    finally:
        removed = lab_down(project.inventory, quiet)
    assert removed is not None and removed.ok, removed


def assert_said_everywhere(project: Project) -> None:
    """The plan, doctor and the report name what Debian 12 cannot have, and why."""
    plan = {host["host"]: host for host in json.loads(project.labctl("plan", "--json"))["hosts"]}
    assert [message for message in plan[OLDER]["messages"] if REASON in message]
    assert not plan[NEWER]["messages"]
    found = json.loads(project.labctl("doctor", "--json", expected=1))
    why = {each["oci"]: each["why"] for each in found[OLDER]["combinations"] if each["cri"] == "containerd"}
    assert REASON in why["crun"] and why["runc"] is None
    assert REASON in project.labctl("report")


def assert_done(found: dict[str, Counter[tuple[str, str]]], combinations: set[str]) -> None:
    """Every trial of both hosts went well, but those of crun on Debian 12, which are not supported."""
    blocks = 7
    assert found[NEWER] == {(name, "ok"): blocks for name in combinations}
    assert found[OLDER] == {
        (name, "unsupported" if name.endswith("/crun") else "ok"): blocks for name in combinations
    }


def test_from_debians_packages(project: Project) -> None:
    assert all(project.changes("--source", "debian").values())
    assert project.changes("--source", "debian") == {OLDER: 0, NEWER: 0}
    assert_done(project.run("containerd", "runc, crun"), {"containerd/runc", "containerd/crun"})
    assert_said_everywhere(project)


def test_what_is_built_with_c_on_debian_12_runs_on_both(project: Project) -> None:
    """runc is the smallest program that has C in it; all components are built in `make test-long`."""
    project.labctl(
        "build", "runc", "containerd", "cni-plugins", "crun", "--release", "bookworm", "--release", "trixie"
    )
    built = ("--extra-vars", "@.labctl/artifacts.yaml")
    assert all(project.changes(*built).values())
    assert project.changes(*built) == {OLDER: 0, NEWER: 0}
    assert_done(project.run("containerd", "runc, crun"), {"containerd/runc", "containerd/crun"})


@pytest.mark.long
def test_everything_from_source(project: Project) -> None:
    """CRI-O and what it needs too: five minutes, most of them for one compiler."""
    assert all(project.changes().values())
    assert project.changes() == {OLDER: 0, NEWER: 0}
    combinations = {f"{cri}/{oci}" for cri in ("containerd", "crio") for oci in ("runc", "crun", "runsc")}
    assert_done(project.run("containerd, crio", "runc, crun, runsc"), combinations)
    assert_said_everywhere(project)
