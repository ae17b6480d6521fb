# SPDX-License-Identifier: Apache-2.0
"""Which verdicts stand at the head of a report that has very many of them. All of them are said below, and in estimates.json."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from orchestrator.model.verdict import Scope, Verdict, VerdictKind
from orchestrator.report.view import Report

FEW = 12
"""Up to so many are all said at the head."""
FIRST = 6
LEADING = (VerdictKind.CONFLICT, VerdictKind.DIFFERENT, VerdictKind.PROBABLE)
WORDS = {
    VerdictKind.CONFLICT: "on which machines disagree",
    VerdictKind.DIFFERENT: "a difference",
    VerdictKind.NEGLIGIBLE: "a negligible one",
    VerdictKind.EQUIVALENT: "no practical difference",
    VerdictKind.PROBABLE: "a probable one",
    VerdictKind.UNDECIDED: "undecided",
    VerdictKind.UNCLAIMED: "too little for a claim",
}


def said(report: Report) -> tuple[Verdict, ...]:
    """Those that the page says in words: of very many hosts the fleet's, each host's being in the matrix."""
    every = report.estimates.verdicts
    across = tuple(verdict for verdict in every if verdict.scope is not Scope.HOST)
    return across if report.crowded and across else every


def headlines(report: Report) -> tuple[Verdict, ...]:
    """All where they are few; else the largest differences, what is said across machines before what is said of a host."""
    every = said(report)
    if len(every) <= FEW:
        return every
    leading = [verdict for verdict in every if verdict.kind in LEADING]
    leading.sort(key=_precedence)
    return tuple(leading[:FIRST])


def _precedence(verdict: Verdict) -> tuple[bool, bool, float]:
    """What is claimed before what is only probable, machines before a host, the largest first."""
    return verdict.kind is VerdictKind.PROBABLE, verdict.scope is Scope.HOST, -_size(verdict)


def summary(report: Report) -> str:
    """How many comparisons ended how: ``Of 102 comparisons: 31 a difference, 71 undecided.``; "" where all are said."""
    every = said(report)
    if len(every) <= FEW:
        return ""
    return f"Of {_counted(every)}."


def _counted(verdicts: Sequence[Verdict]) -> str:
    kinds = Counter(verdict.kind for verdict in verdicts)
    total = sum(kinds[kind] for kind in WORDS)
    parts = ", ".join(f"{kinds[kind]} {words}" for kind, words in WORDS.items() if kinds[kind])
    return f"{total} comparisons: {parts}"


def _size(verdict: Verdict) -> float:
    return abs(math.log(verdict.evidence.ratio)) if verdict.evidence.ratio else 0.0
