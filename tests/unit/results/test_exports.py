# SPDX-License-Identifier: Apache-2.0
"""What other programs are given: whole, in their own units, and nothing else printed beside it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from orchestrator.cli.report import report as command
from orchestrator.model.errors import ResultError
from orchestrator.pipeline.report import exportable
from orchestrator.results import relations
from orchestrator.results.exports import FORMATS, benchfmt, csv, openmetrics, parquet
from orchestrator.results.rows import Digested
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run

WANTED = Wanted(
    hosts=(("h1", "alpha"), ('h"2\\', "beta")),
    handlers=("runc", "crun", "runc-2"),
    blocks={LIFECYCLE: 6, SCALE: 3},
    fails=(("h1", "containerd/crun", 2),),
)
NAME, NUMBER = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"(?P<name>{NAME})\{{(?P<labels>{LABEL}(?:,{LABEL})*)\}} (?P<value>{NUMBER})")
META = re.compile(rf"# (?P<kind>TYPE|UNIT|HELP) (?P<name>{NAME}) (?P<text>[^\n]*)")


@pytest.fixture
def run(tmp_path: Path) -> Digested:
    return exportable(write_run(tmp_path, WANTED))


def rows_of(query: str) -> list[Any]:
    with duckdb.connect() as database:
        return database.execute(query).fetchall()


def asked(run: Digested, *arguments: str) -> Any:
    return CliRunner().invoke(command, [*arguments, "--root", str(run.folder.parent)])


def test_csv_has_a_header_and_every_sample(run: Digested) -> None:
    lines = list(csv.lines(run))
    assert lines[0].startswith("run,host,machine,benchmark,block,position,combination")
    assert len(lines) == rows_of(f"SELECT count(*) FROM '{run.folder}/samples.parquet'")[0][0] + 1


def test_parquet_stands_alone(run: Digested, tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    parquet.write(run, path)
    file = "'" + str(path).replace("'", "''") + "'"
    assert [row[0] for row in rows_of(f"DESCRIBE FROM {file}")] == list(relations.SAMPLES.names)
    plain = f"'{run.folder}/samples.parquet'"
    values = "SELECT run, host, benchmark, block, combination, metric, unit, item, value FROM"
    assert rows_of(f"{values} {file}") == rows_of(f"{values} {plain}")
    told = "SELECT DISTINCT suite, profile, cri, oci, is_baseline FROM"
    assert sorted(rows_of(f"{told} {file}")) == [
        ("synthetic", "thesis", "containerd", "crun", False),
        ("synthetic", "thesis", "containerd", "runc", True),
        ("synthetic", "thesis", "containerd", "runc-2", False),
    ]
    primary = rows_of(f"SELECT DISTINCT benchmark, metric, better FROM {file} WHERE is_primary ORDER BY 1")
    assert primary == [(LIFECYCLE, "CreateAndRun", "lower"), (SCALE, "TotalTime", "lower")]


def test_parquet_marks_the_blocks_that_something_else_was_at_work_in(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Wanted(hosts=(("h1", "alpha"),), blocks={LIFECYCLE: 8}))
    journal = folder / "hosts/h1/journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        if line["type"] == "block_ended" and line["block"] == 3:
            line["noise"]["steal_s"] = 9.0
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    parquet.write(exportable(folder), tmp_path / "a.parquet")
    found = rows_of(f"SELECT DISTINCT block FROM '{tmp_path}/a.parquet' WHERE contaminated")
    assert found == [(3,)]


def test_the_same_samples_are_the_same_parquet(run: Digested, tmp_path: Path) -> None:
    sums = set()
    for name in ("a", "b"):
        parquet.write(run, tmp_path / name)
        sums.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(sums) == 1


def test_a_parquet_that_cannot_be_written_is_a_sentence_and_leaves_nothing(
    run: Digested, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ResultError, match="folder: cannot be written: "):
        parquet.write(run, tmp_path / "folder")
    (run.folder / "samples.parquet").write_bytes(b"no Parquet")
    with pytest.raises(ResultError, match=r"a\.parquet: cannot be written: "):
        parquet.write(run, tmp_path / "a.parquet")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "runs"}


def test_benchfmt_has_a_line_a_counted_trial_and_one_an_item(run: Digested) -> None:
    lines = [line for line in benchfmt.lines(run) if line.startswith("Benchmark")]
    trials = rows_of(
        f"SELECT count(*) FROM '{run.folder}/trials.parquet' WHERE status = 'ok' AND NOT warmup"
    )[0][0]
    assert sum("/pod=" not in line for line in lines) == trials == 2 * (6 + 3) * 3 - 1
    assert sum("/pod=" in line for line in lines) == 2 * 3 * 3 * 5
    first = lines[0].split()
    assert first[:2] == [f"Benchmark{LIFECYCLE}/oci=runc/cri=containerd", "1"]
    assert first[3::2][:3] == ["CreateAndRun-sec", "Create-sec", "Run-sec"]
    assert all(len(line.split()) % 2 == 0 for line in lines)


def test_benchfmt_begins_with_the_baseline_whatever_its_place(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Wanted(hosts=(("h1", "alpha"),), blocks={LIFECYCLE: 2}))
    spec = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**spec, "baseline": "containerd/crun"}))
    first = next(line for line in benchfmt.lines(exportable(folder)) if line.startswith("Benchmark"))
    assert "/oci=crun/cri=containerd " in first


def test_openmetrics_is_as_its_grammar_says(run: Digested) -> None:
    text = "".join(openmetrics.lines(run))
    assert text.endswith("\n# EOF\n")
    families: list[str] = []
    types: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for line in text.removesuffix("# EOF\n").splitlines():
        if meta := META.fullmatch(line):
            kind, name, told = meta.groups()
            if kind == "TYPE":
                assert name not in types
                families.append(name)
                types[name] = told
            assert name == families[-1], "a family's lines stand together, TYPE first"
            assert kind != "UNIT" or name.endswith(f"_{told}")
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        suffix = "_info" if types[families[-1]] == "info" else ""
        assert sample["name"] == families[-1] + suffix
        labels = re.findall(LABEL, sample["labels"])
        names = [label.partition("=")[0] for label in labels]
        assert len(names) == len(set(names))
        key = (sample["name"], ",".join(sorted(labels)))
        assert key not in seen
        seen.add(key)
    assert set(types.values()) == {"gauge", "info"}
    assert 'host="h\\"2\\\\"' in text


def test_openmetrics_is_in_base_units_and_has_what_the_estimates_have(run: Digested) -> None:
    counts = Counter(line.partition("{")[0] for line in openmetrics.lines(run) if not line.startswith("#"))
    medians = sum(cell.median is not None for cell in run.estimates.cells)
    assert (
        sum(counts[name] for name in counts if re.fullmatch("labctl_median_(seconds|bytes)", name)) == medians
    )
    assert counts["labctl_to_baseline_ratio"] == sum(p.ratio is not None for p in run.estimates.pairs)
    assert counts["labctl_to_baseline_low_ratio"] == sum(p.interval is not None for p in run.estimates.pairs)
    cell = next(cell for cell in run.estimates.cells if cell.metric == "CreateAndRun")
    line = next(line for line in openmetrics.lines(run) if 'metric="CreateAndRun"' in line)
    assert line.endswith(f" {cell.median!r}\n")
    assert 'primary="true"' in line


def test_a_format_prints_itself_and_nothing_else(run: Digested, tmp_path: Path) -> None:
    for each in FORMATS:
        if not each.binary:
            result = asked(run, f"--{each.name}")
            assert result.exit_code == 0, result.output
            assert result.stdout == "".join(each.lines(run))
            assert result.stderr == ""
    result = asked(run, "--parquet", str(tmp_path / "a.parquet"))
    assert (result.stdout, result.exit_code) == ("", 0)
    assert not (run.folder / "report.html").exists()


@pytest.mark.parametrize("other", ["--csv", "--openmetrics", "--parquet=a", "--html=a"])
def test_formats_exclude_each_other(run: Digested, other: str) -> None:
    result = asked(run, "--benchfmt", other)
    assert result.exit_code == 2
    assert re.search(r"Error: --[a-z]+ and --[a-z]+ exclude each other: name one\.", result.stderr)
