# SPDX-License-Identifier: Apache-2.0
"""Journals to Parquet: the same bytes each time, and a sentence for every journal that cannot be believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestrator.model.errors import ResultError
from orchestrator.model.samples import HostRecord
from orchestrator.pipeline.report import digest, digested
from orchestrator.results.merge import SAMPLES, TRIALS, merge
from orchestrator.results.store import RunFolder
from orchestrator.results.table import read_counts, read_series
from remote_agent.contract.benchmark import Metric
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run
from tests.fixtures.twins import rewrite_trials

SMALL = Wanted(
    blocks={LIFECYCLE: 3, SCALE: 2},
    fails=(("h1", "containerd/crun", 2),),
    leaks=(("h2", "containerd/runc", 1),),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path, SMALL)


def rows_of(query: str) -> list[Any]:
    with duckdb.connect() as database:
        return database.execute(query).fetchall()


def merged(folder: Path) -> tuple[HostRecord, ...]:
    return merge(folder, RunFolder(folder).read_spec()).hosts


def change(folder: Path, host: str, line: int, **fields: object) -> None:
    path = RunFolder(folder).journal(host)
    lines = path.read_text().splitlines()
    lines[line] = json.dumps({**json.loads(lines[line]), **fields})
    path.write_text("\n".join(lines) + "\n")


def first_trial(folder: Path, host: str = "h1") -> int:
    lines = RunFolder(folder).journal(host).read_text().splitlines()
    return next(i for i, line in enumerate(lines) if json.loads(line)["type"] == "trial")


def test_the_same_journals_give_the_same_bytes(folder: Path) -> None:
    merged(folder)
    first = [(folder / name).read_bytes() for name in (SAMPLES, TRIALS)]
    merged(folder)
    assert [(folder / name).read_bytes() for name in (SAMPLES, TRIALS)] == first
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_every_sample_arrives_as_it_was_written(folder: Path) -> None:
    merged(folder)
    lines = [
        line for host in ("h1", "h2") for line in RunFolder(folder).journal(host).read_text().splitlines()
    ]
    trials = [record for line in lines if (record := json.loads(line))["type"] == "trial"]
    wanted = sorted((s["metric"], s["value"], s["item"] or 0) for trial in trials for s in trial["samples"])
    rows = rows_of(f"SELECT metric, value, coalesce(item, 0) FROM '{folder / SAMPLES}'")
    assert sorted(rows) == wanted
    machines = rows_of(f"SELECT DISTINCT run, host, machine FROM '{folder / SAMPLES}' ORDER BY host")
    assert machines == [("synthetic-1", "h1", "alpha"), ("synthetic-1", "h2", "alpha")]


def test_a_failed_trial_has_a_reason_and_no_value(folder: Path) -> None:
    merged(folder)
    row = rows_of(f"SELECT status, reason FROM '{folder / TRIALS}' WHERE status <> 'ok'")
    assert row == [("failed", "StartContainer: deadline exceeded (synthetic)")]
    series = {(s.host, s.metric, s.combination): s for s in read_series(folder)}
    assert series["h1", "CreateAndRun", "containerd/crun"].blocks.tolist() == [0, 1, 3]
    assert series["h1", "CreateAndRun", "containerd/runc"].blocks.tolist() == [0, 1, 2, 3]
    counts = {(c.host, c.benchmark, c.combination): c for c in read_counts(folder)}
    assert counts["h1", LIFECYCLE, "containerd/crun"].failed == 1
    assert counts["h2", LIFECYCLE, "containerd/runc"].leaks == 1


def test_a_torn_last_line_is_left_out_and_told(folder: Path) -> None:
    path = RunFolder(folder).journal("h2")
    merged(folder)
    before = (folder / SAMPLES).read_bytes()
    with path.open("a") as stream:
        stream.write('{"v": 1, "type": "trial", "bench')
    torn = merged(folder)[1]
    assert "torn" in torn.notes[-1].message
    assert (folder / SAMPLES).read_bytes() == before
    assert path.read_text().endswith("bench")


@pytest.mark.parametrize(("version", "age"), [(0, "older"), (99, "newer")])
def test_another_version_is_refused(folder: Path, version: int, age: str) -> None:
    change(folder, "h1", 3, v=version)
    with pytest.raises(
        ResultError, match=rf"journal\.jsonl:4: the journal's schema is {version}, {age} than 1"
    ):
        merged(folder)
    assert not (folder / SAMPLES).exists()


def test_how_a_line_is_spaced_says_nothing(folder: Path) -> None:
    merged(folder)
    before = (folder / SAMPLES).read_bytes()
    for host in ("h1", "h2"):
        path = RunFolder(folder).journal(host)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records))
    merged(folder)
    assert (folder / SAMPLES).read_bytes() == before


def test_rows_stand_in_the_order_of_the_journal_also_where_the_clock_began_anew(folder: Path) -> None:
    line = first_trial(folder)
    change(folder, "h1", line, start_ns=9_000_000_000_000)  # before a reboot; what follows has smaller times
    merged(folder)
    rows = rows_of(f"SELECT start_ns FROM '{folder / TRIALS}' LIMIT 2")
    assert rows[0][0] > rows[1][0]


@pytest.mark.parametrize("value", [None, "fast", float("inf")])
def test_a_sample_without_a_number_is_refused(folder: Path, value: object) -> None:
    line = first_trial(folder)
    change(folder, "h1", line, samples=[{"metric": "M", "value": value, "unit": "s", "item": None}])
    with pytest.raises(ResultError, match=rf":{line + 1}: .*no measurement"):
        merged(folder)


def test_a_value_of_a_trial_that_did_not_succeed_counts_nowhere(folder: Path) -> None:
    lines = [json.loads(line) for line in RunFolder(folder).journal("h1").read_text().splitlines()]
    failed = next(i for i, record in enumerate(lines) if record.get("status") == "failed")
    values = [{"metric": name, "value": 7.0, "unit": "s", "item": None} for name in ("Floor", "CreateAndRun")]
    change(folder, "h1", failed, samples=values)
    merged(folder)
    found = read_series(folder)
    assert not [one for one in found if one.metric == "Floor" or 7.0 in one.values]


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ([], "ok without samples"),
        (
            [{"metric": "Floor", "value": 1.0, "unit": "ms", "item": None}],
            "ok without samples of CreateAndRun",
        ),
        (
            [{"metric": "CreateAndRun", "value": 1.0, "unit": "s", "item": 3}],
            "ok without samples of CreateAndRun",
        ),
        ([{"metric": "CreateAndRun", "value": 1.0, "unit": "s", "item": None}], None),
    ],
)
def test_a_trial_that_is_ok_without_its_primary_metric_counts_as_failed(
    folder: Path, samples: list[dict[str, Any]], reason: str | None
) -> None:
    line = first_trial(folder)
    trial = json.loads(RunFolder(folder).journal("h1").read_text().splitlines()[line])
    change(folder, "h1", line, samples=samples)
    digest(folder)
    found = rows_of(
        f"SELECT status, reason FROM '{folder / TRIALS}' WHERE host = 'h1' AND benchmark = '{LIFECYCLE}' "
        f"AND block = {trial['block']} AND combination = '{trial['combination']}'"
    )
    assert found == [("ok", None) if reason is None else ("failed", reason)]
    series = {(s.host, s.metric, s.combination): s for s in read_series(folder)}
    floors = [one for one in series.values() if one.metric == "Floor"]
    assert floors == [], "no value of a failed trial counts"
    assert len(series["h1", "CreateAndRun", trial["combination"]].values) >= 3, (
        "the other trials' values are kept"
    )


def test_every_trial_without_samples_is_said_with_its_number(folder: Path) -> None:
    rewrite_trials(
        folder,
        lambda trial: {**trial, "samples": []} if trial["combination"] == "containerd/crun" else trial,
        host="h2",
    )
    found = digested(folder)
    cell = next(
        c
        for c in found.cells
        if (c.host, c.combination, c.metric) == ("h2", "containerd/crun", "CreateAndRun")
    )
    assert (cell.n, cell.reason) == (0, "no counted trial succeeded: ok without samples")
    messages = [notice.message for notice in found.notices if notice.host == "h2"]
    assert f"4 of 4 trials of containerd/crun in {LIFECYCLE} did not succeed: ok without samples." in messages


def test_a_primary_metric_by_item_is_looked_for_by_item(folder: Path) -> None:
    primaries = {
        SCALE: Metric("PodStart", "s", "", per_item=True),
        LIFECYCLE: Metric("CreateAndRun", "s", ""),
    }
    merge(folder, RunFolder(folder).read_spec(), primaries=primaries)
    assert {(c.benchmark, c.failed) for c in read_counts(folder)} == {
        (LIFECYCLE, 0),
        (LIFECYCLE, 1),
        (SCALE, 0),
    }
    whole = {**primaries, SCALE: Metric("PodStart", "s", "")}
    merge(folder, RunFolder(folder).read_spec(), primaries=whole)
    assert {(c.ok, *c.reasons) for c in read_counts(folder) if c.benchmark == SCALE} == {
        (0, "ok without samples of PodStart")
    }


def test_the_same_trial_twice_is_refused(folder: Path) -> None:
    path, line = RunFolder(folder).journal("h1"), first_trial(folder)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[line]]) + "\n")
    words = rf":{len(lines) + 1}: the trial of .* twice \(first in line {line + 1}\)"
    with pytest.raises(ResultError, match=words):
        merged(folder)


def test_damage_in_the_middle_is_refused_with_its_line(folder: Path) -> None:
    path = RunFolder(folder).journal("h1")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:20], *lines[2:]]) + "\n")
    with pytest.raises(ResultError, match=r"journal\.jsonl:2: not a journal record"):
        merged(folder)


def test_a_trial_that_is_not_as_the_contract_says_is_refused(folder: Path) -> None:
    line = first_trial(folder)
    change(folder, "h1", line, status="fine")
    with pytest.raises(ResultError, match="unknown status 'fine'"):
        merged(folder)
    nan = {"metric": "M", "value": float("nan"), "unit": "s", "item": None}
    change(folder, "h1", line, status="ok", samples=[nan])
    with pytest.raises(ResultError, match="NaN is no measurement"):
        merged(folder)
    change(folder, "h1", line, samples="none")
    with pytest.raises(ResultError, match=r"hosts/h1/journal\.jsonl: not this schema's trials"):
        merged(folder)


def test_a_host_without_a_journal_is_told_and_the_others_are_merged(folder: Path) -> None:
    RunFolder(folder).journal("h1").unlink()
    absent, present = merged(folder)
    assert absent.notes[0].message == "No journal was pulled from this host."
    assert present.ended == "complete"
    RunFolder(folder).journal("h2").unlink()
    with pytest.raises(ResultError, match="no host of run synthetic-1 has a journal"):
        merged(folder)


def test_what_cannot_be_written_is_said_in_a_sentence(folder: Path) -> None:
    (folder / SAMPLES).mkdir()
    with pytest.raises(ResultError, match=r"samples\.parquet and trials\.parquet cannot be written"):
        merged(folder)
