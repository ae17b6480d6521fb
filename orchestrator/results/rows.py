# SPDX-License-Identifier: Apache-2.0
"""One run's rows of every relation: those of its estimates as plain values, those of its samples inside DuckDB.

A row is a mapping from a column's name to what JSON can hold; DuckDB reads all rows of a relation at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import duckdb

from orchestrator.model.estimates import Cell, Estimates, Pair
from orchestrator.model.interval import Interval
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import HostRecord
from orchestrator.results import relations
from orchestrator.results.merge import SAMPLES, TRIALS
from orchestrator.results.provenance import provenance
from orchestrator.results.relations import Column, Relation, structure
from orchestrator.results.store import RunFolder

Row = Mapping[str, Any]

MEASURE = (*relations.METRIC, relations.BENCHMARK)
FLAG = (relations.RUN, relations.HOST, relations.BENCHMARK, Column("block", "INTEGER", ""))
JOINED = """
    SELECT {columns}, s.file_row_number AS rank
    FROM read_parquet($file, file_row_number = true) AS s
    {measure}
    LEFT JOIN flag ON flag.run = s.run AND flag.host = s.host AND flag.benchmark = s.benchmark AND flag.block = s.block
"""
MEASURED = "LEFT JOIN measure ON measure.benchmark = s.benchmark AND measure.metric = s.metric"
COMPUTED = {
    "suite": "$suite",
    "profile": "$profile",
    "cri": "split_part(s.combination, '/', 1)",
    "oci": "substr(s.combination, instr(s.combination, '/') + 1)",
    "is_baseline": "s.combination = $baseline",
    "contaminated": "flag.run IS NOT NULL",
    "better": "measure.better",
    "is_primary": "coalesce(measure.is_primary, false)",
}


@dataclass(frozen=True, slots=True)
class Digested:
    """A run, or several runs that a report joins, whose folder has samples.parquet and estimates.json."""

    folder: Path
    spec: RunSpec
    estimates: Estimates


def estimated(relation: Relation, run: Digested) -> list[Row]:
    """The run's rows of a relation that its estimates hold: all but samples and trials."""
    return list(ESTIMATED[relation.name](run))


def insert(
    database: duckdb.DuckDBPyConnection, table: str, columns: Iterable[Column], rows: list[Row]
) -> None:
    """Into a table that is there. Raises duckdb.Error."""
    shape = structure(tuple(columns))
    text = json.dumps([{name: _plain(row.get(name)) for name in shape} for row in rows])
    names = ", ".join(f"r.{name}" for name in shape)
    target = ", ".join(shape)
    database.execute(
        f"INSERT INTO {table} ({target}) SELECT {names} FROM (SELECT unnest(from_json(?::JSON, ?)) AS r)",
        [text, json.dumps([shape])],
    )


def recorded(
    database: duckdb.DuckDBPyConnection, relation: Relation, run: Digested
) -> tuple[str, dict[str, Any]]:
    """A query of the run's rows of samples or trials in the order of the file, and its parameters. Raises duckdb.Error.

    It needs the temporary tables `measure` and `flag`, which are made here. A file that lacks a column has NULL there: it may
    be another version's.
    """
    for table, columns in (("measure", MEASURE), ("flag", FLAG)):
        listed = ", ".join(f"{column.name} {column.type}" for column in columns)
        database.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({listed})")
    insert(
        database, "measure", MEASURE, [_measure(run, index) for index in range(len(run.estimates.measures))]
    )
    insert(database, "flag", FLAG, list(_flags(run)))
    file = str(run.folder / (SAMPLES if relation is relations.SAMPLES else TRIALS))
    database.execute("SELECT * FROM read_parquet(?) LIMIT 0", [file])
    there = {name for name, *_ in database.description or ()}
    selected = ", ".join(f"{_source(column, there)} AS {column.name}" for column in relation.columns)
    rows = JOINED.format(columns=selected, measure=MEASURED if relation is relations.SAMPLES else "")
    given = {"suite": run.spec.suite, "profile": run.spec.profile.value, "baseline": run.spec.baseline}
    return f"SELECT * EXCLUDE (rank) FROM ({rows}) ORDER BY rank", {"file": file, **given}


def _source(column: Column, there: set[str]) -> str:
    if column.name in COMPUTED:
        return COMPUTED[column.name]
    if column.name == "leaks":
        return "len(s.leaks)"
    return f"s.{column.name}" if column.name in there else f"NULL::{column.type}"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def _measure(run: Digested, index: int) -> Row:
    measure = run.estimates.measures[index]
    return {
        "benchmark": measure.benchmark,
        "metric": measure.metric,
        "unit": measure.unit,
        "better": measure.better,
        "is_primary": measure.primary,
    }


def _flags(run: Digested) -> Iterator[Row]:
    contamination = run.estimates.contamination
    for flag in contamination.flagged if contamination else ():
        yield {"run": flag.run, "host": flag.host, "benchmark": flag.benchmark, "block": flag.block}


def _runs(run: Digested) -> Iterator[Row]:
    spec, trials = run.spec, run.estimates.trials
    state = RunFolder(run.folder).read_state()
    created = datetime.fromisoformat(spec.created).astimezone(UTC).replace(tzinfo=None)
    yield {
        **_head(run),
        "created": created.isoformat(sep=" "),
        "status": state.status.value if state else None,
        "inventory": spec.inventory,
        "baseline": spec.baseline,
        "combinations": len(spec.combinations),
        "benchmarks": len(spec.benchmarks),
        "hosts": len(spec.hosts),
        "trials": sum(count.ok + count.failed + count.unsupported for count in trials),
        "failed": sum(count.failed for count in trials),
        "seed": spec.seed,
        "labctl_version": spec.labctl_version,
    }


def _hosts(run: Digested) -> Iterator[Row]:
    records = {record.host: record for record in run.estimates.hosts}
    for host in run.spec.hosts:
        yield {
            "run": run.spec.id,
            "host": host.name,
            "machine": host.machine,
            "imported": host.imported,
            **_told(records.get(host.name)),
        }


def _told(record: HostRecord | None) -> Row:
    if record is None:
        return {}
    facts = record.facts
    return {
        "ended": record.ended,
        "starts": record.starts,
        "agent": record.agent,
        "cpu": _fact(facts, "cpu", "model"),
        "cpus": _fact(facts, "cpu", "count"),
        "memory_kb": _fact(facts, "memory", "total_kb"),
        "kernel": _fact(facts, "kernel", "release"),
        "system": _fact(facts, "system", "name"),
        "virtualisation": _fact(facts, "virtualisation", "kind"),
        "cgroup": _fact(facts, "cgroup", "version"),
        "components": provenance(facts).get("components"),
        "facts": facts or None,
    }


def _fact(facts: Mapping[str, Any], group: str, name: str) -> Any:
    return (facts.get(group) or {}).get(name)


def _cells(run: Digested) -> Iterator[Row]:
    where = _Where(run)
    for cell in run.estimates.cells:
        rest = cell.secondary
        yield {
            **where.of(cell),
            "asked": cell.asked,
            "n": cell.n,
            "median": cell.median,
            **_interval(cell.interval),
            "mean": rest and rest.mean,
            "minimum": rest and rest.minimum,
            "maximum": rest and rest.maximum,
            "p95": rest and rest.p95,
            "p99": rest and rest.p99,
            "reason": cell.reason,
        }


def _pairs(run: Digested) -> Iterator[Row]:
    where = _Where(run)
    for pair in run.estimates.pairs:
        yield {
            **where.of(pair),
            "baseline": run.spec.baseline,
            "pairs": pair.pairs,
            "ratio": pair.ratio,
            **_interval(pair.interval),
            "p": pair.p,
            "adjusted": pair.adjusted,
            "reason": pair.reason,
        }


def _verdicts(run: Digested) -> Iterator[Row]:
    for verdict in run.estimates.verdicts:
        subject, evidence = verdict.subject, verdict.evidence
        yield {
            **_head(run),
            "kind": verdict.kind.value,
            "scope": verdict.scope.value,
            "host": verdict.where,
            "benchmark": subject.benchmark,
            "metric": subject.metric,
            "combination": subject.combination,
            "baseline": subject.baseline,
            "units": evidence.units,
            "ratio": evidence.ratio,
            **_interval(evidence.interval),
            "claim_low": evidence.claim.low if evidence.claim else None,
            "claim_high": evidence.claim.high if evidence.claim else None,
            "adjusted": evidence.adjusted,
            "sentence": verdict.sentence,
        }


def _rankings(run: Digested) -> Iterator[Row]:
    for ranking in run.estimates.rankings:
        for combination in ranking.first:
            yield {
                **_head(run),
                "kind": ranking.kind.value,
                "scope": ranking.scope.value,
                "host": ranking.where,
                "benchmark": ranking.contest.benchmark,
                "metric": ranking.contest.metric,
                "best": ranking.contest.best,
                "combination": combination,
                "entered": len(ranking.entered),
                "comparisons": len(ranking.duels),
                "sentence": ranking.sentence,
            }


class _Where:
    """What a cell or a pair is about, in the columns that all relations share."""

    def __init__(self, run: Digested) -> None:
        self.run = run
        self.measures = {
            (row["benchmark"], row["metric"]): row
            for row in (_measure(run, index) for index in range(len(run.estimates.measures)))
        }
        self.machines = {host.name: host.machine for host in run.spec.hosts}

    def of(self, one: Cell | Pair) -> Row:
        cri, _, oci = one.combination.partition("/")
        return {
            **_head(self.run),
            "host": one.host,
            "machine": self.machines.get(one.host),
            "combination": one.combination,
            "cri": cri,
            "oci": oci,
            "is_baseline": one.combination == self.run.spec.baseline,
            **self.measures[one.benchmark, one.metric],
        }


def _head(run: Digested) -> Row:
    return {"run": run.spec.id, "suite": run.spec.suite, "profile": run.spec.profile.value}


def _interval(interval: Interval | None) -> Row:
    return {"low": interval and interval.low, "high": interval and interval.high}


ESTIMATED = {
    relations.RUNS.name: _runs,
    relations.HOSTS.name: _hosts,
    relations.CELLS.name: _cells,
    relations.PAIRS.name: _pairs,
    relations.VERDICTS.name: _verdicts,
    relations.RANKINGS.name: _rankings,
}
