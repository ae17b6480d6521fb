# SPDX-License-Identifier: Apache-2.0
"""Does it find what is there, and nothing else? One runtime under two names, and one that is late by a known time.

Three hosts of this machine, declared as three machines: a simulation, which the report must say, and the way to see what is said
across machines from end to end.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

from orchestrator.model.verdict import Scope
from orchestrator.pipeline.lab import lab_down, lab_up
from orchestrator.pipeline.report import digested
from orchestrator.results.store import RunFolder, RunStore
from tests.lab.conftest import BUILD_SECONDS, quiet, write_inventory

if TYPE_CHECKING:
    from orchestrator.model.estimates import Estimates, Pair

pytestmark = [pytest.mark.lab, pytest.mark.timeout(BUILD_SECONDS + 900)]

HOSTS = 3
BLOCKS = 24
LATER = "crio/runc-late"
ALPHA = 0.001
"""At 0.05 one A/A comparison in twenty is a claim by design (STATISTICS.md)."""

LATE = """\
#!/bin/sh
# runc, 20 ms late where it starts a container: a CRI runtime calls it so once in a StartContainer (and otherwise more often).
case " $* " in *" start "*) sleep 0.02 ;; esac
exec /opt/labctl/runc/current/bin/runc "$@"
"""
COMPONENT = """\
summary: runc, late by a known time
source: prebuilt
version: "1"
prebuilt:
  bin/runc-late: {{path: late.sh, sha256: {sha256}}}
handler: {{name: runc-late, program: bin/runc-late}}
"""
EXTRA = """\
    labctl_extra_handlers:
      runc-again: {program: /opt/labctl/runc/current/bin/runc, kind: runc}
"""
DELAY = """
import statistics, subprocess, time
def took(program):
    begin = time.monotonic()
    subprocess.run([program, "start", "there-is-none"], stderr=subprocess.DEVNULL)
    return time.monotonic() - begin
pairs = [(took("/opt/labctl/runc-late/current/bin/runc-late"), took("/opt/labctl/runc/current/bin/runc")) for _ in range(60)]
print(statistics.median(late - own for late, own in pairs))
"""


def labctl(*words: str | Path, given: str | None = None) -> str:
    command = [sys.executable, "-m", "orchestrator.cli.main", *map(str, words)]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@dataclass(frozen=True)
class Truth:
    """A run of runc, runc again, and runc that is late, on three hosts; ``delay_s``: by how much it is, measured on each."""

    folder: RunFolder
    estimates: Estimates
    delay_s: dict[str, float]
    said: str


@pytest.fixture(scope="module")
def truth(lab_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Truth]:
    folder = tmp_path_factory.mktemp("truth")
    inventory = write_inventory(folder, "truth", hosts=HOSTS)
    text = inventory.read_text().replace("    labctl_machine: this-machine\n", EXTRA)
    names = [f"truth-{number}" for number in range(1, HOSTS + 1)]
    for name in names:
        text = text.replace(f"    {name}:\n", f"    {name}:\n      labctl_machine: m-{name}\n")
    inventory.write_text(text)
    components = folder / "components/runc-late"
    components.mkdir(parents=True)
    (components / "late.sh").write_text(LATE)
    sha256 = hashlib.sha256(LATE.encode()).hexdigest()
    (components / "component.yaml").write_text(COMPONENT.format(sha256=sha256))
    suite = folder / "late.yaml"
    suite.write_text(
        "cri: [crio]\noci: [runc, runc-again, runc-late]\nbaseline: crio/runc\n"
        f"filter: [operations.container.lifecycle]\nruns: {BLOCKS}\n"
    )
    try:
        assert lab_up(inventory, quiet).ok
        labctl("provision", inventory, "--components", components.parent)
        reach = ("lab", "ssh", "--inventory", inventory)
        delay = {
            name: float(labctl(*reach, name, "--", "python3 -", given=DELAY).splitlines()[-1])
            for name in names
        }
        labctl("run", "--suite", suite, "--inventory", inventory, "--root", folder / "runs", "--seed", "7")
        run = RunStore(folder / "runs").find("latest")
        said = labctl("report", "--root", folder / "runs")
        yield Truth(run, digested(run.path), delay, said)
    finally:
        removed = lab_down(inventory, quiet)
        labctl("build")  # the vars file without what is late
    assert removed is not None and removed.ok, removed


def test_every_trial_was_measured(truth: Truth) -> None:
    counts = [(count.ok, count.failed, count.unsupported, count.leaks) for count in truth.estimates.trials]
    assert counts == [(BLOCKS + 1, 0, 0, 0)] * (3 * HOSTS), "the warm-up is one of them"


def test_one_runtime_under_two_names_is_no_difference(truth: Truth) -> None:
    pairs = [p for p in truth.estimates.pairs if p.combination == "crio/runc-again"]
    primary = [p for p in pairs if p.metric == "CreateAndRun"]
    assert len(primary) == HOSTS
    for pair in primary:
        assert pair.p is not None and pair.p >= ALPHA, pair


def test_a_planted_difference_is_found_and_measured(truth: Truth) -> None:
    """In StartContainer, within 3 ms of what the wrapper adds to a call on the same host."""
    found: list[float] = []
    for host, delay in truth.delay_s.items():
        assert 0.02 < delay < 0.03, "the wrapper sleeps 20 ms, and a shell and `sleep` are started for it"
        pair, base = _pair(truth, host), _median(truth, host, "crio/runc")
        assert pair.ratio is not None and pair.p is not None
        assert pair.p < ALPHA
        found.append(base * (pair.ratio - 1))
    planted = fmean(truth.delay_s.values())
    assert abs(fmean(found) - planted) < 0.003, f"{found} found, {truth.delay_s} planted"


def test_what_is_said_across_machines_is_said_to_be_a_simulation(truth: Truth) -> None:
    across = [v for v in truth.estimates.verdicts if v.scope is not Scope.HOST]
    assert {v.subject.combination for v in across} == {"crio/runc-again", LATER}, "one of each, at the least"
    assert truth.estimates.verdicts[0] is across[0], "they stand first"
    late = next(one for one in truth.estimates.fleet if one.combination == LATER)
    assert (late.machines, late.reason) == (HOSTS, None)
    assert late.ratio is not None and late.ratio > 1
    assert f"rests on {HOSTS} of them" in " ".join(truth.said.split())
    assert "The machines are declared, not real" in truth.said
    assert "simulated machines" in " ".join(truth.said.splitlines()[:2])
    machines = {host["machine"] for host in json.loads(truth.folder.run_json.read_text())["hosts"]}
    assert len(machines) == HOSTS


def _pair(truth: Truth, host: str) -> Pair:
    (pair,) = [p for p in truth.estimates.pairs if (p.host, p.metric, p.combination) == (host, "Run", LATER)]
    return pair


def _median(truth: Truth, host: str, combination: str) -> float:
    (median,) = [
        cell.median
        for cell in truth.estimates.cells
        if (cell.host, cell.metric, cell.combination) == (host, "Run", combination)
    ]
    assert median is not None
    return median
