# SPDX-License-Identifier: Apache-2.0
"""Whether a limit on a change is kept: decided on the interval, never on the estimate.

Each end of a two-sided 90 % interval is a one-sided 95 % bound, so that "kept" and "broken" are one-sided tests at 5 % each: where the
true change is just at the limit, either is said in at most 5 % (R. L. Berger, J. C. Hsu: Bioequivalence trials, intersection-union
tests and equivalence confidence sets. Statistical Science 11 (1996) 283-319). A gate is chosen beforehand, and must hold wherever it was
measured (an intersection-union test), so nothing is corrected for the number of gates.
"""

from __future__ import annotations

from orchestrator.model.comparison import Standing
from orchestrator.model.interval import Interval


def standing(interval: Interval | None, limit: float, *, at_most: bool) -> Standing:
    """``interval``: 90 %, of the ratio of values; None: there is none, which decides nothing. The limit itself is kept."""
    if interval is None:
        return Standing.UNDECIDED
    if at_most:
        kept, broken = interval.high <= limit, interval.low > limit
    else:
        kept, broken = interval.low >= limit, interval.high < limit
    if kept:
        return Standing.PASSED
    return Standing.FAILED if broken else Standing.UNDECIDED
