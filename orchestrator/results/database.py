# SPDX-License-Identifier: Apache-2.0
"""Runs as tables that SQL may ask, and nothing else: not the files of this machine, not the network, and nothing can be changed.

A question is bound to empty tables first, before any run is read: a wrong one is refused within milliseconds, and what it does not
name is not loaded. The tables then go into a DuckDB file of their own, which is opened again read-only, with its access to everything
else shut off and its settings locked; it is removed with the answer.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import duckdb

from orchestrator.model.errors import ResultError, UsageError
from orchestrator.results import relations
from orchestrator.results.merge import MEMORY
from orchestrator.results.relations import ALL, Relation
from orchestrator.results.rows import Digested, estimated, insert, recorded

Settings = dict[str, str | bool | int | float | list[str]]
SHUT = (
    "enable_external_access = false",
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "python_enable_replacements = false",
    "lock_configuration = true",
)
"""No file, no network, no variable of this program; and none of this can be taken back."""
INDIRECT = ("query", "query_table")
"""Words by which a question may name tables that do not stand in it."""
QUESTIONS = (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI)
"""MULTI is a PIVOT."""
RECORDED = (relations.SAMPLES, relations.TRIALS)
BATCH = 1000
HINT = "`labctl query --tables` lists the views and their columns."


@dataclass(frozen=True, slots=True)
class Answer:
    """``types`` are DuckDB's, a column each; ``rows`` come as they are read. Reading them raises UsageError."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def named_in(sql: str) -> tuple[Relation, ...]:
    """The relations that a question needs. Raises UsageError: it is no question, not SQL, or asks for what there is not."""
    try:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in QUESTIONS:
            raise UsageError("One SELECT is asked for: labctl query reads, and changes nothing.", HINT)
        with duckdb.connect() as empty:
            for relation in ALL:
                empty.execute(relation.table())
            _shut(empty)
            empty.sql(sql)  # binds it, and executes nothing of a SELECT
    except duckdb.Error as error:
        _refuse(error)
    words = set(re.findall(r"\w+", sql.lower()))
    every = not words.isdisjoint(INDIRECT)
    return tuple(relation for relation in ALL if every or relation.name in words)


@contextmanager
def answered(sql: str, runs: Sequence[Digested], needed: Sequence[Relation]) -> Iterator[Answer]:
    """The answer over these runs, while the block lasts. Raises UsageError (the question), ResultError (a run's files)."""
    with tempfile.TemporaryDirectory(prefix="labctl-query-") as scratch:
        file = Path(scratch) / "runs.duckdb"
        settings: Settings = {"memory_limit": MEMORY, "temp_directory": str(Path(scratch) / "spill")}
        _fill(file, settings, runs, needed)
        with duckdb.connect(str(file), read_only=True, config=settings) as database:
            _shut(database)
            yield _ask(database, sql)


def _shut(database: duckdb.DuckDBPyConnection) -> None:
    for setting in SHUT:
        database.execute(f"SET {setting}")


def _fill(file: Path, settings: Settings, runs: Sequence[Digested], needed: Sequence[Relation]) -> None:
    with duckdb.connect(str(file), config=settings) as database:
        for relation in ALL:
            database.execute(relation.table())
        for run in runs:
            try:
                for relation in needed:
                    _load(database, relation, run)
            except duckdb.Error as error:
                raise ResultError(
                    f"{run.folder}: its samples cannot be read: {str(error).splitlines()[0]}.",
                    f"`labctl report {run.spec.id}` merges the journals again.",
                ) from error


def _load(database: duckdb.DuckDBPyConnection, relation: Relation, run: Digested) -> None:
    if relation in RECORDED:
        rows, given = recorded(database, relation, run)
        database.execute(f"INSERT INTO {relation.name} {rows}", given)
    else:
        insert(database, relation.name, relation.columns, estimated(relation, run))


def _ask(database: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    try:
        found = database.execute(sql)
        described = found.description or []
        types = tuple(str(column[1]) for column in described)
        if zoned := [column[0] for column in described if str(column[1]) == "TIMESTAMP WITH TIME ZONE"]:
            raise UsageError(
                f"{zoned[0]} is a time with a zone, which cannot be shown.", f"Ask for {zoned[0]}::TIMESTAMP."
            )
        return Answer(tuple(column[0] for column in described), types, _rows(found))
    except duckdb.Error as error:
        _refuse(error)


def _rows(found: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    try:
        while batch := found.fetchmany(BATCH):
            yield from batch
    except duckdb.Error as error:
        _refuse(error)


def _refuse(error: duckdb.Error) -> NoReturn:
    """What is wrong in one sentence: DuckDB's first line is that; what follows it is where, and what it could be instead."""
    first, *rest = [line.strip() for line in str(error).splitlines() if line.strip()]
    instead = next((line for line in rest if line.startswith("Candidate bindings")), "")
    hint = f"{instead}. {HINT}" if instead else HINT
    raise UsageError(f"The question is refused: {first.rstrip('.!')}.", hint) from error
