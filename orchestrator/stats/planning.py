# SPDX-License-Identifier: Apache-2.0
"""How many blocks, or machines, more would decide (STATISTICS.md, "N more blocks").

Both formulas ask for a power of 80 % (z = 0.84) if the truth is what is estimated now, and scale n by the squares of normal
quantiles, as standard errors shrink with the root of n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from orchestrator.model.estimates import Family
from orchestrator.model.interval import Interval
from orchestrator.model.verdict import MoreUnits

POWER = 0.84
"""The normal quantile of a power of 80 %."""
EQUIVALENCE = 1.645
"""That of each of the two one-sided tests at 5 %."""
TOO_MANY = 200
"""More blocks than this are no advice: the machine is too noisy for the question."""
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known from ``units`` blocks or machines: ``estimate`` and its standard error, log scale, and its own p.

    ``agree``: all units lie on one side. ``exact``: the test is an exact one of signs, whose least p is 2^(1-n).
    """

    units: int
    estimate: float
    error: float
    p: float
    agree: bool
    exact: bool = True

    @property
    def scatter(self) -> float:
        """The standard deviation of one unit, as a share."""
        return math.expm1(self.error * math.sqrt(self.units))


def standard_error(interval: Interval, units: int) -> float:
    """That of an estimate with this 95 % ``interval`` (log scale): h / t_{n-1, .975}, h its half-width."""
    from scipy.special import stdtrit

    return (interval.high - interval.low) / 2 / float(stdtrit(units - 1, 0.975))


def fewest_pairs(comparisons: int, alpha: float = 0.05) -> int:
    """Blocks that a difference needs to stand alone among so many comparisons: 2^(1-n) <= alpha/m, n >= log2(2 m / alpha)."""
    return math.ceil(math.log2(2 * max(comparisons, 1) / alpha))


def more_units(sample: Sample, family: Family, margin: float) -> MoreUnits | None:
    """Until a difference is claimed where the estimate is beyond ``margin`` (a share), else until none is.

    None where more hardly decide: the precision is there, and the difference lies near the margin.
    """
    limit = math.log1p(margin)
    if abs(sample.estimate) > limit:
        return _for_difference(sample, family, limit)
    return _for_equivalence(sample, limit)


def _for_difference(sample: Sample, family: Family, limit: float) -> MoreUnits:
    """n' = max(n ((z_{a/2} + .84)/z_p)^2, n (.84 se/(|est| - delta))^2, log2(2/a)), a = rate (R+1)/m: the next claim's threshold."""
    threshold = min(family.rate * (family.discoveries + 1) / family.size, family.rate)
    size, n = abs(sample.estimate), sample.units
    quantile = -_NORMAL.inv_cdf(max(sample.p, 1e-300) / 2)
    if sample.agree and sample.error > 0:
        quantile = max(quantile, size / sample.error)
    wanted = -_NORMAL.inv_cdf(threshold / 2) + POWER
    by_test = n * (wanted / quantile) ** 2 if quantile > 0 else math.inf
    by_margin = n * (POWER * sample.error / (size - limit)) ** 2
    by_signs = math.log2(2 / threshold) if sample.exact else 0.0
    total = max(by_test, by_margin, by_signs)
    return _more(sample, total, at_least=by_margin >= total)


def _for_equivalence(sample: Sample, limit: float) -> MoreUnits | None:
    """n' = n ((1.645 + .84) se / (delta - |est|/2))^2."""
    wanted = (EQUIVALENCE + POWER) * sample.error / (limit - abs(sample.estimate) / 2)
    total = sample.units * wanted**2
    return None if total <= sample.units else _more(sample, total, at_least=False)


def _more(sample: Sample, total: float, *, at_least: bool) -> MoreUnits:
    if total > TOO_MANY + sample.units:
        return MoreUnits(None, at_least, sample.scatter)
    return MoreUnits(max(1, math.ceil(total) - sample.units), at_least, sample.scatter)
