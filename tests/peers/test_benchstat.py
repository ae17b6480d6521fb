# SPDX-License-Identifier: Apache-2.0
"""The real benchstat reads `labctl report --benchfmt`, and its medians are those of estimates.json."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.pipeline.report import exportable
from orchestrator.results.exports import benchfmt
from orchestrator.results.exports.units import unit_of
from orchestrator.results.rows import Digested
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run

pytestmark = pytest.mark.timeout(700)

HOSTS = (("h1", "alpha"), ("h2", "beta"))
Medians = Mapping[tuple[str, str, str, str], float]
"""Of a host, benchmark, metric's unit and combination."""


@dataclass(frozen=True)
class Said:
    """What benchstat printed, and what it warned of."""

    text: str
    warnings: str


def ask(benchstat: Path, *arguments: str | Path) -> Said:
    done = subprocess.run(
        [str(benchstat), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return Said(done.stdout, done.stderr)


def write(run: Digested, path: Path) -> Path:
    path.write_text("".join(benchfmt.lines(run)), encoding="utf-8")
    return path


def medians(said: str) -> Medians:
    """Of benchstat's CSV with `-col /cri,/oci`: of each of its tables two lines of columns, a line of units, and its rows."""
    found: dict[tuple[str, str, str, str], float] = {}
    config: dict[str, str] = {}
    header: list[list[str]] = []
    for row in csv.reader(io.StringIO(said)):
        if len(row) == 1 and (told := re.fullmatch(r"([a-z]+): (.*)", row[0])):
            config[told[1]] = told[2]
        elif len(row) > 1 and not row[0]:
            header = [*header, row] if len(header) < 3 else [row]
        elif len(row) > 1 and row[0] != "geomean":
            for cri, oci, unit, value in zip(*header, row, strict=False):
                if cri and unit not in ("CI", "vs base", "P") and value:
                    found[config["host"], row[0], unit, f"{cri}/{oci}"] = float(value)
    return found


def expected(run: Digested) -> Medians:
    units = {(measure.benchmark, measure.metric): measure.unit for measure in run.estimates.measures}
    found = {}
    for cell in run.estimates.cells:
        unit = units[cell.benchmark, cell.metric]
        if cell.median is not None:
            where = (cell.host, cell.benchmark, benchfmt.unit_name(cell.metric, unit), cell.combination)
            found[where] = cell.median * unit_of(unit).factor
    return found


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Digested]:
    failing = (("h1", "containerd/crun", 3),)
    yield exportable(
        write_run(tmp_path, Wanted(hosts=HOSTS, handlers=("runc", "crun", "runc-2"), fails=failing))
    )


def test_benchstat_has_our_medians(benchstat: Path, run: Digested, tmp_path: Path) -> None:
    said = ask(benchstat, "-format", "csv", "-col", "/cri,/oci", write(run, tmp_path / "a.txt"))
    found, wanted = medians(said.text), expected(run)
    assert wanted.keys() <= found.keys()
    assert {where: found[where] for where in wanted} == pytest.approx(wanted, rel=1e-12)
    # What is there beside the cells are the items of metrics that have many values a trial.
    assert all("/pod=" in benchmark for _, benchmark, _, _ in found.keys() - wanted.keys())
    assert not [line for line in said.warnings.splitlines() if "syntax" in line or "a.txt" in line]


def test_the_handlers_of_a_cri_runtime_are_compared(benchstat: Path, run: Digested, tmp_path: Path) -> None:
    said = ask(benchstat, "-col", "/oci", "-filter", ".unit:TotalTime-sec", write(run, tmp_path / "a.txt"))
    assert re.search(r"│ +runc +│ +crun +│ +runc-2 +│", said.text)
    assert f"{SCALE}/cri=containerd" in said.text
    assert "p=0.002 n=6" in said.text


def test_two_runs_are_set_side_by_side(benchstat: Path, tmp_path: Path) -> None:
    files = []
    for number in (1, 2):
        wanted = Wanted(hosts=HOSTS[:1], blocks={LIFECYCLE: 8}, id=f"run-{number}", seed=number)
        files.append(write(exportable(write_run(tmp_path, wanted)), tmp_path / f"{number}.txt"))
    said = ask(benchstat, "-filter", ".unit:CreateAndRun-sec", *files)
    rows = [line for line in said.text.splitlines() if line.startswith(LIFECYCLE)]
    assert len(rows) == 2
    assert all("n=8" in row for row in rows)


def test_runs_that_are_joined_are_pooled_as_we_pool_them(benchstat: Path, tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path, Wanted(hosts=HOSTS[:1], blocks={LIFECYCLE: 6}, id=f"run-{n}", seed=n))
        for n in (1, 2)
    ]
    run = exportable(*folders)
    said = ask(benchstat, "-format", "csv", "-col", "/cri,/oci", write(run, tmp_path / "a.txt"))
    assert medians(said.text) == pytest.approx(expected(run), rel=1e-12)
