# SPDX-License-Identifier: Apache-2.0
"""All runs asked in SQL: what is there, what is refused, and that nothing else can be reached."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.main import cli, run
from orchestrator.model.errors import UsageError
from orchestrator.pipeline.report import exportable
from orchestrator.results import relations
from orchestrator.results.database import answered, named_in
from orchestrator.results.relations import ALL
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs; the second with a failed trial and a metric of its own."""
    folder = tmp_path_factory.mktemp("query")
    write_run(folder, Wanted(hosts=(("h1", "alpha"),), blocks={LIFECYCLE: 6, SCALE: 2}, id="run-1"))
    fails = (("h1", "containerd/crun", 3),)
    write_run(folder, Wanted(blocks={LIFECYCLE: 7}, fails=fails, id="run-2", seed=2))
    return folder / "runs"


def ask(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["query", "--root", str(root), *arguments])


def rows(root: Path, sql: str) -> Any:
    result = ask(root, "--json", sql)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(root: Path, sql: str) -> UsageError:
    result = ask(root, sql)
    assert isinstance(result.exception, UsageError), result.output
    assert result.stdout == ""
    return result.exception


@pytest.mark.parametrize("name", ["copy-of-run-1", "zz"])
def test_a_folder_that_is_a_copy_of_another_is_left_out_with_a_sentence(
    root: Path, tmp_path: Path, name: str
) -> None:
    store = tmp_path / "runs"
    shutil.copytree(root, store)
    shutil.copytree(store / "run-1", store / name)
    counted = "SELECT run, count(*) AS n FROM samples GROUP BY run ORDER BY run"
    assert rows(store, counted) == rows(root, counted)
    message = f"left out: {store / name} holds measurements of {store / 'run-1'} once more"
    assert message in ask(store, counted).stderr


def test_rankings_have_a_row_for_each_that_comes_first_and_of_two_combinations_none(
    root: Path, tmp_path: Path
) -> None:
    assert rows(root, "SELECT * FROM rankings") == []
    wanted = Wanted(
        hosts=(("h1", "alpha"),), handlers=("runc", "crun", "runsc"), effect=0.0, blocks={LIFECYCLE: 12}
    )
    (ranking,) = exportable(write_run(tmp_path, wanted)).estimates.rankings
    found = rows(tmp_path / "runs", "SELECT * EXCLUDE (run, suite, profile) FROM rankings")
    assert [row.pop("combination") for row in found] == ["containerd/runc", "containerd/crun"]
    shared = {"kind": "among the first", "scope": "host", "host": "h1", "benchmark": LIFECYCLE, "metric": "CreateAndRun",
              "best": "fastest", "entered": 3, "comparisons": 3, "sentence": ranking.sentence}  # fmt: skip
    assert found == [shared, shared]


def test_every_view_has_the_rows_of_every_run(root: Path) -> None:
    both = [{"run": "run-1"}, {"run": "run-2"}]
    of_two = [relation for relation in ALL if relation is not relations.RANKINGS]
    for relation in of_two:
        found = rows(root, f"SELECT DISTINCT run FROM {relation.name} ORDER BY run")
        assert found == both, relation.name
    for view, many in (("runs", 2), ("hosts", 3), ("trials", 2 * 7 + 2 * 3 + 2 * 2 * 8)):
        assert rows(root, f"SELECT count(*) AS n FROM {view}") == [{"n": many}]


@pytest.mark.parametrize("relation", ALL, ids=lambda relation: relation.name)
def test_a_view_has_the_columns_that_are_listed(root: Path, relation: relations.Relation) -> None:
    found = rows(root, f"DESCRIBE {relation.name}")
    assert [(row["column_name"], row["column_type"]) for row in found] == [
        (c.name, c.type) for c in relation.columns
    ]
    listed = CliRunner().invoke(cli, ["query", "--tables"]).stdout
    assert all(f"  {column.name} " in listed and column.meaning in listed for column in relation.columns)


def test_the_numbers_are_those_of_the_estimates(root: Path) -> None:
    estimates = exportable(root / "run-2").estimates
    cell = next(cell for cell in estimates.cells if cell.metric == "CreateAndRun" and cell.host == "h1")
    where = (
        f"run = 'run-2' AND host = 'h1' AND metric = 'CreateAndRun' AND combination = '{cell.combination}'"
    )
    assert cell.interval is not None
    assert rows(
        root, f"SELECT n, median, low, high, unit, is_primary, is_baseline FROM cells WHERE {where}"
    ) == [
        {
            "n": cell.n,
            "median": cell.median,
            "low": cell.interval.low,
            "high": cell.interval.high,
            "unit": "s",
            "is_primary": True,
            "is_baseline": True,
        }
    ]
    counted = "status = 'ok' AND NOT warmup AND"
    assert rows(root, f"SELECT median(value) AS m FROM samples WHERE {counted} {where}") == [
        {"m": cell.median}
    ]
    assert rows(root, "SELECT sentence FROM verdicts WHERE run = 'run-2' ORDER BY sentence") == [
        {"sentence": sentence} for sentence in sorted(verdict.sentence for verdict in estimates.verdicts)
    ]
    assert rows(root, "SELECT host, facts->>'$.kernel.release' AS k FROM hosts WHERE run = 'run-1'") == [
        {"host": "h1", "k": "6.12.0-synthetic"}
    ]


def test_what_is_printed_is_the_same_in_every_form(root: Path) -> None:
    sql = "SELECT run, sum(failed) AS failed, NULL::INTEGER AS nothing FROM runs GROUP BY run ORDER BY run"
    assert rows(root, sql) == [
        {"run": "run-1", "failed": 0, "nothing": None},
        {"run": "run-2", "failed": 1, "nothing": None},
    ]
    assert list(csv.reader(io.StringIO(ask(root, "--csv", sql).stdout))) == [
        ["run", "failed", "nothing"],
        ["run-1", "0", ""],
        ["run-2", "1", ""],
    ]
    assert ask(root, sql).stdout == "run    failed  nothing\nrun-1       0        -\nrun-2       1        -\n"
    assert rows(root, "FROM runs WHERE run = ''") == []
    piped = CliRunner().invoke(
        cli, ["query", "--root", str(root), "-"], input="SELECT count(*) AS n FROM runs"
    )
    assert piped.stdout == "n\n2\n"


def test_runs_of_other_columns_are_united_by_name(tmp_path: Path) -> None:
    runs = [
        exportable(write_run(tmp_path, Wanted(blocks={LIFECYCLE: 2}, id=name, seed=number)))
        for number, name in enumerate(("old", "new"))
    ]
    path = runs[0].folder / "samples.parquet"
    with duckdb.connect() as database:
        database.execute(
            f"CREATE TABLE t AS SELECT 1 AS novel, * EXCLUDE (number) FROM '{path}' ORDER BY ALL DESC"
        )
        database.execute(f"COPY (SELECT value, * EXCLUDE (value) FROM t) TO '{path}' (FORMAT parquet)")
    sql = "SELECT run, count(number), count(value), max(value) < 9 FROM samples GROUP BY run ORDER BY run"
    with answered(sql, runs, named_in(sql)) as answer:
        (new, numbers, values, right), old = answer.rows
    assert numbers == values > 0
    assert (new, right, old) == ("new", True, ("old", 0, values, True))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELEC 1", r'syntax error at or near "SELEC"'),
        ("SELECT nope FROM runs", r'Referenced column "nope" not found'),
        ("FROM nowhere", "Table with name nowhere does not exist"),
        ("SELECT CAST(run AS INTEGER) FROM runs", "Could not convert string"),
        ("SELECT now() AS t", "t is a time with a zone"),
        ("", "One SELECT is asked for"),
        ("SELECT 1; SELECT 2", "One SELECT is asked for"),
        ("DROP TABLE runs", "One SELECT is asked for"),
        ("INSERT INTO runs(run) VALUES ('x')", "One SELECT is asked for"),
        ("COPY runs TO '/tmp/labctl-query-test'", "One SELECT is asked for"),
        ("ATTACH '/tmp/labctl-query-test'", "One SELECT is asked for"),
        ("SET enable_external_access = true", "One SELECT is asked for"),
        ("INSTALL httpfs", "One SELECT is asked for"),
        ("EXPLAIN ANALYZE COPY runs TO '/tmp/labctl-query-test'", "One SELECT is asked for"),
        ("FROM read_text('/etc/hostname')", "file system operations are disabled"),
        ("FROM read_csv('/etc/passwd')", "file system operations are disabled"),
        ("FROM glob('/etc/*')", "disabled by configuration"),
        ("FROM '/etc/passwd'", "Table with name /etc/passwd does not exist"),
        ("FROM runs, 'samples.parquet'", "file system operations are disabled"),
        ("FROM sql", "Table with name sql does not exist"),  # a variable of the program's
    ],
)
def test_what_is_no_question_is_refused_in_a_sentence(root: Path, sql: str, why: str) -> None:
    error = refused(root, sql)
    assert why in error.message
    assert "\n" not in str(error)
    assert not Path("/tmp/labctl-query-test").exists()


def test_the_process_ends_with_2_and_no_traceback(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "--root", str(root), "SELECT"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("labctl: The question is refused: ")
    assert "Traceback" not in err


def test_a_wrong_question_is_refused_before_any_run_is_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Wanted(blocks={LIFECYCLE: 2}))
    refused(folder.parent, "SELECT nope FROM samples")
    assert not (folder / "samples.parquet").exists()


def test_what_a_question_does_not_name_is_not_loaded() -> None:
    names = [
        relation.name
        for relation in named_in('WITH x AS (SELECT run FROM Pairs) FROM x JOIN "cells" USING (run)')
    ]
    assert names == ["cells", "pairs"]
    assert named_in("FROM query_table('sam' || 'ples')") == ALL


def test_a_run_is_digested_once_and_a_broken_one_is_left_out(tmp_path: Path) -> None:
    good = write_run(tmp_path, Wanted(blocks={LIFECYCLE: 2}, id="good"))
    torn = write_run(tmp_path, Wanted(blocks={LIFECYCLE: 2}, id="torn"))
    (torn / "hosts/h1/journal.jsonl").write_text("no journal\n")
    newer = good.parent / "newer"
    newer.mkdir()
    (newer / "run.json").write_text('{"schema": 99}')
    first = ask(good.parent, "SELECT run FROM runs")
    assert (first.exit_code, first.stdout) == (0, "run\ngood\n")
    assert "digesting good (1 of 3)\n" in first.stderr
    assert "left out: " in first.stderr
    assert "newer labctl (schema 99" in first.stderr
    assert "torn/hosts/h1/journal.jsonl:1: not a journal record" in first.stderr
    assert "digesting good" not in ask(good.parent, "SELECT run FROM runs").stderr


def test_where_there_is_no_run_that_is_said(tmp_path: Path) -> None:
    error = refused(tmp_path, "SELECT 1")
    assert error.message == f"There is no run in {tmp_path}."


def test_asking_leaves_the_runs_as_they_are(root: Path) -> None:
    ask(root, "FROM samples")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    ask(root, "SELECT * FROM samples JOIN trials USING (run, host)")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_json_and_csv_exclude_each_other(root: Path) -> None:
    assert ask(root, "--json", "--csv", "SELECT 1").exit_code == 2
    assert ask(root).exit_code == 2
