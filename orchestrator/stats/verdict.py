# SPDX-License-Identifier: Apache-2.0
"""Which sentence may be said of a pair, tried from the top (STATISTICS.md, "What may be said, and when")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Scope, Subject, Verdict, VerdictKind
from orchestrator.stats.paired import FEWEST
from orchestrator.stats.sentences import SENTENCES


def judge_host(host: str, subject: Subject, evidence: Evidence, alpha: float = 0.05) -> Verdict:
    """The verdict on one host: the first kind whose condition holds."""
    kind = _kind(evidence, alpha)
    return Verdict(
        kind, Scope.HOST, host, subject, evidence, f"On {host}: {SENTENCES[kind](subject, evidence)}"
    )


def say_only(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """A difference that no other host shares, in its direction, is said of its host *only*; the others stay as they are."""
    return tuple(
        replace(
            verdict,
            sentence=verdict.sentence.replace(f"On {verdict.where}: ", f"On {verdict.where} only: ", 1),
        )
        if verdict.kind is VerdictKind.DIFFERENT and not any(_share(verdict, other) for other in verdicts)
        else verdict
        for verdict in verdicts
    )


def _share(one: Verdict, other: Verdict) -> bool:
    return (
        one.where != other.where
        and (one.kind, one.subject) == (other.kind, other.subject)
        and _direction(one) == _direction(other)
    )


def _direction(verdict: Verdict) -> bool:
    return verdict.evidence.ratio is not None and verdict.evidence.ratio > 1


def _kind(evidence: Evidence, alpha: float) -> VerdictKind:
    ratio, interval, equivalence = evidence.ratio, evidence.interval, evidence.equivalence
    if evidence.units < FEWEST or ratio is None or interval is None or equivalence is None:
        return VerdictKind.UNCLAIMED
    limit = math.log1p(evidence.margin)
    significant = evidence.p is not None and evidence.p < alpha
    within = _inside(equivalence, limit)
    if significant and _excludes_one(interval) and abs(math.log(ratio)) > limit:
        return VerdictKind.DIFFERENT
    if significant and within:
        return VerdictKind.NEGLIGIBLE
    return VerdictKind.EQUIVALENT if within else VerdictKind.INCONCLUSIVE


def _excludes_one(interval: Interval) -> bool:
    return interval.low > 1 or interval.high < 1


def _inside(interval: Interval, limit: float) -> bool:
    """Whether the interval of a ratio lies within 1/(1+margin) .. 1+margin: the margin is symmetric on the log scale."""
    return -limit < math.log(interval.low) and math.log(interval.high) < limit
