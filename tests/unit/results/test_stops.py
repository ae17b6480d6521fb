# SPDX-License-Identifier: Apache-2.0
"""Why a benchmark ended is found again in the merged journals, and said where blocks are counted."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.model.estimates import Stop
from orchestrator.model.stopping import StopReason
from orchestrator.pipeline.report import digest, digested, report
from orchestrator.report.html import render_html
from orchestrator.report.terminal import printed
from orchestrator.report.view import Report
from orchestrator.results.store import RunFolder
from orchestrator.runs.history import History
from orchestrator.stats.stopping import goal
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_journal, write_run


def _ruled(root: Path, blocks: int, rule: Mapping[str, Any]) -> Path:
    """A run of ``blocks`` blocks of the lifecycle, as if it had been asked for with the rule."""
    folder = write_run(root, Wanted(blocks={LIFECYCLE: blocks, SCALE: 6}))
    run = RunFolder(folder)
    spec = run.read_spec()
    first, second = spec.benchmarks
    run.write_spec(replace(spec, benchmarks=(replace(first, blocks=60, **rule), second)))
    return folder


def _text(told: Report) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False, emoji=False, markup=False)
    return re.sub(r"\s+", " ", printed(told, console))


def _lifecycle(folder: Path) -> list[Stop]:
    return [stop for stop in digested(folder).stops if stop.benchmark == LIFECYCLE]


def test_a_fixed_count_says_so(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    assert digested(folder).stops == (
        Stop("h1", LIFECYCLE, 10, StopReason.FIXED), Stop("h1", SCALE, 6, StopReason.FIXED),
        Stop("h2", LIFECYCLE, 10, StopReason.FIXED), Stop("h2", SCALE, 6, StopReason.FIXED),
    )  # fmt: skip
    told = report(folder)
    assert "After 1 block of warm-up: 10 blocks counted, as asked. Lower is better." in render_html(told)


@pytest.mark.parametrize(
    ("blocks", "rule", "reason", "says"),
    [
        (15, {"precision": 0.2}, "precision", "15 blocks counted, then every interval was within 20 % ("),
        (60, {"precision": 0.001}, "maximum", "60 blocks counted, the most there may be (intervals within "),
        (
            7,
            {"precision": 0.01, "budget": 99.0},
            "budget",
            "7 blocks counted, then the time budget was used (before the 15",
        ),
        (7, {"precision": 0.2}, None, "7 blocks counted; the run ended before there were enough"),
    ],
)
def test_the_reason_is_found_in_the_journals(
    tmp_path: Path, blocks: int, rule: Mapping[str, Any], reason: str | None, says: str
) -> None:
    folder = _ruled(tmp_path, blocks, rule)
    if reason == "budget":
        folder = _ruled(tmp_path / "again", blocks, {**rule, "budget": _spent(folder) + 0.01})
    found = _lifecycle(folder)
    assert (found[0].host, found[0].blocks, found[0].reason) == ("h1", blocks, reason)
    assert says in _text(report(folder))
    assert says in render_html(report(folder))


def _spent(folder: Path) -> float:
    spec = RunFolder(folder).read_spec()
    history = History(spec, {})
    history.add_all(_records(folder, "h1"))
    return history.standing(LIFECYCLE).seconds


def _records(folder: Path, host: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in RunFolder(folder).journal(host).read_text().splitlines()]


def test_it_is_the_conductors_own_decision(tmp_path: Path) -> None:
    """The same journal, read by the conductor's history and by the merge: the same halts, to the last digit."""
    folder = _ruled(tmp_path, 15, {"precision": 0.2})
    spec = RunFolder(folder).read_spec()
    made = digested(folder)
    for host in spec.hosts:
        history = History(spec, {LIFECYCLE: "CreateAndRun", SCALE: "TotalTime"})
        history.add_all(_records(folder, host.name))
        halts = goal(spec, history.standings()).halts
        assert {
            stop.benchmark: (stop.reason, stop.reached) for stop in made.stops if stop.host == host.name
        } == {name: (halt.reason, halt.reached) for name, halt in halts.items()}


def test_a_block_that_is_not_whole_does_not_count(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    records = _records(folder, "h1")
    last = max(number for number, record in enumerate(records) if record.get("benchmark") == LIFECYCLE)
    cut = [number for number, record in enumerate(records[:last]) if record["type"] == "trial"][-1]
    write_journal(folder, "h1", records[:cut])
    found = [
        (stop.benchmark, stop.blocks, stop.reason) for stop in digested(folder).stops if stop.host == "h1"
    ]
    assert found == [(LIFECYCLE, 9, None), (SCALE, 0, None)]


def test_estimates_of_before_stops_were_recorded_are_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    digest(folder)
    path = folder / "estimates.json"
    old = {key: value for key, value in json.loads(path.read_text()).items() if key != "stops"}
    path.write_text(json.dumps(old))
    assert digested(folder).stops == ()
    assert "10 blocks asked for" in render_html(report(folder))


def test_the_profile_is_shown_and_the_thesis_stands_only_beside_its_own(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    assert "profile thesis" in _text(report(folder))
    assert "thesis, 2019" in render_html(report(folder))
    spec = RunFolder(folder).read_spec()
    (folder / "run.json").write_text(json.dumps({**asdict(spec), "profile": "quick"}))
    assert "profile quick" in _text(report(folder))
    page = render_html(report(folder))
    assert "profile quick" in page
    assert "thesis, 2019" not in page


def test_a_size_that_was_set_apart_is_not_the_thesis_own(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    told = report(folder)
    sized = replace(told.catalogue[LIFECYCLE], params={"work": 10, "other": 1}, quick={"work": 1})
    told = replace(told, catalogue={**told.catalogue, LIFECYCLE: sized})
    for params, shown in (({}, True), ({"work": 10}, True), ({"other": 2}, True), ({"work": 9}, False)):
        plans = (replace(told.spec.benchmarks[0], params=params), told.spec.benchmarks[1])
        page = render_html(replace(told, spec=replace(told.spec, benchmarks=plans)))
        section = page.split('id="b1"')[1].split('id="b2"')[0]
        assert ("thesis, 2019" in section) is shown
