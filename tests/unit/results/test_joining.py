# SPDX-License-Identifier: Apache-2.0
"""Several runs in one report: what is pooled, what stays apart, and that neither order nor repetition shows in a byte."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

from orchestrator.cli.report import report as command
from orchestrator.model.errors import ResultError, UsageError
from orchestrator.pipeline.report import digest, report, result_folder, write_html
from orchestrator.results import estimates as store
from orchestrator.results.store import RunFolder, RunStore, write_json
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run

BLOCKS = {LIFECYCLE: 4, SCALE: 3}
FILES = ("run.json", "samples.parquet", "trials.parquet", "estimates.json", "report.html")


def two_runs(root: Path) -> list[Path]:
    """h1 in both, with other noise; h2 only in the second, with a benchmark less."""
    first = write_run(root, Wanted(hosts=(("h1", "alpha"),), blocks=BLOCKS, id="run-1", seed=1))
    hosts = (("h1", "alpha"), ("h2", "beta"))
    second = write_run(root, Wanted(hosts=hosts, blocks={LIFECYCLE: 8}, id="run-2", seed=2))
    return [first, second]


def digests(folders: list[Path]) -> dict[str, str]:
    folder = result_folder(folders)
    write_html(report(*folders), folder / "report.html")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def test_digested_twice_or_in_another_order_the_bytes_are_the_same(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    folders = two_runs(one)
    assert digests(folders[:1]) == digests(folders[:1])
    first = digests(folders)
    shutil.rmtree(one / "runs" / "joined")
    digest(folders[1])  # what was made of a run by itself changes nothing
    assert digests(folders[::-1]) == first
    twins = [other / "runs" / folder.name for folder in folders]
    for folder, twin in zip(folders[::-1], twins[::-1], strict=True):  # copied in another order
        for path in sorted(folder.glob("hosts/*/journal.jsonl"), reverse=True):
            target = twin / path.relative_to(folder)
            target.parent.mkdir(parents=True)
            shutil.copyfile(path, target)
        shutil.copyfile(folder / "run.json", twin / "run.json")
    assert digests([twins[1], twins[0], twins[1]]) == first


def test_digesting_one_run_anew_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = two_runs(tmp_path)[0]
    first = digests([folder])
    for name in FILES[1:]:
        (folder / name).unlink()
    assert digests([folder]) == first


def test_a_host_of_two_runs_pairs_within_each_and_pools_them(tmp_path: Path) -> None:
    folders = two_runs(tmp_path)
    joined = report(*folders)
    assert [host.name for host in joined.spec.hosts] == ["h1", "h2"]
    pair = next(p for p in joined.estimates.pairs if (p.host, p.metric) == ("h1", "CreateAndRun"))
    assert pair.pairs == 4 + 8
    logs = []
    for folder in folders:
        by = {s.combination: s for s in report(folder).series if (s.host, s.metric) == ("h1", "CreateAndRun")}
        runc, crun = by["containerd/runc"], by["containerd/crun"]
        logs += list(np.log(crun.values[1:] / runc.values[1:]))
    walsh = [(a + b) / 2 for i, a in enumerate(logs) for b in logs[i:]]
    assert pair.ratio == pytest.approx(float(np.exp(np.median(walsh))))
    one = next(s for s in joined.series if (s.host, s.metric) == ("h1", "CreateAndRun"))
    assert one.blocks.tolist() == list(range(5 + 9))
    assert np.flatnonzero(one.warmup).tolist() == [0, 5]
    cell = next(c for c in joined.estimates.cells if (c.host, c.metric) == ("h1", "CreateAndRun"))
    assert (cell.asked, cell.n) == (12, 12)


def test_a_host_has_no_cell_of_a_benchmark_that_it_was_not_to_do(tmp_path: Path) -> None:
    joined = report(*two_runs(tmp_path))
    assert {c.host for c in joined.estimates.cells if c.benchmark == SCALE} == {"h1"}
    assert joined.hosts_of(SCALE) == ("h1",)
    assert joined.hosts_of(LIFECYCLE) == ("h1", "h2")


def test_the_samples_keep_their_run_and_their_block_there(tmp_path: Path) -> None:
    folder = result_folder(two_runs(tmp_path))
    with duckdb.connect() as database:
        rows = database.execute(
            f"SELECT run, min(block), max(block), min(number), max(number) FROM '{folder / 'samples.parquet'}' "
            f"WHERE host = 'h1' AND benchmark = '{LIFECYCLE}' GROUP BY run ORDER BY run"
        ).fetchall()
    assert rows == [("run-1", 0, 4, 0, 4), ("run-2", 0, 8, 5, 13)]


def test_hosts_of_one_name_on_two_machines_stay_two(tmp_path: Path) -> None:
    first = write_run(tmp_path, Wanted(hosts=(("h1", "alpha"),), blocks=BLOCKS, id="run-1"))
    second = write_run(tmp_path, Wanted(hosts=(("h1", "beta"),), blocks=BLOCKS, id="run-2"))
    joined = report(first, second)
    assert [host.name for host in joined.spec.hosts] == ["h1 (alpha)", "h1 (beta)"]
    pairs = [p.pairs for p in joined.estimates.pairs if p.metric == "CreateAndRun"]
    assert pairs == [4, 4]


def test_what_changed_between_the_runs_is_told_and_each_start_of_a_run_is_none_again(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    path = RunFolder(second).journal("h1")
    path.write_text(path.read_text().replace("6.12.0-synthetic", "6.13.0-synthetic"))
    messages = [n.message for n in report(first, second).estimates.notices if n.host == "h1"]
    changed = "between the first and the last of its 2 runs: kernel.release (6.12.0-synthetic, then 6.13.0-synthetic)"
    assert f"The host changed {changed}." in messages
    assert not any("started again" in message for message in messages)


def test_another_work_size_is_another_measurement(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    spec = json.loads((second / "run.json").read_text())
    spec["benchmarks"][0]["params"] = {"image": "other"}
    write_json(second / "run.json", spec)
    with pytest.raises(
        UsageError, match=r"has other parameters in run run-2 \(image 'other'\) than in run-1"
    ):
        report(first, second)


def test_another_baseline_is_told(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    spec = json.loads((second / "run.json").read_text())
    write_json(second / "run.json", {**spec, "baseline": "containerd/crun"})
    joined = report(first, second)
    assert joined.spec.baseline == "containerd/runc"
    assert joined.estimates.notices[0].message.startswith("Run run-2 was made against containerd/crun")


@pytest.mark.parametrize(("schema", "age"), [(0, "an older"), (9, "a newer")])
def test_a_run_of_another_version_is_refused(tmp_path: Path, schema: int, age: str) -> None:
    first, second = two_runs(tmp_path)
    spec = json.loads((second / "run.json").read_text())
    write_json(second / "run.json", {**spec, "schema": schema})
    with pytest.raises(ResultError, match=rf"run-2/run\.json: was written by {age} labctl \(schema {schema}"):
        report(first, second)


def test_the_command_joins_what_it_is_given_and_no_joined_run_is_listed(tmp_path: Path) -> None:
    first, second = two_runs(tmp_path)
    page = tmp_path / "page.html"
    asked = [first.name, second.name, "--root", str(first.parent), "--html", str(page)]
    result = CliRunner().invoke(command, asked)
    assert result.exit_code == 0, result.output
    assert "2 runs joined as 2-runs-" in result.output
    assert "run-1" in page.read_text()
    assert RunStore(first.parent).ids() == ["run-2", "run-1"]
    as_json = json.loads(CliRunner().invoke(command, [*asked[:4], "--json"]).output)
    assert set(as_json["sources"]) == {
        "run.json",
        "run-1/hosts/h1/journal.jsonl",
        "run-2/hosts/h1/journal.jsonl",
        "run-2/hosts/h2/journal.jsonl",
    }


def test_a_journal_that_grew_is_joined_anew(tmp_path: Path) -> None:
    folders = two_runs(tmp_path)
    before = store.load(result_folder(folders))
    path = RunFolder(folders[1]).journal("h2")
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:-2]))
    after = store.load(result_folder(folders))
    assert (before.hosts[1].ended, after.hosts[1].ended) == ("complete", None)
