# SPDX-License-Identifier: Apache-2.0
"""The sentences themselves. Never from the overlap of two intervals, never a cause, never more than the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Subject, VerdictKind


def times(ratio: float) -> str:
    """A ratio either side of 1 as a factor: 0.5 and 2 are both ``2.00x``."""
    factor = max(ratio, 1 / ratio)
    return f"{factor:.2f}x" if factor < 10 else f"{factor:.3g}x"


def percent(ratio: float) -> str:
    """How far a ratio is from 1, on either side, in the margin's sense: 0.5 and 2 are both ``100 %``."""
    share = 100 * (max(ratio, 1 / ratio) - 1)
    return f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def p_value(p: float | None) -> str:
    """``p < 0.001`` or ``p = 0.012``."""
    if p is None:
        return "p undefined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def no_fleet_claim(hosts: int, machines: int) -> str:
    """Why nothing is said beyond the hosts, where machines are fewer than three (STATISTICS.md: H < 3)."""
    on = f"{hosts} host{'s' if hosts != 1 else ''} on {machines} machine{'s' if machines != 1 else ''}"
    return f"No fleet claim: {on}. Machines are counted, not hosts, and a claim beyond the hosts shown needs at least 3."


def machine_range(ratios: Interval) -> str:
    """The least and the largest machine's ratio, both on one side of 1 or not: ``1.10x-1.60x``, ``0.90-1.20``."""
    if ratios.low >= 1 or ratios.high <= 1:
        low, high = sorted((max(ratios.low, 1 / ratios.low), max(ratios.high, 1 / ratios.high)))
        return f"{low:.2f}x-{high:.2f}x"
    return f"ratios {ratios.low:.2f}-{ratios.high:.2f}"


def fleet_different(subject: Subject, evidence: Evidence, agree: int) -> str:
    assert evidence.ratio is not None and evidence.interval is not None
    word = subject.slower if evidence.ratio > 1 else subject.faster
    level = f"{100 * evidence.interval.level:g} % CI"
    return (
        f"{subject.combination} is {times(evidence.ratio)} {word} than {subject.baseline} in "
        f"{subject.benchmark}, {subject.metric} ({level} {spread(evidence.interval)}; "
        f"{agree} of {evidence.units} machines agree, {p_value(evidence.p)})."
    )


def each_machine(subject: Subject, evidence: Evidence, ratios: Interval) -> str:
    word = subject.slower if ratios.low > 1 else subject.faster
    return (
        f"On each of {evidence.units} machines: {subject.combination} is {machine_range(ratios)} {word} than "
        f"{subject.baseline} in {subject.benchmark}, {subject.metric}."
    )


def conflict(subject: Subject, ratios: Interval) -> str:
    return f"Machines disagree on the direction ({machine_range(ratios)}) between {_about(subject)}."


def size_depends(subject: Subject, ratios: Interval) -> str:
    return f"The size depends on the machine ({machine_range(ratios)}): {_about(subject)}."


def fleet_inconclusive(subject: Subject, evidence: Evidence) -> str:
    assert evidence.interval is not None
    return (
        f"Inconclusive across {evidence.units} machines: {span(subject, evidence.interval)}; {_advice(evidence, 'machine')}. "
        f"Of {_about(subject)}."
    )


def fleet_alike(sentence: str, machines: int) -> str:
    """A negligible or absent difference, said of the fleet."""
    return f"Across {machines} machines: {sentence[0].lower()}{sentence[1:]}"


def spread(interval: Interval) -> str:
    low, high = (interval.low, interval.high) if interval.high > 1 else (1 / interval.high, 1 / interval.low)
    return f"{low:.2f}-{high:.2f}" if high < 10 else f"{low:.3g}-{high:.3g}"


def _about(subject: Subject) -> str:
    return f"{subject.combination} and {subject.baseline} in {subject.benchmark} ({subject.metric})"


def _different(subject: Subject, evidence: Evidence) -> str:
    assert evidence.ratio is not None and evidence.interval is not None
    word = subject.slower if evidence.ratio > 1 else subject.faster
    level = f"{100 * evidence.interval.level:g} % CI"
    return (
        f"{subject.combination} is {times(evidence.ratio)} {word} than {subject.baseline} in "
        f"{subject.benchmark}, {subject.metric} ({level} {spread(evidence.interval)}; "
        f"{evidence.units} pairs, {p_value(evidence.p)})."
    )


def _negligible(subject: Subject, evidence: Evidence) -> str:
    assert evidence.ratio is not None
    return f"Detectable but negligible ({percent(evidence.ratio)}) between {_about(subject)}."


def _equivalent(subject: Subject, evidence: Evidence) -> str:
    return f"No practical difference (within {evidence.margin * 100:g} %) between {_about(subject)}."


def _inconclusive(subject: Subject, evidence: Evidence) -> str:
    assert evidence.interval is not None
    return f"Inconclusive: {span(subject, evidence.interval)}; {_advice(evidence, 'block')}. Of {_about(subject)}."


def span(subject: Subject, interval: Interval) -> str:
    """An interval of ratios in words: ``3 % faster to 5 % slower``."""
    words = [subject.slower if bound > 1 else subject.faster for bound in (interval.low, interval.high)]
    if words[0] == words[1]:
        near, far = sorted((interval.low, interval.high), key=lambda bound: max(bound, 1 / bound))
        return f"{percent(near)} to {percent(far)} {words[0]}"
    return f"{percent(interval.low)} {words[0]} to {percent(interval.high)} {words[1]}"


def _advice(evidence: Evidence, unit: str) -> str:
    if evidence.more:
        return f"about {evidence.more} more {unit}{'s' if evidence.more != 1 else ''}"
    return f"the difference lies near the margin of {evidence.margin * 100:g} %, where more {unit}s hardly decide"


def missing_machines(names: Sequence[str]) -> str:
    """Behind what is said across machines, where some of the run's have no ratio: `` Without m3 and m7.``"""
    return f" Without {listed(names)}." if names else ""


def listed(names: Sequence[str]) -> str:
    """``a, b and c``"""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _unclaimed(subject: Subject, evidence: Evidence) -> str:
    have = f"{evidence.units} pair{'s' if evidence.units != 1 else ''}"
    return f"Nothing can be claimed from {have} of {_about(subject)}: an interval needs at least 6."


SENTENCES: Mapping[VerdictKind, Callable[[Subject, Evidence], str]] = {
    VerdictKind.DIFFERENT: _different,
    VerdictKind.NEGLIGIBLE: _negligible,
    VerdictKind.EQUIVALENT: _equivalent,
    VerdictKind.INCONCLUSIVE: _inconclusive,
    VerdictKind.UNCLAIMED: _unclaimed,
}
