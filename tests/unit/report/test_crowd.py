# SPDX-License-Identifier: Apache-2.0
"""Very many hosts in a terminal: one row for all of them, and where each one's are."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from orchestrator.model.verdict import Scope
from orchestrator.pipeline.report import report
from orchestrator.report.numbers import ratio
from orchestrator.report.terminal import printed
from orchestrator.report.view import MANY, Report
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run


def run_of(tmp_path: Path, hosts: int, machines: int | None = None) -> Report:
    names = tuple((f"node{i:02}", f"machine{i % (machines or hosts):02}") for i in range(hosts))
    blocks = {LIFECYCLE: 8, SCALE: 7}
    return report(write_run(tmp_path, Wanted(hosts=names, handlers=("runc", "crun", "runsc"), blocks=blocks)))


def text_of(made: Report) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False, emoji=False, markup=False)
    return printed(made, console)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return run_of(tmp_path_factory.mktemp("crowd"), MANY + 4)


def test_it_is_short_and_says_what_is_left_out_and_where_it_is(crowd: Report) -> None:
    text = text_of(crowd)
    words = " ".join(text.split())
    assert len(text.splitlines()) < 100
    assert max(map(len, text.splitlines())) <= 80
    assert f"Each of the {MANY + 4} hosts has its own numbers" in words
    assert "the HTML report has them, and `labctl report --json`" in words
    assert not re.search(r"node\d\d \(machine", text), "no table of one host"
    assert "On node" not in words, "no finding of one host"


def test_it_says_what_holds_across_machines(crowd: Report) -> None:
    words = " ".join(text_of(crowd).split())
    across = [one for one in crowd.estimates.verdicts if one.scope is not Scope.HOST]
    assert across
    assert all(one.sentence in words for one in across)
    assert any(one.sentence in words for one in crowd.estimates.rankings if one.scope is not Scope.HOST)


def test_a_row_is_the_fleets(crowd: Report) -> None:
    lines = text_of(crowd).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(f"{LIFECYCLE}: CreateAndRun"))
    row = next(line.split() for line in lines[start:] if "containerd/crun" in line)
    fleet = next(
        f for f in crowd.estimates.fleet if (f.benchmark, f.combination) == (LIFECYCLE, "containerd/crun")
    )
    medians = [
        cell.median
        for cell in crowd.estimates.cells
        if (cell.metric, cell.combination) == ("CreateAndRun", "containerd/crun") and cell.median is not None
    ]
    assert row[1] == str(MANY + 4)
    assert float(row[2]) == pytest.approx(1000 * float(np.median(medians)), rel=0.01)
    assert row[3] == ratio(fleet.ratio)


def test_few_hosts_are_shown_one_by_one(tmp_path: Path) -> None:
    text = text_of(run_of(tmp_path, MANY))
    assert len(re.findall(r"node\d\d \(machine", text)) == MANY
    assert "left out" not in text


def test_very_many_hosts_on_two_machines_have_no_fleet_and_are_short_all_the_same(tmp_path: Path) -> None:
    made = run_of(tmp_path, MANY + 1, machines=2)
    text = text_of(made)
    assert "No fleet claim" in text
    assert len(text.splitlines()) < 100
    assert "On node" not in text
