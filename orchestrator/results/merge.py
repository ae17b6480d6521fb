# SPDX-License-Identifier: Apache-2.0
"""Journals to samples.parquet and trials.parquet: the same journals give the same bytes.

samples.parquet   one row a sample: run, host, machine, benchmark, block, position, combination, attempt, warmup, status,
                  metric, unit, item, value, start_ns, elapsed_ns
trials.parquet    one row a trial, also a failed one: the same columns up to status, then reason, start_ns, elapsed_ns,
                  cleanup_ns, leaks (list of kind and what)
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb

from orchestrator.files import aside
from orchestrator.model.errors import ResultError
from orchestrator.model.run import RunHost, RunSpec
from orchestrator.model.samples import HostRecord, Note
from orchestrator.results.journals import Journal, read_journal
from orchestrator.results.store import RunFolder

SAMPLES, TRIALS = "samples.parquet", "trials.parquet"

COLUMNS = (
    "{v: 'INTEGER', type: 'VARCHAR', benchmark: 'VARCHAR', block: 'INTEGER', position: 'INTEGER', combination: 'VARCHAR',"
    " attempt: 'INTEGER', warmup: 'BOOLEAN', status: 'VARCHAR', reason: 'VARCHAR',"
    " samples: 'STRUCT(metric VARCHAR, value DOUBLE, unit VARCHAR, item INTEGER)[]', start_ns: 'BIGINT',"
    " elapsed_ns: 'BIGINT', cleanup_ns: 'BIGINT', leaks: 'STRUCT(kind VARCHAR, what VARCHAR)[]'}"
)
KEY = "run, host, machine, benchmark, block, position, combination, attempt, warmup, status"
ORDER = "host_order, line"
"""As the journals have them. Not by start_ns: the clock begins anew where a host was restarted in the run."""

LOAD = f"""
    INSERT INTO trial
    SELECT ? AS host_order, row_number() OVER () AS line, ? AS run, ? AS host, ? AS machine, * EXCLUDE (v, type)
    FROM read_json(?, format = 'newline_delimited', columns = {COLUMNS}) WHERE type = 'trial'
"""
TABLE = """
    CREATE TABLE trial (host_order INTEGER, line BIGINT, run VARCHAR, host VARCHAR, machine VARCHAR, benchmark VARCHAR,
        block INTEGER, position INTEGER, combination VARCHAR, attempt INTEGER, warmup BOOLEAN, status VARCHAR, reason VARCHAR,
        samples STRUCT(metric VARCHAR, value DOUBLE, unit VARCHAR, item INTEGER)[], start_ns BIGINT, elapsed_ns BIGINT,
        cleanup_ns BIGINT, leaks STRUCT(kind VARCHAR, what VARCHAR)[])
"""
SAMPLE_ROWS = f"""
    SELECT {KEY}, sample.metric, sample.unit, sample.item, sample.value, start_ns, elapsed_ns
    FROM (SELECT *, unnest(samples) AS sample, generate_subscripts(samples, 1) AS nth FROM trial)
    ORDER BY {ORDER}, nth
"""
TRIAL_ROWS = f"SELECT {KEY}, reason, start_ns, elapsed_ns, cleanup_ns, leaks FROM trial ORDER BY {ORDER}"


def merge(folder: Path, spec: RunSpec) -> tuple[HostRecord, ...]:
    """Merge the journals below the run's ``folder``; what the hosts say beside their trials comes back, in the run's order.

    A host without a journal is no error as long as one has some: its record says so. Raises ResultError.
    """
    journals = [read_journal(path, host) for host, path in _pulled(folder, spec)]
    if not journals:
        raise ResultError(
            f"{folder}: no host of run {spec.id} has a journal here.", f"`labctl fetch {spec.id}` pulls them."
        )
    try:
        _write(folder, spec, journals)
    except (OSError, duckdb.Error) as error:
        first = str(error).splitlines()[0]
        raise ResultError(f"{folder}: {SAMPLES} and {TRIALS} cannot be written: {first}.", None) from error
    records = {journal.host: journal.record for journal in journals}
    return tuple(records.get(host.name) or _absent(host) for host in spec.hosts)


def _pulled(folder: Path, spec: RunSpec) -> list[tuple[RunHost, Path]]:
    paths = [(host, RunFolder(folder).journal(host.name)) for host in spec.hosts]
    return [(host, path) for host, path in paths if path.exists()]


def _absent(host: RunHost) -> HostRecord:
    note = Note(
        "warning",
        "No journal was pulled from this host.",
        "`labctl fetch` pulls it, `labctl attach` goes on.",
    )
    return HostRecord(host.name, host.machine, None, 0, None, {}, {}, {}, {}, None, (note,))


def _write(folder: Path, spec: RunSpec, journals: Sequence[Journal]) -> None:
    """One thread and a total order: DuckDB's Parquet is then the same, byte by byte."""
    machines = {host.name: host.machine for host in spec.hosts}
    with ExitStack() as stack:
        database = stack.enter_context(duckdb.connect(config={"threads": 1}))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="labctl-merge-")))
        database.execute(TABLE)
        for order, journal in enumerate(journals):
            source = _readable(journal, scratch / f"{order}.jsonl")
            try:
                database.execute(LOAD, [order, spec.id, journal.host, machines[journal.host], str(source)])
            except duckdb.Error as error:
                first = str(error).splitlines()[0]
                raise ResultError(f"{journal.path}: not this schema's trials: {first}.", None) from error
        for rows, name in ((SAMPLE_ROWS, SAMPLES), (TRIAL_ROWS, TRIALS)):
            target = stack.enter_context(aside(folder / name))
            database.execute(f"COPY ({rows}) TO '{_quoted(target)}' (FORMAT parquet, COMPRESSION zstd)")


def _readable(journal: Journal, scratch: Path) -> Path:
    """The journal itself, or a copy without its torn last line."""
    if not journal.torn:
        return journal.path
    scratch.write_bytes(journal.complete)
    return scratch


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
