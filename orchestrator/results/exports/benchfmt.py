# SPDX-License-Identifier: Apache-2.0
"""Go's benchmark format (pkg.go.dev/golang.org/x/perf/benchfmt): one line a counted trial, with all its metrics, for benchstat.

    Benchmarkoperations.container.lifecycle/oci=runc/cri=containerd 1 0.163 CreateAndRun-sec 0.146 Destroy-sec ...

- `benchstat -col /cri,/oci` has a column for each combination, the run's baseline first; `-col /oci` compares the handlers of each
  CRI runtime. The combination is not a key of its own: it would keep `-col /oci` from finding two rows that are alike.
- The CRI runtime comes last, so that a handler of the name `runc-2` is not taken for runc on two CPUs.
- Values are in benchstat's base units (sec, B, B/s), and each metric is a unit of its own, which benchstat makes a table of.
- A metric with a value for each pod (call, step) has a line for each: `NAME/pod=3/oci=...`.
- Warm-up and failed trials are left out, and so is what would keep `benchstat old.txt new.txt` from setting two runs side by side: the
  run's id is a comment. Blocks of one host in several runs are pooled, as `labctl report` does.

benchstat takes the trials of two combinations for independent samples. Here they are pairs of a block, which labctl's own ratios use:
medians are the same, and benchstat's p is more cautious.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from orchestrator.model.errors import ResultError
from orchestrator.results import relations
from orchestrator.results.exports.units import unit_of
from orchestrator.results.merge import MEMORY, SAMPLES
from orchestrator.results.rows import Digested, recorded
from orchestrator.results.table import AGAIN

COUNTED = """
    SELECT host, machine, benchmark, combination, run, block, item, metric, unit, value
    FROM (SELECT *, row_number() OVER () AS rank FROM ({rows})) WHERE status = 'ok' AND NOT warmup
    ORDER BY list_position($hosts, host), list_position($benchmarks, benchmark), list_position($combinations, combination),
             number, item NULLS FIRST, rank
"""
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class _Sample:
    host: str
    machine: str
    benchmark: str
    combination: str
    run: str
    block: int
    item: int | None
    metric: str
    unit: str
    value: float


def lines(run: Digested) -> Iterator[str]:
    yield from _head(run)
    yield from _units(run)
    known: dict[str, str] = {}
    words = {(measure.benchmark, measure.metric): measure.item for measure in run.estimates.measures}
    params = {plan.name: plan.params for plan in run.spec.benchmarks}
    line = attrgetter("host", "benchmark", "combination", "run", "block", "item")
    for _, group in groupby(_counted(run), key=line):
        samples = list(group)
        first = samples[0]
        config = {
            "host": first.host,
            "machine": first.machine,
            "params": _params(params.get(first.benchmark, {})),
        }
        for key, value in config.items():
            if known.get(key, "") != value:
                known[key] = value
                yield f"{key}: {value}\n" if value else f"{key}:\n"
        yield _line(samples, words.get((first.benchmark, first.metric), "item"))


def unit_name(metric: str, unit: str) -> str:
    """What benchstat calls a metric: `CreateAndRun-sec`."""
    return f"{_word(metric)}-{unit_of(unit).bench}"


def _head(run: Digested) -> Iterator[str]:
    spec = run.spec
    for one in spec.runs or (spec.id,):
        yield f"# labctl run {one}\n"
    yield "# benchstat -col /cri,/oci FILE  sets the combinations side by side; the first is the baseline.\n"
    yield f"suite: {' '.join(spec.suite.split())}\n"
    yield f"profile: {spec.profile.value}\n"


def _units(run: Digested) -> Iterator[str]:
    """What is better of each unit, unless a metric's name means one thing here and the contrary there."""
    better: dict[str, set[str]] = {}
    for measure in run.estimates.measures:
        better.setdefault(unit_name(measure.metric, measure.unit), set()).add(measure.better)
    for unit, said in better.items():
        told = f" better={next(iter(said))}" if len(said) == 1 else ""
        yield f"Unit {unit}{told} assume=nothing\n"


def _line(samples: Sequence[_Sample], item: str) -> str:
    first = samples[0]
    cri, _, oci = first.combination.partition("/")
    each = "" if first.item is None else f"/{_word(item)}={first.item}"
    name = f"{_word(first.benchmark)}{each}/oci={_word(oci)}/cri={_word(cri)}"
    values = (
        f"{sample.value * unit_of(sample.unit).factor!r} {unit_name(sample.metric, sample.unit)}"
        for sample in samples
    )
    return f"Benchmark{name} 1 {' '.join(values)}\n"


def _params(params: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(params.items())).replace("\n", " ")


def _word(text: str) -> str:
    """Without what ends a word or a part of a name in this format."""
    return re.sub(r"[\s/=]+", "_", text)


def _counted(run: Digested) -> Iterator[_Sample]:
    spec, file = run.spec, run.folder / SAMPLES
    names = [combination.name for combination in spec.combinations]
    order = {
        "hosts": [host.name for host in spec.hosts],
        "benchmarks": [plan.name for plan in spec.benchmarks],
        "combinations": sorted(names, key=lambda name: name != spec.baseline),
    }
    try:
        with TemporaryDirectory(prefix="labctl-benchfmt-") as scratch, _database(Path(scratch)) as database:
            rows, given = recorded(database, relations.SAMPLES, run)
            found = database.execute(COUNTED.format(rows=rows), {**given, **order})
            while batch := found.fetchmany(BATCH):
                yield from (_Sample(*row) for row in batch)
    except duckdb.Error as error:
        raise ResultError(f"{file}: {str(error).splitlines()[0]}", AGAIN) from error


def _database(scratch: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1, "memory_limit": MEMORY, "temp_directory": str(scratch)})
