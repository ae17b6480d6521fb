# SPDX-License-Identifier: Apache-2.0
"""Journals to samples.parquet and trials.parquet: the same journals give the same bytes.

samples.parquet   one row a sample: run, host, machine, benchmark, block, position, combination, attempt, warmup, status, number,
                  metric, unit, item, value, start_ns, elapsed_ns
trials.parquet    one row a trial, also a failed one: the same columns up to number, then reason, start_ns, elapsed_ns,
                  cleanup_ns, leaks (list of kind and what)

Any number of hosts, and any number of runs (`orchestrator.results.joining` says what several runs mean together). Rows stand
in the order of run.json's hosts, of a host's runs by their ids, and of a journal's lines: that is the order of time also where
a reboot has set the host's clock to zero. ``block`` is a block's number in its run; ``number`` is its number over all runs
of the host, so that two blocks never share one: pairs are made by it, and only ever within a block of one run.

A metric is in one unit, the first that was recorded of it: values in another unit of its dimension are converted
(`orchestrator.model.units`), and where they cannot be, the merge is refused.

The trials go from JSON lines to Parquet inside DuckDB, without a Python object for each; on one thread and without a sort,
so that the rows and the bytes of the file follow from the journals alone.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from orchestrator.files import aside
from orchestrator.model.errors import ResultError
from orchestrator.model.run import RunHost, RunSpec
from orchestrator.model.samples import BlockRecord, HostRecord, Note
from orchestrator.results.journals import STATUSES, TRIAL_FIELDS, Journal, read_journal, refuse
from orchestrator.results.store import RunFolder
from orchestrator.results.touchstone import as_journal
from orchestrator.results.units import Conversion, read_conversions
from remote_agent.contract.benchmark import Metric
from remote_agent.contract.journal import WITHOUT_SAMPLES

SAMPLES, TRIALS = "samples.parquet", "trials.parquet"

COLUMNS = (
    "{type: 'VARCHAR', benchmark: 'VARCHAR', block: 'INTEGER', position: 'INTEGER', combination: 'VARCHAR',"
    " attempt: 'INTEGER', warmup: 'BOOLEAN', status: 'VARCHAR', reason: 'VARCHAR',"
    " samples: 'STRUCT(metric VARCHAR, value DOUBLE, unit VARCHAR, item INTEGER)[]', start_ns: 'BIGINT',"
    " elapsed_ns: 'BIGINT', cleanup_ns: 'BIGINT', leaks: 'STRUCT(kind VARCHAR, what VARCHAR)[]'}"
)
KEY = "run, host, machine, benchmark, block, position, combination, attempt, warmup, status, number"
TABLE = """
    CREATE TABLE trial (source INTEGER, run VARCHAR, host VARCHAR, machine VARCHAR, number INTEGER, benchmark VARCHAR,
        block INTEGER, position INTEGER, combination VARCHAR, attempt INTEGER, warmup BOOLEAN, status VARCHAR, reason VARCHAR,
        samples STRUCT(metric VARCHAR, value DOUBLE, unit VARCHAR, item INTEGER)[], start_ns BIGINT, elapsed_ns BIGINT,
        cleanup_ns BIGINT, leaks STRUCT(kind VARCHAR, what VARCHAR)[])
"""
PRIMARY = "map($primary_of::VARCHAR[], $primaries::VARCHAR[])[benchmark]"
BY_ITEM = "coalesce(map($primary_of::VARCHAR[], $by_item::BOOLEAN[])[benchmark], false)"
LACKS = f"""
    CASE WHEN status <> 'ok' THEN NULL
         WHEN len(samples) = 0 THEN '{WITHOUT_SAMPLES}'
         WHEN {PRIMARY} IS NOT NULL
              AND len(list_filter(samples, lambda s: s.metric = {PRIMARY} AND (s.item IS NOT NULL) = {BY_ITEM})) = 0
         THEN '{WITHOUT_SAMPLES} of ' || {PRIMARY} END
"""
"""What a trial that calls itself ok lacks, as the reason why it counts as failed; NULL: nothing."""
LOAD = f"""
    INSERT INTO trial
    SELECT $source, $run, $host, $machine,
        block + coalesce(map($benchmarks::VARCHAR[], $first::INTEGER[])[benchmark], 0), * EXCLUDE (type, lacks)
        REPLACE (CASE WHEN lacks IS NULL THEN status ELSE 'failed' END AS status, coalesce(lacks, reason) AS reason)
    FROM (SELECT *, {LACKS} AS lacks
        FROM read_json($file, format = 'newline_delimited', columns = {COLUMNS}) WHERE type = 'trial')
"""
REQUIRED = " AND ".join(f"{name} IS NOT NULL" for name in sorted(TRIAL_FIELDS - {"reason"}))
WRONG = f"""
    SELECT (SELECT count(*) FROM trial WHERE source = $source AND NOT (
                {REQUIRED} AND status IN {STATUSES}
                AND len(list_filter(samples, lambda s: s.metric IS NULL OR s.unit IS NULL OR s.value IS NULL
                                    OR NOT isfinite(s.value))) = 0))
         + (SELECT count(*) - count(DISTINCT (benchmark, block, combination)) FROM trial WHERE source = $source)
"""
SAMPLE_ROWS = """
    SELECT {key}, sample.metric, {unit} AS unit, sample.item, {value} AS value, start_ns, elapsed_ns
    FROM (SELECT *, unnest(samples) AS sample FROM trial)
"""
TRIAL_ROWS = f"SELECT {KEY}, reason, start_ns, elapsed_ns, cleanup_ns, leaks FROM trial"
REDONE = "SELECT run, host, benchmark, block, count(*) FROM trial WHERE attempt > 1 GROUP BY ALL"
NO_PRIMARIES: Mapping[str, Metric] = {}
MEMORY = "400MB"
"""DuckDB's bound; what is more goes to scratch files."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run that is merged: its folder, and its spec, whose hosts have the names that they have in its folder.

    ``names`` maps those to the names in the merge.
    """

    folder: Path
    spec: RunSpec
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What the journals say beside their trials: the hosts in the order of the merged run, and every block."""

    hosts: tuple[HostRecord, ...]
    blocks: tuple[BlockRecord, ...]


def merge(
    folder: Path,
    spec: RunSpec,
    parts: Sequence[Part] = (),
    primaries: Mapping[str, Metric] = NO_PRIMARIES,
) -> Told:
    """Merge the journals of ``spec``'s hosts into ``folder``: those below it, or those of ``parts`` in the order of their ids.

    A trial that succeeded has a sample of its benchmark's primary metric, where ``primaries`` has it by the benchmark's name and
    the trial was not imported, and at least some sample elsewhere; one that has not counts as failed.
    A host without a journal is no error as long as one has some: its record says so. Raises ResultError; UsageError: two
    runs have one metric in units that do not convert.
    """
    parts = parts or (Part(folder, spec, {host.name: host.name for host in spec.hosts}),)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="labctl-merge-")))
        journals = list(_journals(spec, parts, scratch))
        if not journals:
            raise ResultError(
                f"{folder}: no host of run {spec.id} has a journal here.",
                f"`labctl fetch {spec.id}` pulls them.",
            )
        try:
            redone = _write(folder, journals, scratch, primaries)
        except (OSError, duckdb.Error) as error:
            first = str(error).splitlines()[0]
            raise ResultError(f"{folder}: {SAMPLES} and {TRIALS} cannot be written: {first}.") from error
    return Told(tuple(_host(host, journals) for host in spec.hosts), tuple(_blocks(journals, redone)))


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A journal, its run, the numbers that its benchmarks' blocks begin with, and the file that DuckDB reads."""

    journal: Journal
    run: str
    first: dict[str, int]
    readable: Path


def _journals(spec: RunSpec, parts: Sequence[Part], scratch: Path) -> Iterator[_Numbered]:
    for host in spec.hosts:
        taken: dict[str, int] = {}
        for part in sorted(parts, key=lambda part: part.spec.id):
            own = next((name for name, merged in part.names.items() if merged == host.name), None)
            path = RunFolder(part.folder).source(own, host.imported) if own else None
            if path is None or not path.exists():
                continue
            aside_path = scratch / f"{part.spec.id}-{host.name}.jsonl"
            journal, readable = _read(path, host, part.spec.id, aside_path)
            yield _Numbered(journal, part.spec.id, dict(taken), readable)
            for benchmark, blocks in journal.blocks.items():
                taken[benchmark] = taken.get(benchmark, 0) + blocks


def _read(path: Path, host: RunHost, run: str, scratch: Path) -> tuple[Journal, Path]:
    """A journal and a file with its whole lines: itself, a copy without the torn last line, or what an imported result comes to."""
    if host.imported:
        scratch.write_bytes(as_journal(path, host, run))
        return read_journal(scratch, host, run), scratch
    journal = read_journal(path, host, run)
    if not journal.torn:
        return journal, path
    scratch.write_bytes(path.read_bytes()[: journal.size])
    return journal, scratch


def _write(
    folder: Path, journals: Sequence[_Numbered], scratch: Path, primaries: Mapping[str, Metric]
) -> dict[tuple[str, str, str, int], int]:
    """Both files; gives how many trials of a block (run, host, benchmark, block) were redone, where any was."""
    with ExitStack() as stack:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "memory_limit": MEMORY,
            "temp_directory": str(scratch),
        }
        database = stack.enter_context(duckdb.connect(config=settings))
        database.execute(TABLE)
        for source, numbered in enumerate(journals):
            _load(database, source, numbered, primaries)
        conversions = read_conversions(database, [(one.run, one.journal.host.name) for one in journals])
        for rows, name in ((_sample_rows(conversions), SAMPLES), (TRIAL_ROWS, TRIALS)):
            target = stack.enter_context(aside(folder / name))
            database.execute(f"COPY ({rows}) TO '{_quoted(target)}' (FORMAT parquet, COMPRESSION zstd)")
        return {(r, h, b, n): count for r, h, b, n, count in database.execute(REDONE).fetchall()}


def _sample_rows(conversions: Sequence[Conversion]) -> str:
    """The query of samples, with a CASE for each unit that is converted: a join would not keep the order of rows."""
    unit, value = "sample.unit", "sample.value"
    if conversions:
        cases = [(_matches(conversion), conversion) for conversion in conversions]
        units = " ".join(f"WHEN {where} THEN {_literal(each.into)}" for where, each in cases)
        values = " ".join(f"WHEN {where} THEN sample.value * {each.factor!r}" for where, each in cases)
        unit, value = f"CASE {units} ELSE {unit} END", f"CASE {values} ELSE {value} END"
    return SAMPLE_ROWS.format(key=KEY, unit=unit, value=value)


def _matches(conversion: Conversion) -> str:
    return (
        f"benchmark = {_literal(conversion.benchmark)} AND sample.metric = {_literal(conversion.metric)} "
        f"AND sample.unit = {_literal(conversion.unit)}"
    )


def _load(
    database: duckdb.DuckDBPyConnection, source: int, numbered: _Numbered, primaries: Mapping[str, Metric]
) -> None:
    journal, first = numbered.journal, numbered.first
    host = journal.host
    required = NO_PRIMARIES if host.imported else primaries
    parameters = {
        "source": source,
        "run": numbered.run,
        "host": host.name,
        "machine": host.machine,
        "benchmarks": list(first),
        "first": list(first.values()),
        "primary_of": list(required),
        "primaries": [metric.name for metric in required.values()],
        "by_item": [metric.per_item for metric in required.values()],
        "file": str(numbered.readable),
    }
    try:
        database.execute(LOAD, parameters)
    except duckdb.Error as error:
        refuse(journal.path, host, str(error).splitlines()[0])
    if host.imported:
        return
    wrong = database.execute(WRONG, {"source": source}).fetchone()
    if wrong != (0,):
        refuse(journal.path, host, "a trial is not as the contract says")


def _host(host: RunHost, journals: Sequence[_Numbered]) -> HostRecord:
    records = [one.journal.record for one in journals if one.journal.host.name == host.name]
    return pooled(records) if records else _absent(host)


def pooled(records: Sequence[HostRecord]) -> HostRecord:
    """One host's records of several runs, in their order: counts are summed; the facts are those before the first and after the last."""
    first, last = records[0], records[-1]
    if len(records) == 1:
        return first
    blocks: dict[str, int] = {}
    noise: dict[str, float] = {}
    redone: Counter[str] = Counter()
    for record in records:
        redone.update(record.redone)
        for benchmark, count in record.blocks.items():
            blocks[benchmark] = blocks.get(benchmark, 0) + count
        for counter, grown in record.noise.items():
            noise[counter] = noise.get(counter, 0.0) + grown
    unlike = next((record.ended for record in records if record.ended != "complete"), "complete")
    return replace(
        first,
        agent=last.agent,
        starts=sum(record.starts for record in records),
        ended=unlike,
        blocks=blocks,
        facts_after=last.facts_after or last.facts,
        noise=noise,
        notes=tuple(note for record in records for note in record.notes),
        runs=len(records),
        redone=dict(redone),
    )


def _absent(host: RunHost) -> HostRecord:
    note = Note(
        "warning",
        "No journal was pulled from this host.",
        "`labctl fetch` pulls it, `labctl attach` goes on.",
    )
    return HostRecord(host.name, host.machine, None, 0, None, {}, {}, {}, {}, None, (note,))


def _blocks(
    journals: Sequence[_Numbered], redone: dict[tuple[str, str, str, int], int]
) -> Iterator[BlockRecord]:
    for one in journals:
        for block in one.journal.opened:
            yield replace(
                block,
                number=block.block + one.first.get(block.benchmark, 0),
                redone=redone.get((block.run, block.host, block.benchmark, block.block), 0),
            )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _literal(text: str) -> str:
    """As a string of SQL's: names are as hosts and imported files wrote them."""
    return "'" + text.replace("'", "''") + "'"
