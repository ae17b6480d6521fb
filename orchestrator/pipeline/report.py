# SPDX-License-Identifier: Apache-2.0
"""From a run's journals to what they say: merge, estimate, draw."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from orchestrator.model.estimates import Estimates
from orchestrator.model.run import RunSpec
from orchestrator.report.html import render_html
from orchestrator.report.svg import Paint, render
from orchestrator.report.view import Report
from orchestrator.results import estimates as store
from orchestrator.results.analysis import Merged, estimate
from orchestrator.results.files import write_text
from orchestrator.results.merge import SAMPLES, merge
from orchestrator.results.provenance import with_provenance
from orchestrator.results.stops import read_standings, stops
from orchestrator.results.store import RunFolder
from orchestrator.results.table import read_counts, read_series
from remote_agent.benchmarks.registry import find
from remote_agent.contract.benchmark import Benchmark, Metric

HTML = "report.html"


def digest(folder: Path) -> None:
    """Merge the journals below the run's ``folder`` and estimate: samples.parquet, trials.parquet, estimates.json.

    What the hosts ran is noted in run.json. Raises ResultError.
    """
    run = RunFolder(folder)
    spec, sources = run.read_spec(), store.fingerprint(folder)
    hosts = merge(folder, spec)
    told = with_provenance(spec, hosts)
    if told != spec:
        run.write_spec(told)
        sources = {**sources, run.run_json.name: store.fingerprint(folder)[run.run_json.name]}
    series, known = read_series(folder), catalogue(told)
    made = estimate(told, Merged(series, read_counts(folder), hosts, sources), known)
    ends = stops(told, read_standings(folder, told, series, primaries(known)))
    store.save(folder, replace(made, stops=ends))


def digested(folder: Path) -> Estimates:
    """The estimates of the run; made now if they are missing, or not of these journals. Raises ResultError."""
    if not _is_current(folder):
        digest(folder)
    return store.load(folder)


def report(folder: Path) -> Report:
    """All that a report of the run is drawn from. Raises ResultError."""
    estimates = digested(folder)  # first: it notes in run.json what the hosts ran
    spec = RunFolder(folder).read_spec()
    return Report(spec, estimates, read_series(folder), catalogue(spec))


def write_html(report: Report, path: Path, paint: Paint = render) -> Path:
    """Draw the report and write it whole. Raises ResultError."""
    write_text(path, render_html(report, paint))
    return path


def catalogue(spec: RunSpec) -> Mapping[str, Benchmark]:
    """What the run's benchmarks declare; one that this labctl does not know any more is left out."""
    known: dict[str, Benchmark] = {}
    for plan in spec.benchmarks:
        with suppress(KeyError):
            known[plan.name] = find(plan.name)
    return known


def primaries(known: Mapping[str, Benchmark]) -> dict[str, Metric]:
    """Each benchmark's primary metric."""
    return {name: benchmark.metric(benchmark.primary) for name, benchmark in known.items()}


def _is_current(folder: Path) -> bool:
    known = store.sources(folder)
    return known is not None and known == store.fingerprint(folder) and (folder / SAMPLES).exists()
