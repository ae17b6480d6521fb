# SPDX-License-Identifier: Apache-2.0
"""What the numbers of blocks forbid to claim, or make doubtful. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from orchestrator.model.comparison import Change, Method
from orchestrator.model.estimates import Family, Notice
from orchestrator.model.verdict import Verdict, VerdictKind
from orchestrator.stats.twosample import FEWEST, least_p

UNLIKE = 2
"""Times as many blocks in one run as in the other."""


def unsecured(changes: Sequence[Change], verdicts: Sequence[Verdict], family: Family) -> Iterator[Notice]:
    """One notice a host with a probable difference whose blocks are too few for one that stands alone."""
    m = family.size
    for host in dict.fromkeys(one.where for one in verdicts if one.kind is VerdictKind.PROBABLE):
        able = [
            change
            for change in changes
            if change.host == host and change.primary and change.interval is not None
        ]
        least = min((_least(one.method, one.a, one.b) for one in able), default=0.0)
        if host and able and least * m > family.rate:
            needed = next(n for n in count(FEWEST) if _least(able[0].method, n, n) * m <= family.rate)
            yield Notice(
                host,
                f"The blocks are too few to secure a difference that stands alone among {m} comparisons: {needed} are needed.",
                f"Run {needed} blocks, or compare fewer benchmarks and combinations.",
            )


def unbalanced(changes: Sequence[Change]) -> Iterator[Notice]:
    """Two samples are taken to be of one shape; of sizes this unlike the test errs where they are not (stats/twosample.py)."""
    for host in dict.fromkeys(change.host for change in changes):
        own = [one for one in changes if one.host == host and one.primary and one.interval is not None]
        unlike = [one for one in own if max(one.a, one.b) >= UNLIKE * min(one.a, one.b)]
        if unlike:
            worst = max(unlike, key=lambda one: max(one.a, one.b) / min(one.a, one.b))
            yield Notice(
                host,
                f"The runs have very unlike numbers of blocks, as {worst.a} and {worst.b} in {worst.benchmark}: if the one with fewer "
                "is also the noisier, a difference is claimed too readily.",
                "Give both runs the same number of blocks before believing a difference that is near the limit.",
            )


def _least(method: Method, a: int, b: int) -> float:
    """Of pairs, all 2^n sign patterns are alike; of two samples, all ways to divide their values."""
    return 2 / 2.0**a if method is Method.PAIRED else least_p(a, b)
