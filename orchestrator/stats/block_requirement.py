# SPDX-License-Identifier: Apache-2.0
"""How many blocks a planned run needs before a difference that stands alone can be claimed. Pure.

STATISTICS.md, "Stopping" and "Many comparisons". The smallest p value that n paired blocks can give is 2^(1-n). The report
corrects for the m comparisons of its primary family: a single difference among them is claimed only where 2^(1-n) <= alpha/m.
With fewer blocks it is claimed only in the company of others, which share the correction. 30 comparisons need 11 blocks,
102 need 12, 600 need 15.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.run import BenchmarkPlan, RunSpec
from orchestrator.model.stopping import FIRST
from orchestrator.stats.planning import fewest_pairs

FLEET = 3
"""From so many machines on a report has a fleet: `orchestrator.stats.fleet.FEWEST`, without what that module imports."""


@dataclass(frozen=True, slots=True)
class ShortBenchmark:
    """A benchmark whose planned counted ``blocks`` are too few."""

    name: str
    blocks: int


@dataclass(frozen=True, slots=True)
class BlockRequirement:
    """``blocks``: what a lone difference among ``comparisons`` needs; ``short``: the benchmarks that have fewer, as planned."""

    comparisons: int
    blocks: int
    short: tuple[ShortBenchmark, ...]


def block_requirement(spec: RunSpec, alpha: float = 0.05) -> BlockRequirement:
    """Return what the plan needs, and which of its benchmarks have less. Without comparisons nothing is short."""
    comparisons = planned_comparisons(spec)
    blocks = fewest_pairs(comparisons, alpha)
    planned = [ShortBenchmark(plan.name, least_blocks(plan)) for plan in spec.benchmarks]
    return BlockRequirement(
        comparisons, blocks, tuple(plan for plan in planned if comparisons and plan.blocks < blocks)
    )


def planned_comparisons(spec: RunSpec) -> int:
    """Return the size of the report's primary family: each host's comparisons, and the fleet's where there is a fleet.

    What turns out to be unsupported is counted too: nobody knows it before the run.
    """
    each = len(spec.benchmarks) * (len(spec.combinations) - 1)
    fleet = len({host.machine for host in spec.hosts}) >= FLEET
    return each * (len(spec.hosts) + fleet)


def least_blocks(plan: BenchmarkPlan) -> int:
    """Return the counted blocks that the plan has at least; a budget that ends earlier is not foreseen."""
    return plan.blocks if plan.precision is None else min(FIRST, plan.blocks)
