# SPDX-License-Identifier: Apache-2.0
"""From journals to what they say: merge, estimate, draw. Of one run, or of several that a report joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from orchestrator.model.errors import ResultError
from orchestrator.model.estimates import Estimates, Stop
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import Series
from orchestrator.pipeline.fleet import conclude
from orchestrator.report.html import render_html
from orchestrator.report.svg import Paint, here
from orchestrator.report.view import Report
from orchestrator.results import estimates as store
from orchestrator.results.analysis import Merged, estimate
from orchestrator.results.choices import rows
from orchestrator.results.copies import refuse_copies
from orchestrator.results.files import write_text
from orchestrator.results.identity import read_identities
from orchestrator.results.joining import Joined, join, remarks
from orchestrator.results.merge import SAMPLES, Part, Told, merge
from orchestrator.results.provenance import with_provenance
from orchestrator.results.rows import Digested
from orchestrator.results.stops import read_standings, stops
from orchestrator.results.store import RunFolder
from orchestrator.results.table import read_counts, read_series
from remote_agent.benchmarks.registry import find
from remote_agent.contract.benchmark import Benchmark, Metric

HTML = "report.html"
JOINED = "joined"


def digest(folder: Path) -> None:
    """Merge the journals below the run's ``folder`` and estimate: samples.parquet, trials.parquet, estimates.json.

    What the hosts ran is noted in run.json. Raises ResultError.
    """
    run = RunFolder(folder)
    spec = run.read_spec()
    refuse_copies([(folder, spec)])
    sources = store.fingerprint(folder)
    told = merge(folder, spec, primaries=primaries(catalogue(spec)))
    _estimate(run, spec, told, sources)


def digest_joined(folders: Sequence[Path]) -> Path:
    """The same of several runs as one, into a folder of its own beside them; gives it.

    Raises ResultError, UsageError: two of them are one run, or cannot be joined.

    Nothing is done where it is there already, of these journals.
    """
    specs = {folder: RunFolder(folder).read_spec() for folder in folders}
    refuse_copies(list(specs.items()))
    joined = join(
        list(specs.values()), {spec.id: read_identities(each, spec) for each, spec in specs.items()}
    )
    folder = folders[0].parent / JOINED / joined.spec.id
    run = RunFolder(folder)
    # The names follow from the journals too, but by rules that another labctl may not have had.
    if _is_current(folder, folders) and _named(run.read_spec()) == _named(joined.spec):
        return folder
    _make(folder)
    run.write_spec(joined.spec)
    sources = store.fingerprint(folder, folders)
    told = merge(
        folder,
        joined.spec,
        [Part(part, spec, joined.names[spec.id]) for part, spec in specs.items()],
        primaries(catalogue(joined.spec)),
    )
    _estimate(run, joined.spec, told, sources, joined, list(specs.values()))
    return folder


def result_folder(folders: Sequence[Path]) -> Path:
    """Where the results of these runs stand, made now if they are missing, or not of these journals.

    One run's are in its folder, several runs' in one of their own. A folder that is named twice counts once.
    Raises ResultError, UsageError.
    """
    distinct = {folder.resolve(): folder for folder in reversed(folders)}
    parts = sorted(distinct.values(), key=lambda folder: folder.name)
    for part in parts:
        conclude(RunFolder(part))
    if len(parts) > 1:
        return digest_joined(parts)
    if not _is_current(parts[0]):
        digest(parts[0])
    return parts[0]


def is_digested(folder: Path) -> bool:
    """Whether the run's results are there, and of the journals that are."""
    return _is_current(folder)


def digested(*folders: Path) -> Estimates:
    """The estimates of the run, or of several runs joined. Raises ResultError, UsageError."""
    return store.load(result_folder(folders))


def exportable(*folders: Path) -> Digested:
    """What other programs are given of the run, or of several runs joined. Raises ResultError, UsageError."""
    folder = result_folder(folders)
    return Digested(folder, RunFolder(folder).read_spec(), store.load(folder))


def report(*folders: Path) -> Report:
    """All that a report of the run is drawn from, or of several runs joined. Raises ResultError, UsageError."""
    folder = result_folder(folders)  # first: it notes in run.json what the hosts ran
    estimates = store.load(folder)
    spec = RunFolder(folder).read_spec()
    series = read_series(folder)
    return Report(spec, estimates, series, catalogue(spec), rows(spec, estimates, series))


def write_html(report: Report, path: Path, paint: Paint = here) -> Path:
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


def _estimate(
    run: RunFolder,
    spec: RunSpec,
    told: Told,
    sources: Mapping[str, str],
    joined: Joined | None = None,
    specs: Sequence[RunSpec] = (),
) -> None:
    """Note in run.json what the hosts ran, and write estimates.json."""
    known = with_provenance(spec, told.hosts)
    if known != spec:
        run.write_spec(known)
        sources = {**sources, run.run_json.name: store.fingerprint(run.path)[run.run_json.name]}
    counts, asked = read_counts(run.path), joined.asked if joined else {}
    series, benchmarks = read_series(run.path), catalogue(known)
    merged = Merged(series, counts, told.hosts, sources, told.blocks, asked)
    made = replace(estimate(known, merged, benchmarks), stops=_stops(run.path, known, series, benchmarks))
    beside = (*remarks(specs), *joined.notices) if joined else ()
    store.save(run.path, replace(made, notices=(*beside, *made.notices)))


def _stops(
    folder: Path, spec: RunSpec, series: Sequence[Series], benchmarks: Mapping[str, Benchmark]
) -> tuple[Stop, ...]:
    """Why each benchmark ended; () where no rule of ours ended it: of an imported run, and of runs that are joined."""
    if spec.runs or any(host.imported for host in spec.hosts):
        return ()
    return stops(spec, read_standings(folder, spec, series, primaries(benchmarks)))


def _is_current(folder: Path, parts: Sequence[Path] = ()) -> bool:
    known = store.sources(folder)
    fresh = store.fingerprint(folder, parts)
    return known is not None and known == fresh and (folder / SAMPLES).exists()


def _named(spec: RunSpec) -> list[tuple[str, str]]:
    return [(host.name, host.machine) for host in spec.hosts]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(f"{folder}: cannot be made: {error.strerror}.") from error
