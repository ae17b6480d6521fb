# SPDX-License-Identifier: Apache-2.0
"""The tables of a report, as text: terminal and HTML show the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from orchestrator.model.estimates import Cell, CurveKnee, Measure
from orchestrator.report.bins import spans, width
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
from orchestrator.report.view import Report, Table
from orchestrator.stats.median import FEWEST

MOST_FLAGGED = 100
"""Rows of the table of contaminated blocks."""


def scale_of(report: Report, measure: Measure) -> Scale:
    """One scale for a metric wherever it is shown."""
    return scale_for(measure.unit, report.ends(measure))


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


def metric_label(report: Report, measure: Measure) -> str:
    """``CreateAndRun [ms]``"""
    return f"{measure.metric} [{scale_of(report, measure).unit}]"


def wide_table(
    report: Report,
    measures: Sequence[Measure],
    caption: str = "Medians, and ratios to the baseline paired by block.",
    label: Callable[[Report, Measure], str] = metric_label,
) -> Table:
    """In short: a row a metric and host, a column a combination. For very many hosts, or one metric of many benchmarks."""
    rows = tuple(
        (label(report, measure), host, *(_short(report, measure, host, name) for name in report.combinations))
        for measure in measures
        for host in report.hosts_of(measure.benchmark)
    )
    note = "Median (95 % interval), and behind an x the ratio to the baseline."
    head = ("metric", "host", *report.combinations)
    return Table(caption, head, rows, headers=2, notes=(note, _ratio_note(report)))


def _short(report: Report, measure: Measure, host: str, combination: str) -> str:
    scale = scale_of(report, measure)
    cell, pair = report.cell(host, measure, combination), report.pair(host, measure, combination)
    if cell is None or cell.median is None:
        return "not supported" if report.unsupported(measure.benchmark, combination, host) else MISSING
    against = f" x{ratio(pair.ratio)}" if pair is not None and pair.ratio is not None else ""
    spread = f" ({between(cell.interval, scale)})" if cell.interval else ""
    return f"{number(cell.median, scale)}{spread}{against}"


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
    """Mean, extremes and high quantiles: shown, never the ground of a claim. Of very many hosts a column a combination."""
    rows: list[tuple[str, ...]] = []
    for measure in measures:
        scale = scale_of(report, measure)
        name = f"{measure.metric} [{scale.unit}]"
        for host in report.hosts_of(measure.benchmark):
            found = [(c, _secondary(report.cell(host, measure, c), scale)) for c in report.combinations]
            if report.crowded:
                rows.append((name, host, *(" ".join(texts) or MISSING for _, texts in found)))
            else:
                rows += [(name, host, combination, *texts) for combination, texts in found if texts]
    note = "A p95 is shown from 20 values on, a p99 from 100. No claim rests on these."
    if report.crowded:
        order = "In each cell: mean, min, max, p95, p99."
        return Table(
            "Secondary statistics.",
            ("metric", "host", *report.combinations),
            tuple(rows),
            headers=2,
            notes=(order, note),
        )
    head = ("metric", "host", "combination", "mean", "min", "max", "p95", "p99")
    return Table("Secondary statistics.", head, tuple(rows), headers=3, notes=(note,))


def _secondary(cell: Cell | None, scale: Scale) -> tuple[str, ...]:
    if cell is None or cell.secondary is None:
        return ()
    more = cell.secondary
    return tuple(
        number(value, scale) for value in (more.mean, more.minimum, more.maximum, more.p95, more.p99)
    )


def samples_table(report: Report, measure: Measure) -> Table:
    """A row a block, a column a host and combination; warm-up blocks are marked."""
    scale = scale_of(report, measure)
    columns = [(host, name) for host in report.hosts_of(measure.benchmark) for name in report.combinations]
    values: dict[tuple[str, str], dict[int, float]] = {}
    warm: set[int] = set()
    for one in report.samples(measure):
        values[one.host, one.combination] = dict(zip(one.blocks.tolist(), one.values.tolist(), strict=True))
        warm.update(one.blocks[one.warmup].tolist())
    rows = tuple(
        (
            f"{block} (warm-up)" if block in warm else str(block),
            *(number(values.get(c, {}).get(block), scale) for c in columns),
        )
        for block in sorted({block for found in values.values() for block in found})
    )
    head = ("block", *(f"{host} {name}" for host, name in columns))
    why = f"A {MISSING} is a trial that did not succeed or was not made; trials.parquet has its reason."
    notes = (why,) if any(MISSING in row for row in rows) else ()
    return Table(f"Samples of {measure.metric} [{scale.unit}].", head, rows, notes=notes)


def spans_table(report: Report, measure: Measure, scale: Scale) -> Table:
    """A row a span of blocks, a column a host and combination: the median, and in parentheses the 5 % and 95 % quantiles."""
    samples = report.samples(measure)
    blocks = width(samples)
    columns = [(one.host, one.combination) for one in samples]
    texts: dict[tuple[int, int], dict[tuple[str, str], str]] = {}
    for one in samples:
        for span in spans(one, blocks):
            low, median, high = (number(value, scale) for value in (span.low, span.median, span.high))
            texts.setdefault((span.first, span.last), {})[one.host, one.combination] = (
                f"{median} ({low}–{high})"
            )
    rows = tuple(
        (
            str(first) if first == last else f"{first}–{last}",
            *(found.get(column, MISSING) for column in columns),
        )
        for (first, last), found in sorted(texts.items())
    )
    head = ("blocks", *(f"{host} {name}" for host, name in columns))
    note = "Warm-up is left out. Every sample is in samples.parquet."
    return Table(
        f"{measure.metric} [{scale.unit}] in spans of blocks: median, and 5 % to 95 % quantile.",
        head,
        rows,
        notes=(note,),
    )


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
