# SPDX-License-Identifier: Apache-2.0
"""What may be said of a combination in two runs: the sentences of `orchestrator.stats.sentences`, of two samples instead of pairs.

The kinds, their conditions and their order are those of STATISTICS.md ("What may be said, and when"); only how the evidence is counted
is told otherwise: blocks of each run, and what the values were taken relative to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Subject, Verdict, VerdictKind
from orchestrator.stats.sentences import p_value, times
from orchestrator.stats.verdict import judge_host

A, B = "A", "B"


@dataclass(frozen=True, slots=True)
class Samples:
    """How many values each side has; ``control`` is what they are ratios to, None: nothing."""

    a: int
    b: int
    control: str | None = None


def of_run(combination: str, run: str) -> str:
    """What a combination is called in one of the runs: ``containerd/runc (B)``."""
    return f"{combination} ({run})"


def judge_change(
    host: str, subject: Subject, evidence: Evidence, samples: Samples, alpha: float = 0.05
) -> Verdict:
    """The verdict on one host; ``evidence.units`` is the smaller sample's size."""
    verdict = judge_host(host, subject, evidence, alpha)
    if verdict.kind is VerdictKind.DIFFERENT:
        return replace(verdict, sentence=f"On {host}: {_different(subject, evidence, samples)}")
    if verdict.kind is VerdictKind.UNCLAIMED:
        return replace(verdict, sentence=f"On {host}: {_unclaimed(subject, samples)}")
    return verdict


def _different(subject: Subject, evidence: Evidence, samples: Samples) -> str:
    assert evidence.ratio is not None and evidence.interval is not None
    word = subject.slower if evidence.ratio > 1 else subject.faster
    relative = f" relative to {samples.control}" if samples.control else ""
    level = f"{100 * evidence.interval.level:g} % CI"
    return (
        f"{subject.combination} is {times(evidence.ratio)} {word} than {subject.baseline}{relative} in "
        f"{subject.benchmark}, {subject.metric} ({level} {_factors(evidence.interval)}; "
        f"{samples.a} and {samples.b} blocks, {p_value(evidence.p)})."
    )


def _unclaimed(subject: Subject, samples: Samples) -> str:
    return (
        f"Nothing can be claimed from {samples.a} and {samples.b} blocks of {subject.combination} and {subject.baseline} in "
        f"{subject.benchmark} ({subject.metric}): an interval needs at least 6 of each."
    )


def _factors(interval: Interval) -> str:
    """An interval on one side of 1 as factors, the smaller first."""
    low, high = sorted((max(interval.low, 1 / interval.low), max(interval.high, 1 / interval.high)))
    return f"{low:.2f}-{high:.2f}" if high < 10 else f"{low:.3g}-{high:.3g}"


def as_percent(ratio: float) -> str:
    """A ratio as a change: ``+3.4 %``, ``-12 %``; beyond tenfold a factor, ``x12.5``."""
    change = 100 * (ratio - 1)
    if change >= 900:
        return f"x{ratio:.3g}"
    return f"{change:+.1f} %" if abs(change) < 9.95 else f"{change:+.0f} %"


def as_percents(interval: Interval) -> str:
    """``-1.2 % to +3.4 %``."""
    return f"{as_percent(interval.low)} to {as_percent(interval.high)}"
