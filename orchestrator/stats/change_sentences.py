# SPDX-License-Identifier: Apache-2.0
"""What may be said of a combination in two runs: the sentences of `orchestrator.stats.sentences`, of two samples instead of pairs.

The kinds, their conditions and their order are those of STATISTICS.md ("What may be said, and when"); only how the evidence is counted
is told otherwise: blocks of each run, and what the values were taken relative to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Subject, Verdict, VerdictKind
from orchestrator.stats.sentences import directed, factors, probability, times
from orchestrator.stats.twosample import FEWEST
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
        return replace(verdict, sentence=f"On {host}: {_unclaimed(subject, evidence, samples)}")
    return verdict


def _different(subject: Subject, evidence: Evidence, samples: Samples) -> str:
    assert evidence.ratio is not None and evidence.interval is not None
    relative = f" relative to {samples.control}" if samples.control else ""
    return (
        f"{subject.combination} is {directed(subject, evidence.ratio)} than {subject.baseline}{relative} in "
        f"{subject.benchmark}, {subject.metric} ({factors(evidence.claim or evidence.interval)}; "
        f"{samples.a} and {samples.b} blocks, {probability(evidence.adjusted, 'q')})."
    )


def _unclaimed(subject: Subject, evidence: Evidence, samples: Samples) -> str:
    reason = evidence.reason or f"{samples.a} and {samples.b} blocks, and an interval needs {FEWEST} of each"
    return (
        f"Nothing can be claimed of {subject.combination} and {subject.baseline} in "
        f"{subject.benchmark} ({subject.metric}): {reason}."
    )


def as_percent(ratio: float) -> str:
    """A ratio as a change: ``+3.4 %``, ``-12 %``; beyond twofold as times, ``2.31x``."""
    change = 100 * (ratio - 1)
    if change > 100:
        return times(ratio)
    return f"{change:+.1f} %" if abs(change) < 9.95 else f"{change:+.0f} %"


def as_percents(interval: Interval) -> str:
    """``-1.2 % to +3.4 %``."""
    return f"{as_percent(interval.low)} to {as_percent(interval.high)}"
