# SPDX-License-Identifier: Apache-2.0
"""Too few blocks for so many comparisons: said once for the run, beside what each sentence says of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.model.estimates import Family, Notice
from orchestrator.model.verdict import Verdict, VerdictKind
from orchestrator.stats.paired import FEWEST
from orchestrator.stats.planning import fewest_pairs


def too_few_blocks(verdicts: Sequence[Verdict], family: Family) -> Iterator[Notice]:
    """Where differences on hosts are only probable, with fewer pairs than one needs that stands alone; at most one notice."""
    needed = fewest_pairs(family.size, family.rate)
    short = [
        verdict
        for verdict in verdicts
        if verdict.kind is VerdictKind.PROBABLE and FEWEST <= verdict.evidence.units < needed
    ]
    if not short:
        return
    have = sorted({verdict.evidence.units for verdict in short})
    blocks = f"{have[0]}" if len(have) == 1 else f"{have[0]} to {have[-1]}"
    yield Notice(
        None,
        f"{blocks} blocks cannot secure a difference that stands alone among {family.size} comparisons: {needed} can.",
        f"{len(short)} difference{'s are' if len(short) != 1 else ' is'} only probable. Run {needed} blocks, or compare less.",
    )
