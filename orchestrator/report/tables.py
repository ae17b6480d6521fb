# SPDX-License-Identifier: Apache-2.0
"""The tables of a report, as text: terminal and HTML show the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.model.estimates import Cell, CurveKnee, Measure
from orchestrator.model.samples import HostRecord
from orchestrator.report.facts import binaries, provenance_rows, shown_facts, why_missing
from orchestrator.report.numbers import (
    MISSING,
    Scale,
    between,
    number,
    probability,
    ratio,
    ratios,
    scale_for,
)
from orchestrator.report.thinning import selection
from orchestrator.report.view import Report, Table
from orchestrator.stats.median import FEWEST

MOST_FLAGGED = 100
"""Rows of the table of contaminated blocks."""


def scale_of(report: Report, measure: Measure) -> Scale:
    """One scale for a metric wherever it is shown."""
    ends = [float(end) for one in report.samples(measure) for end in (one.values.min(), one.values.max())]
    return scale_for(measure.unit, ends)


def estimates_table(report: Report, measures: Sequence[Measure], hosts: Sequence[str]) -> Table:
    """Median, interval, ratio to the baseline and its interval: a row a host, metric and combination."""
    rows: list[tuple[str, ...]] = []
    missing: dict[str, dict[str, None]] = {}
    for measure in measures:
        scale = scale_of(report, measure)
        for host in hosts:
            for combination in report.combinations:
                cell = report.cell(host, measure, combination)
                rows.append(_estimate_row(report, measure, scale, host, combination, cell))
                for reason, where in _reasons(report, measure, host, combination, cell):
                    missing.setdefault(reason, {})[where] = None
    head = (
        "metric",
        "host",
        "combination",
        "n",
        "median",
        "95 % interval",
        "ratio",
        "95 % interval of the ratio",
        "p, adjusted",
    )
    notes = (f"{', '.join(places)}: {reason}." for reason, places in missing.items())
    caption = "Medians, and ratios to the baseline paired by block."
    return Table(caption, head, tuple(rows), headers=3, notes=(_ratio_note(report), *notes))


def _estimate_row(
    report: Report, measure: Measure, scale: Scale, host: str, combination: str, cell: Cell | None
) -> tuple[str, ...]:
    pair = report.pair(host, measure, combination)
    name = f"{measure.metric} [{scale.unit}]"
    median = (str(cell.n), number(cell.median, scale), _spread(cell, scale)) if cell else (MISSING,) * 3
    if combination == report.spec.baseline:
        return (name, host, combination, *median, "1 (baseline)", "", "")
    if pair is None:
        return (name, host, combination, *median, MISSING, MISSING, MISSING)
    return (
        name,
        host,
        combination,
        *median,
        ratio(pair.ratio),
        ratios(pair.interval),
        probability(pair.adjusted),
    )


def _reasons(
    report: Report, measure: Measure, host: str, combination: str, cell: Cell | None
) -> Iterator[tuple[str, str]]:
    """Why something of this row is missing, and where."""
    where = f"{host} {combination}"
    if cell is not None and cell.reason:
        in_range = "; the range stands in parentheses" if cell.secondary else ""
        yield f"{cell.reason}{in_range}", where
    pair = report.pair(host, measure, combination)
    if pair is not None and pair.reason:
        yield f"no ratio, or none with an interval: {pair.reason}", where


def _spread(cell: Cell, scale: Scale) -> str:
    """The interval; below six values the range, in parentheses."""
    if cell.interval is None and cell.secondary is not None:
        return f"({number(cell.secondary.minimum, scale)}–{number(cell.secondary.maximum, scale)})"
    return between(cell.interval, scale)


def _ratio_note(report: Report) -> str:
    return (
        f"Ratios are to {report.spec.baseline}, above 1 is worse: the Hodges-Lehmann estimate over blocks, which is not the "
        "ratio of the two medians."
    )


def secondary_table(report: Report, measures: Sequence[Measure]) -> Table:
    """Mean, extremes and high quantiles: shown, never the ground of a claim."""
    rows: list[tuple[str, ...]] = []
    for measure in measures:
        scale = scale_of(report, measure)
        for host in report.hosts_of(measure.benchmark):
            for combination in report.combinations:
                cell = report.cell(host, measure, combination)
                if cell and (extra := cell.secondary):
                    values = (extra.mean, extra.minimum, extra.maximum, extra.p95, extra.p99)
                    texts = tuple(number(value, scale) for value in values)
                    rows.append((f"{measure.metric} [{scale.unit}]", host, combination, *texts))
    head = ("metric", "host", "combination", "mean", "min", "max", "p95", "p99")
    note = "A p95 is shown from 20 values on, a p99 from 100. No claim rests on these."
    return Table("Secondary statistics.", head, tuple(rows), headers=3, notes=(note,))


def matrix_table(report: Report) -> Table:
    """Benchmarks x combinations: each host's ratios to the baseline."""
    rows: list[tuple[str, ...]] = []
    for plan in report.spec.benchmarks:
        measure = report.primary(plan.name)
        for host in report.hosts_of(plan.name) if measure else ():
            assert measure is not None
            scale = scale_of(report, measure)
            base = report.cell(host, measure, report.spec.baseline)
            cells = [_ratio_cell(report, measure, host, name) for name in report.others]
            median = (
                f"{number(base.median, scale)} {scale.unit}" if base and base.median is not None else MISSING
            )
            rows.append((f"{plan.name}, {measure.metric}", host, median, *cells))
    head = (
        "benchmark, metric",
        "host",
        f"{report.spec.baseline}, median",
        *(f"{name}, ratio" for name in report.others),
    )
    return Table(
        "Ratios to the baseline with 95 % intervals.",
        head,
        tuple(rows),
        headers=2,
        notes=(_ratio_note(report),),
    )


def _ratio_cell(report: Report, measure: Measure, host: str, combination: str) -> str:
    pair = report.pair(host, measure, combination)
    if pair is None or pair.ratio is None:
        return MISSING
    return (
        f"{ratio(pair.ratio)} ({ratios(pair.interval)})"
        if pair.interval
        else f"{ratio(pair.ratio)} (no interval)"
    )


def samples_table(report: Report, measure: Measure) -> Table:
    """A row a block, a column a host and combination; warm-up blocks are marked. Of very many blocks a selection."""
    scale = scale_of(report, measure)
    samples = report.samples(measure)
    columns = [(host, name) for host in report.hosts_of(measure.benchmark) for name in report.combinations]
    selected = selection(samples)
    values: dict[tuple[str, str], dict[int, float]] = {}
    warm: set[int] = set()
    for one in samples:
        kept = selected.of(one)
        blocks = one.blocks[kept].tolist()
        values[one.host, one.combination] = dict(zip(blocks, one.values[kept].tolist(), strict=True))
        warm.update(one.blocks[kept & one.warmup].tolist())
    rows = tuple(
        (
            f"{block} (warm-up)" if block in warm else str(block),
            *(number(values.get(c, {}).get(block), scale) for c in columns),
        )
        for block in sorted({block for found in values.values() for block in found})
    )
    head = ("block", *(f"{host} {name}" for host, name in columns))
    notes = []
    other = ", or is not shown" if selected.step > 1 else ""
    if any(MISSING in row for row in rows):
        notes.append(
            f"A {MISSING} is a trial that did not succeed or was not made; trials.parquet has its reason{other}."
        )
    if selected.sentence:
        notes.append(f"{selected.sentence}; samples.parquet has all.")
    return Table(f"Samples of {measure.metric} [{scale.unit}].", head, rows, notes=tuple(notes))


def curve_table(report: Report, measure: Measure) -> Table:
    """Median and interval by item (a pod, mostly), its ratio to the first one's, and where the curve has its knee."""
    scale = scale_of(report, measure)
    points = report.curve(measure)
    first = {(p.host, p.combination): p.median for p in points if p.item == 0}
    rows = tuple(
        (p.host, p.combination, str(p.item + 1), str(p.n), number(p.median, scale), between(p.interval, scale),
         ratio(p.median / start) if (start := first.get((p.host, p.combination))) else MISSING)
        for p in points
    )  # fmt: skip
    head = (
        "host",
        "combination",
        measure.item,
        "n",
        f"median [{scale.unit}]",
        "95 % interval",
        f"to the first {measure.item}",
    )
    short = (
        f"{MISSING} stands where a {measure.item} has fewer than the {FEWEST} values that an interval needs."
    )
    notes = (short,) if any(p.interval is None for p in points) else ()
    bends = tuple(_knee(knee, measure, scale) for knee in report.knees(measure))
    return Table(f"{measure.metric} by {measure.item}.", head, rows, headers=3, notes=(*notes, *bends))


def _knee(knee: CurveKnee, measure: Measure, scale: Scale) -> str:
    where = f"{knee.host}, {knee.combination}"
    if knee.item is None or knee.before is None or knee.after is None:
        return f"{where}: no knee ({knee.reason})."
    before, after = (
        f"{'+' if slope > 0 else ''}{number(slope, scale)}" for slope in (knee.before, knee.after)
    )
    return (
        f"{where}: a knee at {measure.item} {knee.item + 1}: up to it {before} {scale.unit} with every further {measure.item}, "
        f"behind it {after} {scale.unit}."
    )


def contaminated_table(report: Report) -> Table | None:
    """Every flagged block that counts, and why; of very many the first. None where no block is flagged."""
    found = report.estimates.contamination
    flagged = [one for one in found.flagged if not one.warmup] if found else []
    if not flagged:
        return None
    several = bool(report.spec.runs)
    rows = tuple(
        (one.host, one.benchmark, f"{one.block} of {one.run}" if several else str(one.block),
         "; ".join(reason.sentence for reason in one.reasons))
        for one in flagged[:MOST_FLAGGED]
    )  # fmt: skip
    head = ("host", "benchmark", "block", "why")
    more = f"{len(flagged) - MOST_FLAGGED} more are in estimates.json."
    notes = (more,) if len(flagged) > MOST_FLAGGED else ()
    return Table("Contaminated blocks.", head, rows, headers=3, words=frozenset((3,)), notes=notes)


def host_table(report: Report) -> Table:
    """A column a host: what it did, and what it is."""
    hosts = report.estimates.hosts
    rows: list[tuple[str, ...]] = [
        ("machine", *(host.machine for host in hosts)),
        ("blocks", *(str(sum(host.blocks.values())) for host in hosts)),
        ("trials, ok / not", *(_trials(report, host) for host in hosts)),
        (
            "left behind",
            *(str(sum(t.leaks for t in report.estimates.trials if t.host == host.host)) for host in hosts),
        ),
        ("journal", *(host.ended or "open" for host in hosts)),
    ]
    built = [host.provenance for host in report.spec.hosts]
    rows += [(label, *values) for label, values in shown_facts(hosts, built)]
    words = frozenset(range(1, len(hosts) + 1))
    return Table(
        "Hosts.",
        ("", *(host.host for host in hosts)),
        tuple(rows),
        words=words,
        notes=tuple(why_missing(hosts)),
    )


def provenance_table(report: Report) -> Table | None:
    """Every component, configuration file and adapter of each host by its hash; None where no host has told any."""
    rows = tuple(provenance_rows(report.spec.hosts))
    head = ("host", "kind", "name", "version, source", "artifact key, or sha256")
    return Table("What each host ran.", head, rows, headers=3, words=frozenset((3, 4))) if rows else None


def binaries_table(report: Report) -> Table | None:
    """What exactly was run; None where no fingerprint says it."""
    rows = tuple(binaries(report.estimates.hosts))
    head = ("host", "binary", "version", "sha256")
    return Table("Runtimes' binaries.", head, rows, headers=2, words=frozenset((2, 3))) if rows else None


def _trials(report: Report, host: HostRecord) -> str:
    counts = [t for t in report.estimates.trials if t.host == host.host]
    return f"{sum(t.ok for t in counts)} / {sum(t.failed + t.unsupported for t in counts)}"
