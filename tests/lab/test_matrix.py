# SPDX-License-Identifier: Apache-2.0
"""The whole matrix: every CRI runtime with every OCI runtime, from source, on real hosts; nothing fails, nothing leaks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.results.store import RunFolder, RunStore

if TYPE_CHECKING:
    from tests.lab.conftest import LabOfTests

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]


def labctl(*words: str | Path, timeout: float = 1800) -> str:
    command = [sys.executable, "-m", "orchestrator.cli.main", *map(str, words)]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def execute(inventory: Path, folder: Path, cri: str, oci: str, runs: int, warmup: int = 1) -> RunFolder:
    suite = folder / "matrix.yaml"
    suite.write_text(
        f"cri: [{cri}]\noci: [{oci}]\nfilter: [operations.container.lifecycle]\nruns: {runs}\nwarmup: {warmup}\n"
    )
    labctl("run", "--suite", suite, "--inventory", inventory, "--root", folder / "runs")
    return RunStore(folder / "runs").find("latest")


def trials(run: RunFolder, host: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in run.journal(host).read_text().splitlines()]
    return [line for line in lines if line.get("type") == "trial"]


def combinations(cri: str, oci: str) -> set[str]:
    return {f"{one}/{other}" for one in cri.split(", ") for other in oci.split(", ")}


def test_all_six_combinations_on_two_hosts(provisioned_lab: LabOfTests, tmp_path: Path) -> None:
    cri, oci = "containerd, crio", "runc, crun, runsc"
    run = execute(provisioned_lab.inventory, tmp_path, cri, oci, runs=2)
    for host in provisioned_lab.spec.hosts:
        found = trials(run, host.name)
        assert Counter((trial["combination"], trial["status"]) for trial in found) == {
            (name, "ok"): 3 for name in combinations(cri, oci)
        }, found
        assert not any(trial["leaks"] for trial in found)
