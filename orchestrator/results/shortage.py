# SPDX-License-Identifier: Apache-2.0
"""Too few blocks for so many comparisons: said once for the run, not behind each sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.model.estimates import Notice, Settings
from orchestrator.model.verdict import Scope, Verdict, VerdictKind
from orchestrator.stats.paired import FEWEST
from orchestrator.stats.planning import fewest_pairs


def too_few_blocks(verdicts: Sequence[Verdict], settings: Settings) -> Iterator[Notice]:
    """Where hosts' comparisons are inconclusive with fewer pairs than an exact test needs to survive Holm; at most one."""
    needed = fewest_pairs(settings.family, settings.alpha)
    short = [
        verdict
        for verdict in verdicts
        if verdict.scope is Scope.HOST
        and verdict.kind is VerdictKind.INCONCLUSIVE
        and FEWEST <= verdict.evidence.units < needed
    ]
    if not short:
        return
    have = sorted({verdict.evidence.units for verdict in short})
    blocks = f"{have[0]} blocks" if len(have) == 1 else f"{have[0]} to {have[-1]} blocks"
    yield Notice(
        None,
        f"{blocks} are too few for {settings.family} comparisons: at least {needed} are needed.",
        f"With fewer, no difference on a host can be claimed, whatever its size: {len(short)} "
        f"{'comparisons are' if len(short) != 1 else 'comparison is'} inconclusive. Run more blocks, or compare less.",
    )
