# SPDX-License-Identifier: Apache-2.0
"""The published schemas are those of the code, a real run is valid by them, and what is not as they say is refused."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from orchestrator.cli.schema import schema as command
from orchestrator.pipeline.report import exportable
from orchestrator.results.exports import parquet
from orchestrator.results.rows import Digested
from orchestrator.results.schemas import ABOUT, SCHEMAS, schema_of, schema_text

ROOT = Path(__file__).resolve().parents[3]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Digested:
    folder = tmp_path_factory.mktemp("schemas") / "demo"
    shutil.copytree(ROOT / "tests/fixtures/real/demo", folder)
    return exportable(folder)


def problems(name: str, document: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schema_of(name)).iter_errors(document)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_that_of_the_code(name: str) -> None:
    published = (ROOT / f"docs/schemas/{name}.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(name), "`make schemas` writes it anew"
    Draft202012Validator.check_schema(json.loads(published))


def test_all_of_them_are_published_and_none_besides() -> None:
    assert {path.name for path in (ROOT / "docs/schemas").iterdir()} == {
        f"{name}.schema.json" for name in SCHEMAS
    }
    assert ABOUT.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("name", ["estimates", "run"])
def test_the_files_of_a_real_run_are_valid(run: Digested, name: str) -> None:
    assert problems(name, json.loads((run.folder / f"{name}.json").read_text())) == []


def test_every_row_of_parquet_is_valid(run: Digested, tmp_path: Path) -> None:
    parquet.write(run, tmp_path / "a.parquet")
    with duckdb.connect() as database:
        found = database.execute(f"FROM '{tmp_path}/a.parquet'")
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    assert len(rows) > 500
    validator = Draft202012Validator(schema_of("sample"))
    assert [row for row in rows if not validator.is_valid(row)] == []
    assert not validator.is_valid({**rows[0], "value": None})


def _without(key: str) -> Callable[[Document], object]:
    return lambda document: document.pop(key)


MUTATIONS: dict[str, Callable[[Document], object]] = {
    "a verdict of no kind": lambda document: document["verdicts"][0].update(kind="certain"),
    "a median that is text": lambda document: document["cells"][0].update(median="fast"),
    "a cell without its host": lambda document: document["cells"][0].pop("host"),
    "a key that nobody knows": lambda document: document["pairs"][0].update(speed=2),
    "half a trial": lambda document: document["trials"][0].update(ok=1.5),
    "another schema": lambda document: document.update(schema=0),
    "no schema": _without("schema"),
    "no verdicts": _without("verdicts"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_is_not_as_the_schema_says_is_refused(run: Digested, mutation: str) -> None:
    document = copy.deepcopy(json.loads((run.folder / "estimates.json").read_text()))
    MUTATIONS[mutation](document)
    assert len(problems("estimates", document)) == 1


def test_the_command_lists_prints_and_writes(tmp_path: Path) -> None:
    assert [line.split()[0] for line in CliRunner().invoke(command).stdout.splitlines()] == list(SCHEMAS)
    assert CliRunner().invoke(command, ["run"]).stdout == schema_text("run")
    assert CliRunner().invoke(command, ["--write", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "sample.schema.json").read_text() == schema_text("sample")
