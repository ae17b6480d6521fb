# SPDX-License-Identifier: Apache-2.0
"""A comparison as Markdown, for a comment on a pull request: gates, what is claimed and one table; all else is folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.model.comparison import Comparison, Standing
from orchestrator.report.comparison import (
    ORDER,
    Row,
    altered,
    drift_rows,
    failure_rows,
    gated_rows,
    headlines,
    method,
    more_failures,
    primary_rows,
    sides,
    tally,
    verdict_of_gates,
)
from orchestrator.report.numbers import MISSING, probability
from orchestrator.stats.change_sentences import as_percents

MARKS = {Standing.PASSED: "✅", Standing.FAILED: "❌", Standing.UNDECIDED: "❔"}
MOST = 20
"""Rows that are seen at once; of more, those with a claimed difference are, and all are folded."""
HEAD = ("benchmark", "combination", "host", "A", "B", "change", "95 % interval", "verdict")
ALTERED = ("host", "what changed", "A", "B")
NUMBERS = (3, 4, 5, 6)


def markdown(comparison: Comparison) -> str:
    return "\n".join(_lines(comparison)).rstrip() + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"### labctl compare: {_escaped(verdict_of_gates(comparison) or 'what changed')}"
    yield ""
    yield from _gates(comparison)
    for row in failure_rows(comparison):
        yield f"- {'❌' if row.worse else '⚠️'} {_escaped(row.text)}"
    if more := more_failures(comparison):
        yield f"- {_escaped(more)}"
    for verdict in headlines(comparison):
        yield f"- {_escaped(verdict.sentence)}"
    yield f"- {_escaped(tally(comparison))}"
    yield ""
    if changed := altered(comparison, chief=True):
        yield from _table(ALTERED, (tuple(map(_escaped, row)) for row in changed), ())
    rows = (*primary_rows(comparison), *gated_rows(comparison))
    few = len(rows) <= MOST
    yield from _changes(rows if few else [row for row in rows if row.claimed])
    if not few:
        yield from _folded(f"All {len(rows)} changes", _changes(rows))
    yield from _folded("How this was compared", _how(comparison))


def _gates(comparison: Comparison) -> Iterator[str]:
    """Those that are not passed first."""
    if not comparison.gates:
        return
    counted = any(result.failure_p is not None for result in comparison.gates)
    rows = (
        (
            f"{MARKS[result.standing]} {result.standing}",
            f"`{result.gate.text}`",
            _escaped(result.combination),
            _escaped(result.host),
            as_percents(result.interval) if result.interval else MISSING,
            *((MISSING if result.failure_p is None else probability(result.failure_p),) if counted else ()),
        )
        for result in sorted(comparison.gates, key=lambda result: ORDER.index(result.standing))
    )
    head = ("", "gate", "combination", "host", "90 % interval", *(("more failures, p",) if counted else ()))
    yield from _table(head, rows, (4, 5))


def _changes(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    told = (
        tuple(
            _escaped(text)
            for text in (
                f"{row.benchmark} {row.measure}",
                row.combination,
                row.host,
                row.a,
                row.b,
                row.change,
                row.interval,
                row.word or row.reason,
            )
        )
        for row in rows
    )
    yield from _table(HEAD, told, NUMBERS)


def _how(comparison: Comparison) -> Iterator[str]:
    for label, side in zip("AB", sides(comparison), strict=True):
        yield f"- {label}: {_escaped(side)}"
    yield f"- {_escaped(method(comparison))}"
    for notice in comparison.notices:
        where = f"{notice.host}: " if notice.host else ""
        yield f"- {_escaped(f'{where}{notice.message} {notice.hint}')}"
    yield ""
    if drift := drift_rows(comparison):
        yield f"The control itself, {_escaped(str(comparison.control))}: the machine's drift, no finding."
        yield ""
        yield from _changes(drift)
    if rows := altered(comparison, chief=False):
        yield "What else is not the same:"
        yield ""
        yield from _table(ALTERED, (tuple(map(_escaped, row)) for row in rows), ())


def _folded(summary: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{_escaped(summary)}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---:' if index in numbers else ':---' for index in range(len(head)))} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _escaped(text: str) -> str:
    """What Markdown and HTML would take for their own."""
    for sign, written in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("|", "\\|"),
        ("*", "\\*"),
        ("_", "\\_"),
    ):
        text = text.replace(sign, written)
    return text
