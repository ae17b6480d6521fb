# SPDX-License-Identifier: Apache-2.0
"""The host's clocks beside each other: a wall clock that was set, and a host that was suspended, show in their distances.

Nothing that is measured depends on them: durations are CLOCK_MONOTONIC's, which is never set and stands still in a suspend.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

STEP_S = 0.5
SLEW = 0.0005
"""The kernel's clock discipline moves the wall clock by at most 500 ppm without a step: adjtimex(2), ADJ_FREQUENCY."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Nanoseconds; ``boot`` is CLOCK_BOOTTIME, which goes on in a suspend. Meaningful within one boot alone."""

    wall: int
    boot: int
    monotonic: int


def read_clocks() -> Clocks:
    """One right after the other; they are some hundred nanoseconds apart."""
    return Clocks(
        time.clock_gettime_ns(time.CLOCK_REALTIME),
        time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        time.clock_gettime_ns(time.CLOCK_MONOTONIC),
    )


def jumps(before: Clocks, after: Clocks) -> Iterator[str]:
    """What happened to the clocks between two readings of one boot, a sentence each."""
    wall = _apart(before.wall - before.boot, after.wall - after.boot)
    if abs(wall) > STEP_S + SLEW * _apart(before.boot, after.boot):
        way = "forward" if wall > 0 else "back"
        yield f"The wall clock was set {way} by {abs(wall):.1f} s."
    asleep = _apart(before.boot - before.monotonic, after.boot - after.monotonic)
    if asleep > STEP_S:
        yield f"The host was suspended for {asleep:.1f} s."


def _apart(before: int, after: int) -> float:
    """Seconds."""
    return (after - before) / 1e9
