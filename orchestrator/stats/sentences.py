# SPDX-License-Identifier: Apache-2.0
"""The sentences themselves. Never from the overlap of two intervals, never a cause, never more than the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.model.estimates import Family
from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Subject, VerdictKind
from orchestrator.stats.paired import FEWEST
from orchestrator.stats.planning import TOO_MANY


def times(ratio: float) -> str:
    """A ratio either side of 1 as a factor: 0.5 and 2 are both ``2.00x``; near 1 a digit more, ``1.008x``."""
    factor = max(ratio, 1 / ratio)
    return f"{_digits(factor)}x"


def factors(interval: Interval) -> str:
    """An interval on one side of 1 as factors, the smaller first: ``1.35-1.50``."""
    return "-".join(_ends(interval))


def _ends(interval: Interval) -> tuple[str, str]:
    low, high = sorted((max(interval.low, 1 / interval.low), max(interval.high, 1 / interval.high)))
    return _digits(low), _digits(high)


def _digits(factor: float) -> str:
    """Two decimals; three where ``factor`` is near 1, three digits in all where it is 10 or more."""
    if factor >= 10:
        return f"{factor:.3g}" if factor < 1000 else f"{factor:.0f}"
    return f"{factor:.3f}" if factor < 1.1 else f"{factor:.2f}"


def directed(subject: Subject, ratio: float) -> str:
    """``1.29x faster``"""
    return f"{times(ratio)} {subject.slower if ratio > 1 else subject.faster}"


def probability(value: float | None, symbol: str = "p") -> str:
    """``p < 0.001`` or ``q = 0.012``."""
    if value is None:
        return f"{symbol} undefined"
    return f"{symbol} < 0.001" if value < 0.001 else f"{symbol} = {value:.2g}"


def family_sentence(family: Family) -> str:
    """What a claim of the report means, and how sure its interval is; "" where nothing is compared."""
    if not family.size:
        return ""
    comparisons = f"{family.size} comparison{'s' if family.size != 1 else ''}"
    if family.level is None:
        return (
            f"None of {comparisons} is secured against chance (false discovery rate {100 * family.rate:g} %)."
        )
    return (
        f"Of the differences that are claimed here, at most 1 in {1 / family.rate:.0f} is expected to be chance (false discovery "
        f"rate {100 * family.rate:g} % over {comparisons}). Their intervals are {percentage(family.level)} ones, "
        "so that this holds for them too; the tables have 95 % intervals."
    )


def percentage(level: float) -> str:
    """A confidence level: ``95 %``, ``97.3 %``, ``99.95 %``."""
    return f"{100 * level:.2f}".rstrip("0").rstrip(".") + " %"


def no_fleet_claim(hosts: int, machines: int) -> str:
    """Why nothing is said beyond the hosts, where machines are fewer than three (STATISTICS.md: H < 3)."""
    on = f"{hosts} host{'s' if hosts != 1 else ''} on {machines} machine{'s' if machines != 1 else ''}"
    return f"No fleet claim: {on}. Machines are counted, not hosts, and a claim beyond the hosts shown needs at least 3."


def machine_range(subject: Subject, ratios: Interval) -> str:
    """The least and the largest machine's ratio: ``1.10x-1.60x``, or with their directions where these are two."""
    if ratios.low >= 1 or ratios.high <= 1:
        return "-".join(f"{factor}x" for factor in _ends(ratios))
    return span(subject, ratios)


def fleet_different(subject: Subject, evidence: Evidence, agree: int) -> str:
    assert evidence.ratio is not None and evidence.interval is not None
    return (
        f"{subject.combination} is {directed(subject, evidence.ratio)} than {subject.baseline} in "
        f"{subject.benchmark}, {subject.metric} ({factors(evidence.claim or evidence.interval)}; "
        f"{agree} of {evidence.units} machines agree, {probability(evidence.adjusted, 'q')})."
    )


def each_machine(subject: Subject, evidence: Evidence, ratios: Interval) -> str:
    word = subject.slower if ratios.low > 1 else subject.faster
    return (
        f"On each of {evidence.units} machines: {subject.combination} is {machine_range(subject, ratios)} {word} than "
        f"{subject.baseline} in {subject.benchmark}, {subject.metric}."
    )


def conflict(subject: Subject, ratios: Interval) -> str:
    return f"Machines disagree on the direction ({machine_range(subject, ratios)}) between {_about(subject)}."


def size_depends(subject: Subject, ratios: Interval) -> str:
    return f"The size depends on the machine ({machine_range(subject, ratios)}): {_about(subject)}."


def fleet_probable(subject: Subject, evidence: Evidence, agree: int) -> str:
    return _probable(subject, evidence, "machine", f"{agree} of {evidence.units} machines agree")


def fleet_undecided(subject: Subject, evidence: Evidence) -> str:
    assert evidence.interval is not None
    return (
        f"Undecided across {evidence.units} machines: {span(subject, evidence.interval)}; {_advice(evidence, 'machine')}. "
        f"Of {_about(subject)}."
    )


def fleet_alike(sentence: str, machines: int) -> str:
    """A negligible or absent difference, said of the fleet."""
    return f"Across {machines} machines: {sentence[0].lower()}{sentence[1:]}"


def _about(subject: Subject) -> str:
    return f"{subject.combination} and {subject.baseline} in {subject.benchmark} ({subject.metric})"


def _different(subject: Subject, evidence: Evidence) -> str:
    assert evidence.ratio is not None and evidence.interval is not None
    return (
        f"{subject.combination} is {directed(subject, evidence.ratio)} than {subject.baseline} in "
        f"{subject.benchmark}, {subject.metric} ({factors(evidence.claim or evidence.interval)}; "
        f"{_blocks(evidence.units)}, {probability(evidence.adjusted, 'q')})."
    )


def _negligible(subject: Subject, evidence: Evidence) -> str:
    assert evidence.ratio is not None
    return f"Detectable but negligible ({directed(subject, evidence.ratio)}): {_about(subject)}."


def _equivalent(subject: Subject, evidence: Evidence) -> str:
    return f"No practical difference (within {evidence.margin * 100:g} %) between {_about(subject)}."


def _probably(subject: Subject, evidence: Evidence) -> str:
    return _probable(subject, evidence, "block", _blocks(evidence.units))


def _probable(subject: Subject, evidence: Evidence, unit: str, basis: str) -> str:
    assert evidence.ratio is not None and evidence.interval is not None
    return (
        f"{subject.combination} is probably {directed(subject, evidence.ratio)} than {subject.baseline} in "
        f"{subject.benchmark}, {subject.metric} ({percentage(evidence.interval.level)} CI {factors(evidence.interval)}; {basis}): "
        f"not yet secured against chance over {evidence.comparisons} comparisons; {_advice(evidence, unit)}."
    )


def _undecided(subject: Subject, evidence: Evidence) -> str:
    assert evidence.interval is not None
    return (
        f"Undecided: {span(subject, evidence.interval)}; {_advice(evidence, 'block')}. Of {_about(subject)}."
    )


def span(subject: Subject, interval: Interval) -> str:
    """An interval of ratios in words: ``1.03x faster to 1.05x slower``."""
    words = [subject.slower if bound > 1 else subject.faster for bound in (interval.low, interval.high)]
    if words[0] == words[1]:
        near, far = _ends(interval)
        return f"{near}x to {far}x {words[0]}"
    return f"{times(interval.low)} {words[0]} to {times(interval.high)} {words[1]}"


def _advice(evidence: Evidence, unit: str) -> str:
    """How many more blocks or machines would decide, or why none would."""
    more = evidence.more
    if more is None:
        return f"the difference lies near the margin of {evidence.margin * 100:g} %, where more {unit}s hardly decide"
    if more.number is None:
        where = "this machine is" if unit == "block" else "these machines are"
        why = "too noisy" if unit == "block" else "too unlike"
        return (
            f"{where} {why} for the question: one {unit}'s ratio varies by {100 * more.scatter:.3g} %, and more than {TOO_MANY} more "
            f"{unit}s would be needed"
        )
    number = f"{more.number} more {unit}{'s' if more.number != 1 else ''}"
    return f"{'at least' if more.at_least else 'about'} {number} would decide"


def _blocks(units: int) -> str:
    return f"{units} block{'s' if units != 1 else ''}"


def missing_machines(names: Sequence[str]) -> str:
    """Behind what is said across machines, where some of the run's have no ratio: `` Without m3 and m7.``"""
    return f" Without {listed(names)}." if names else ""


def listed(names: Sequence[str]) -> str:
    """``a, b and c``"""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _unclaimed(subject: Subject, evidence: Evidence) -> str:
    return f"Nothing can be claimed of {_about(subject)}: {unclaimed_reason(evidence)}."


def unclaimed_reason(evidence: Evidence) -> str:
    return evidence.reason or f"{_blocks(evidence.units)} of the {FEWEST} that an interval needs"


SENTENCES: Mapping[VerdictKind, Callable[[Subject, Evidence], str]] = {
    VerdictKind.DIFFERENT: _different,
    VerdictKind.NEGLIGIBLE: _negligible,
    VerdictKind.EQUIVALENT: _equivalent,
    VerdictKind.PROBABLE: _probably,
    VerdictKind.UNDECIDED: _undecided,
    VerdictKind.UNCLAIMED: _unclaimed,
}
