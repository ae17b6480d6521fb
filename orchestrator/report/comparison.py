# SPDX-License-Identifier: Apache-2.0
"""A comparison in words and rows of text, shared by the terminal and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.model.comparison import Change, Comparison, FailureComparison, Method, Side, Standing
from orchestrator.model.verdict import Scope, Verdict, VerdictKind
from orchestrator.report.numbers import MISSING, Scale, number, scale_for
from orchestrator.report.view import MANY
from orchestrator.stats.change_sentences import B, as_percent, as_percents, of_run
from orchestrator.stats.fleet import FEWEST
from orchestrator.stats.sentences import family_sentence, no_fleet_claim

WORDS = {
    VerdictKind.NEGLIGIBLE: "negligible",
    VerdictKind.EQUIVALENT: "no practical difference",
    VerdictKind.UNDECIDED: "undecided",
    VerdictKind.UNCLAIMED: "too few blocks",
}
COUNTED = {
    VerdictKind.DIFFERENT: "a difference",
    VerdictKind.NEGLIGIBLE: "a negligible one",
    VerdictKind.EQUIVALENT: "no practical difference",
    VerdictKind.PROBABLE: "a probable one",
    VerdictKind.UNDECIDED: "undecided",
    VerdictKind.UNCLAIMED: "too few blocks for a claim",
}
CHIEF = ("component", "host")
MOST_FAILURES = 20
ORDER = (Standing.FAILED, Standing.UNDECIDED, Standing.PASSED)


@dataclass(frozen=True, slots=True)
class Row:
    """One change as text. ``measure`` is its metric with the unit of ``a`` and ``b``, the medians; ``claimed``: a difference is."""

    host: str
    benchmark: str
    measure: str
    combination: str
    a: str
    b: str
    change: str
    interval: str
    word: str
    reason: str
    claimed: bool


def sides(comparison: Comparison) -> tuple[str, str]:
    """What A and B are, a line each."""
    return _side(comparison.a), _side(comparison.b)


def _side(side: Side) -> str:
    run = f"{side.run} ({side.suite}, profile {side.profile}, {side.created[:10]})"
    return f"{side.combination} in {run}" if side.combination else run


def method(comparison: Comparison) -> str:
    """How the change from A to B was estimated."""
    if comparison.a.combination:
        return "Change from A to B, paired by block: each block has both."
    if comparison.control:
        return (
            f"Change from A to B relative to {comparison.control}, the control, which is the same in both: each value is taken as a "
            "ratio to the control's in its own block, so that what moved both between the runs is left out."
        )
    return "Change from A to B, of the values as they are: the runs share no block, and there is no control."


def headlines(comparison: Comparison) -> tuple[Verdict, ...]:
    """What is said across machines, then each difference on a host, claimed or probable; of very many hosts no host's."""
    across = [verdict for verdict in comparison.verdicts if verdict.scope is not Scope.HOST]
    if crowded(comparison) and across:
        return tuple(across)
    own = [verdict for verdict in comparison.verdicts if verdict.scope is Scope.HOST]
    claimed, probable = (
        [verdict for verdict in own if verdict.kind is kind]
        for kind in (VerdictKind.DIFFERENT, VerdictKind.PROBABLE)
    )
    return (*across, *claimed, *probable)


def tally(comparison: Comparison) -> str:
    """``12 comparisons of primary metrics on hosts: 1 a difference, 11 undecided.``, and what a claim means."""
    kinds = Counter(verdict.kind for verdict in comparison.verdicts if verdict.scope is Scope.HOST)
    if not kinds:
        return "No primary metric was compared, so that nothing is claimed."
    total = sum(kinds.values())
    told = ", ".join(f"{kinds[kind]} {words}" for kind, words in COUNTED.items() if kinds[kind])
    comparisons = f"{total} comparison{'s' if total != 1 else ''} of primary metrics on hosts"
    return f"{comparisons}: {told}. {family_sentence(comparison.family)} {reach(comparison)}".rstrip()


def reach(comparison: Comparison) -> str:
    """On how many machines it rests, where these are too few for a claim beyond the hosts; else ""."""
    machines = {change.host: change.machine for change in comparison.changes}
    count = len(set(machines.values()))
    return no_fleet_claim(len(machines), count) if count < FEWEST else ""


def verdict_of_gates(comparison: Comparison) -> str:
    """``Gates: 1 failed, 2 passed.``, each gate once: it fails where it does so on any host; "" without gates."""
    worst: dict[str, Standing] = {}
    for result in comparison.gates:
        before = worst.get(result.gate.text, result.standing)
        worst[result.gate.text] = min(before, result.standing, key=ORDER.index)
    counts = Counter(worst.values())
    told = ", ".join(f"{counts[one]} {one}" for one in ORDER if counts[one])
    return f"Gates: {told}." if told else ""


def crowded(comparison: Comparison) -> bool:
    return len({change.host for change in comparison.changes}) > MANY


def primary_rows(comparison: Comparison) -> tuple[Row, ...]:
    """The primary metrics: what verdicts are about."""
    return _rows(comparison, [change for change in comparison.changes if change.primary])


def gated_rows(comparison: Comparison) -> tuple[Row, ...]:
    """The other metrics that a gate is about."""
    wanted = {(result.gate.benchmark, result.metric) for result in comparison.gates}
    others = [one for one in comparison.changes if not one.primary and (one.benchmark, one.metric) in wanted]
    return _rows(comparison, others)


def drift_rows(comparison: Comparison) -> tuple[Row, ...]:
    """How the control itself moved."""
    return _rows(comparison, [change for change in comparison.drift if change.primary])


def _rows(comparison: Comparison, changes: Sequence[Change]) -> tuple[Row, ...]:
    said = {
        (
            verdict.where,
            verdict.subject.benchmark,
            verdict.subject.metric,
            verdict.subject.combination,
        ): verdict
        for verdict in comparison.verdicts
        if verdict.scope is Scope.HOST
    }
    scales = _scales(changes)
    return tuple(
        _row(
            one,
            scales[one.host, one.benchmark, one.metric],
            said.get((one.host, one.benchmark, one.metric, _called(one))),
        )
        for one in changes
    )


def _scales(changes: Sequence[Change]) -> dict[tuple[str, str, str], Scale]:
    """One unit for all that stands together."""
    values: dict[tuple[str, str, str], list[float]] = {}
    units: dict[tuple[str, str, str], str] = {}
    for one in changes:
        key = (one.host, one.benchmark, one.metric)
        units[key] = one.unit
        values.setdefault(key, []).extend(v for v in (one.median_a, one.median_b) if v is not None)
    return {key: scale_for(units[key], values[key]) for key in units}


def _called(change: Change) -> str:
    """As the sentences call it."""
    return change.combination if change.method is Method.PAIRED else of_run(change.combination, B)


def _row(change: Change, scale: Scale, verdict: Verdict | None) -> Row:
    a, b = (number(value, scale) for value in (change.median_a, change.median_b))
    ratio, interval = change.of_values, change.interval_of_values(change.interval)
    return Row(
        host=change.host,
        benchmark=change.benchmark,
        measure=f"{change.metric} [{scale.unit}]" if scale.unit else change.metric,
        combination=change.combination,
        a=a,
        b=b,
        change=MISSING if ratio is None else as_percent(ratio),
        interval=MISSING if interval is None else as_percents(interval),
        word=_word(verdict) if verdict else "",
        reason=change.reason or "",
        claimed=verdict is not None and verdict.kind is VerdictKind.DIFFERENT,
    )


def _word(verdict: Verdict) -> str:
    if verdict.kind in (VerdictKind.DIFFERENT, VerdictKind.PROBABLE):
        word = verdict.subject.slower if (verdict.evidence.ratio or 1.0) > 1 else verdict.subject.faster
        return word if verdict.kind is VerdictKind.DIFFERENT else f"probably {word}"
    return WORDS.get(verdict.kind, str(verdict.kind))


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Where trials failed or are not supported, and how many. ``worse``: a larger share failed in B, or B lost support."""

    text: str
    worse: bool


def failure_rows(comparison: Comparison) -> tuple[FailureRow, ...]:
    """The cells whose failures are shown one by one, the clearest rise first."""
    return tuple(_failure_row(cell) for cell in comparison.failures[:MOST_FAILURES])


def more_failures(comparison: Comparison) -> str:
    """How many cells with failures are not shown; "" where all are."""
    hidden = len(comparison.failures) - MOST_FAILURES
    return f"Trials failed in {hidden} more places: --json has all." if hidden > 0 else ""


def _failure_row(cell: FailureComparison) -> FailureRow:
    reason = next((side.reason for side in (cell.b, cell.a) if side.failed), None)
    why = f" Most often: {reason.rstrip('.')}." if reason else ""
    text = f"{cell.combination} in {cell.benchmark} on {cell.host}: {cell.sentence}{why}"
    risen = cell.b.failed * max(cell.a.attempted, 1) > cell.a.failed * cell.b.attempted
    return FailureRow(text, risen or cell.lost_support or cell.not_tried)


def altered(comparison: Comparison, *, chief: bool) -> tuple[tuple[str, str, str, str], ...]:
    """What is not the same in A and in B: hosts (those that are alike together), what, how in A, how in B.

    ``chief``: components and the machine itself, which a comparison is mostly about; else configurations, packages and the like.
    """
    hosts: dict[tuple[str, str, str], list[str]] = {}
    for one in comparison.alterations:
        if (one.kind in CHIEF) is chief:
            what = one.name if one.kind in ("component", "host") else f"{one.kind} {one.name}"
            hosts.setdefault((what, one.a or "none", one.b or "none"), []).append(one.host)
    return tuple((_hosts(names), *key) for key, names in hosts.items())


def _hosts(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} hosts"


def broken_gates(
    comparison: Comparison, standing: Standing, *, passable: bool | None = None
) -> tuple[str, ...]:
    """Each gate that stands so, and where: ``X <= +5% (crio/runc on h1)``. ``passable``: those alone; None: all."""
    where: dict[str, list[str]] = {}
    for result in comparison.gates:
        if result.standing is standing and passable in (None, result.passable):
            where.setdefault(result.gate.text, []).append(f"{result.combination} on {result.host}")
    return tuple(f"{text} ({_few(places)})" for text, places in where.items())


def _few(places: Sequence[str]) -> str:
    return "; ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
