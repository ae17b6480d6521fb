# SPDX-License-Identifier: Apache-2.0
"""When a benchmark has enough blocks on a host (STATISTICS.md, "Stopping"): what is asked, what is there, what follows.

Counts of blocks are of counted blocks where nothing else is said; ``until`` counts the warm-up blocks too, as grants do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

FIRST, BATCH, MOST = 15, 5, 60
"""With a precision target: the blocks before the first look, between two looks, and at most. 15 keep 94.7 % coverage."""


class StopReason(StrEnum):
    """Why a benchmark has no more blocks on a host."""

    FIXED = "fixed"
    PRECISION = "precision"
    BUDGET = "budget"
    MAXIMUM = "maximum"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True)
class Standing:
    """One benchmark on one host so far.

    ``blocks``: whole ones, warm-up included. ``seconds``: what their trials and clean-up took, on the host's clock.
    ``values``: combination to counted block to the primary metric's value; a trial that gave none is not there.
    """

    blocks: int = 0
    seconds: float = 0.0
    values: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Halt:
    """Of one benchmark: enough, and why. ``reached``: the widest interval's half-width as a share, None: there is none."""

    reason: StopReason
    reached: float | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """How far a host may go: each benchmark's blocks below ``until``; ``halts``: the benchmarks that have enough.

    ``final``: nothing more will follow. ``firm``: no look at results or time can change it.
    """

    until: Mapping[str, int]
    halts: Mapping[str, Halt]
    final: bool
    firm: bool
