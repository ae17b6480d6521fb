# SPDX-License-Identifier: Apache-2.0
"""Which sentence may be said of a pair, tried from the top (STATISTICS.md, "What may be said, and when")."""

from __future__ import annotations

import math

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Scope, Subject, Verdict, VerdictKind
from orchestrator.stats.paired import FEWEST
from orchestrator.stats.sentences import SENTENCES


def judge_host(host: str, subject: Subject, evidence: Evidence, alpha: float = 0.05) -> Verdict:
    """The verdict on one host: the first kind whose condition holds."""
    kind = _kind(evidence, alpha)
    prefix = f"On {host} only: " if kind is VerdictKind.DIFFERENT else f"On {host}: "
    return Verdict(kind, Scope.HOST, host, subject, evidence, prefix + SENTENCES[kind](subject, evidence))


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
