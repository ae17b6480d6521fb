# SPDX-License-Identifier: Apache-2.0
"""Touchstone's result files: taken in as they are, shown with what may be said of them, and refused by name where they are not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from orchestrator.cli.importing import import_command
from orchestrator.cli.report import report as report_command
from orchestrator.cli.runs import runs as runs_command
from orchestrator.model.errors import LabctlError, ResultError, RunError, UsageError
from orchestrator.pipeline.importing import import_touchstone
from orchestrator.pipeline.report import digested, report
from orchestrator.pipeline.run import fetch_run
from orchestrator.report.html import render_html
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.results.touchstone import as_journal, read_results
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MEMORY = "performance.memory.minavglatency"


def lifecycle(start: float, runs: int = 8) -> dict[str, Any]:
    reports = [
        {"Create": start + 0.01 * i, "Run": 0.1, "CreateAndRun": start + 0.1 + 0.01 * i, "Destroy": 0.4}
        for i in range(runs)
    ]
    means = {name: sum(each[name] for each in reports) / runs for name in reports[0]} if reports else {}
    return {"Name": LIFECYCLE, "Aggregated": means, "Reports": reports}


def latency(value: float) -> dict[str, Any]:
    report = {"MinLatency": value, "AvgLatency": 2 * value}
    return {"Name": MEMORY, "Aggregated": report, "Reports": [report] * 6}


def entry(cri: str, oci: str, *results: dict[str, Any]) -> dict[str, Any]:
    return {"CRI": cri, "OCI": oci, "Results": list(results)}


FILE = [
    entry("containerd", "runc", lifecycle(0.5), latency(0.11)),
    entry("containerd", "runsc", lifecycle(0.4), latency(0.19)),
    entry("crio", "runc", lifecycle(0.6, 3), latency(0.13)),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "operations.json"
    path.write_text(json.dumps(FILE, indent=2) + "\n")
    return path


def imported(source: Path, host: str = "old") -> RunFolder:
    return import_touchstone(source, RunStore(source.parent / "runs"), host, NOW)


def test_the_file_is_kept_byte_for_byte_and_every_value_arrives(source: Path) -> None:
    folder = imported(source)
    assert folder.source("old", "touchstone").read_bytes() == source.read_bytes()
    wanted = sorted(
        (f"{e['CRI']}/{e['OCI']}", r["Name"], name, value)
        for e in FILE
        for r in e["Results"]
        for one in r["Reports"]
        for name, value in one.items()
    )
    with duckdb.connect() as database:
        rows = database.execute(
            f"SELECT combination, benchmark, metric, value, unit, start_ns FROM '{folder.samples}'"
        ).fetchall()
    assert sorted(row[:4] for row in rows) == wanted
    assert {row[4] for row in rows if row[2].endswith("Latency")} == {"ms"}
    assert {row[4] for row in rows if not row[2].endswith("Latency")} == {"s"}
    assert {row[5] for row in rows} == {None}


def test_no_two_trials_share_a_block_so_that_nothing_can_pair(source: Path) -> None:
    folder = imported(source)
    with duckdb.connect() as database:
        shared = database.execute(
            f"SELECT count(*) FROM (SELECT benchmark, block FROM '{folder.path / 'trials.parquet'}' "
            "GROUP BY ALL HAVING count(*) > 1)"
        ).fetchone()
    assert shared == (0,)


def test_there_are_medians_with_intervals_and_no_claim(source: Path) -> None:
    estimates = digested(imported(source).path)
    cells = {(c.combination, c.metric): c for c in estimates.cells}
    cell = cells["containerd/runc", "Create"]
    assert cell.n == 8
    assert cell.median == pytest.approx(0.535)
    assert cell.interval is not None
    assert cells["crio/runc", "Create"].interval is None
    assert cells["crio/runc", "Create"].asked == 8
    assert all(p.ratio is None and p.p is None and "without blocks" in str(p.reason) for p in estimates.pairs)
    assert estimates.verdicts == ()
    assert "No claim is made: Touchstone runs all repeats" in estimates.fleet_sentence
    assert estimates.contamination is None
    messages = " ".join(notice.message for notice in estimates.notices)
    assert "Imported from Touchstone" in messages
    assert (
        "crio/runc in operations.container.lifecycle has 3 runs, where another combination has 8" in messages
    )
    assert "still open" not in messages


def test_the_commands_import_list_and_report(source: Path) -> None:
    root = ["--root", str(source.parent / "runs")]
    done = CliRunner().invoke(import_command, ["touchstone", str(source), "--host", "old", *root])
    assert done.exit_code == 0, done.output
    assert "Imported as 2" in done.output
    listed = json.loads(CliRunner().invoke(runs_command, ["--json", *root]).output)
    assert [(each["status"], each["hosts"], each["trials"]) for each in listed] == [("complete", ["old"], 37)]
    told = CliRunner().invoke(report_command, root)
    assert told.exit_code == 0, told.output
    assert "No claim is made" in told.output
    assert "containerd/runsc" in told.output


def test_the_page_says_what_it_is(source: Path) -> None:
    page = render_html(report(imported(source).path), lambda spec: lambda: "<svg></svg>")
    assert "Imported results are described, and not compared." in page
    assert "Imported from Touchstone" in page


def test_beside_a_run_of_ones_own_it_pairs_with_nothing_and_counts_as_no_machine(source: Path) -> None:
    own = write_run(source.parent, Wanted(hosts=(("h1", "alpha"),), blocks={LIFECYCLE: 8}, id="a-run"))
    joined = report(own, imported(source).path)
    assert [host.name for host in joined.spec.hosts] == ["old", "h1"]
    ratios = {(p.host, p.combination): p.ratio for p in joined.estimates.pairs if p.metric == "CreateAndRun"}
    assert ratios["h1", "containerd/crun"] is not None
    assert {ratio for (host, _), ratio in ratios.items() if host == "old"} == {None}
    assert "1 host on 1 machine" in joined.estimates.fleet_sentence


def test_arrays_that_touchstone_appended_go_on_where_the_first_ended(source: Path) -> None:
    source.write_text(
        json.dumps(FILE[:1]) + "\n" + json.dumps([entry("containerd", "runc", lifecycle(0.7))]) + "\n"
    )
    estimates = digested(imported(source).path)
    cell = next(c for c in estimates.cells if c.metric == "Create")
    assert (cell.n, cell.asked) == (16, 16)


def test_keys_are_taken_in_any_case_and_early_names_are_those_of_the_thesis(source: Path) -> None:
    early = {
        "name": LIFECYCLE,
        "aggregated": None,
        "reports": [{"Startup": 0.6, "Start": 0.1, "Create": 0.5}] * 6,
    }
    source.write_text(json.dumps([{"cri": "crio", "oci": "runc", "results": [early]}]))
    estimates = digested(imported(source).path)
    assert {c.metric for c in estimates.cells if c.n} == {"CreateAndRun", "Run", "Create"}
    assert any("Start is Run here, Startup is CreateAndRun here" in n.message for n in estimates.notices)


def test_means_alone_are_no_samples_and_nothing_at_all_is_a_failure(source: Path) -> None:
    means = {"Name": LIFECYCLE, "Aggregated": {"Create": 0.5}, "Reports": []}
    none = {"Name": LIFECYCLE, "Aggregated": None, "Reports": None}
    source.write_text(json.dumps([entry("containerd", "runc", means), entry("crio", "runc", none)]))
    estimates = digested(imported(source).path)
    cell = next(c for c in estimates.cells if c.metric == "Create (mean)" and c.n)
    assert (cell.combination, cell.median, cell.interval) == ("containerd/runc", 0.5, None)
    count = next(t for t in estimates.trials if t.combination == "crio/runc")
    assert (count.ok, count.failed) == (0, 1)
    assert next(iter(count.reasons)).startswith("Touchstone recorded no run")


def test_a_run_without_a_value_is_a_failure_and_other_runs_need_no_metric_of_labctls(source: Path) -> None:
    result = {"Name": LIFECYCLE, "Aggregated": {}, "Reports": [{"Create": 0.5}, {}, {"Create": 0.6}]}
    source.write_text(json.dumps([entry("crio", "runc", result)]))
    folder = imported(source)
    (count,) = digested(folder.path).trials
    assert (count.ok, dict(count.reasons)) == (2, {"Touchstone recorded a run without a value": 1})
    state = folder.read_state()
    assert state is not None and state.hosts[0].trials_failed == 1


def test_zeros_are_pointed_at(source: Path) -> None:
    source.write_text(json.dumps([entry("containerd", "runc", latency(0.0))]))
    assert any(n.message == "12 values are exactly 0." for n in digested(imported(source).path).notices)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no result"),
        ("null\n", "has None where an entry"),
        ("[{", "is not JSON"),
        ("cri: [containerd]", "is not JSON"),
        ('{"cri_endpoint": "crio", "Result": []}', "before its result format"),
        ("[3]", "has 3 where an entry"),
        ('[{"CRI": "crio", "Results": []}]', "lacks OCI"),
        ('[{"CRI": "crio", "OCI": "runc", "Results": [{"Reports": []}]}]', "lacks Name"),
        ('[{"CRI": "a", "OCI": "b", "Results": [{"Name": "n", "Reports": [{"T": "3s"}]}]}]', "has '3s' for T, in n of a/b"),
        ('[{"CRI": "a", "OCI": "b", "Results": [{"Name": "n", "Reports": [{"T": NaN}]}]}]', "NaN is no measurement"),
        ('[{"CRI": "a", "OCI": "b", "Results": {}}]', "Results that are no list"),
    ],
)  # fmt: skip
def test_what_is_no_result_of_touchstones_is_refused_in_a_sentence(
    source: Path, text: str, says: str
) -> None:
    source.write_text(text)
    with pytest.raises(ResultError, match=r"operations\.json: ") as caught:
        imported(source)
    assert says in caught.value.message
    assert RunStore(source.parent / "runs").ids() == []


def test_what_cannot_be_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read"):
        imported(tmp_path / "none.json")
    with pytest.raises(UsageError, match="no name for a host"):
        imported(source, "../x")
    with pytest.raises(RunError, match="was imported"):
        fetch_run(imported(source))
    assert issubclass(ResultError, LabctlError)


def test_what_it_comes_to_is_a_journal_of_todays_schema(source: Path) -> None:
    host = imported(source).read_spec().hosts[0]
    records = [json.loads(line) for line in as_journal(source, host, "r").splitlines()]
    assert len([r for r in records if r["type"] == "trial"]) == sum(
        len(r.reports) for r in read_results(source)
    )
    assert records[-1]["status"] == "imported"
