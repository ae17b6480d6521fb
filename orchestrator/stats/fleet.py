# SPDX-License-Identifier: Apache-2.0
"""Across machines: one log-ratio a machine goes in, and what may be said of the fleet they were drawn from comes out.

STATISTICS.md, "Estimators": the mean of the log-ratios with Student's t interval on H - 1 degrees of freedom (not a bootstrap over
machines, which covers 74-85 % at H = 3-5); the prediction for one more machine from H = 5 on. "Disagreement": W. G. Cochran's Q
and I2 of J. P. T. Higgins, S. G. Thompson: Statist. Med. 21 (2002) 1539-1558, descriptive only; the test is B. L. Welch's analysis of
variance, Biometrika 38 (1951) 330-336.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.interval import Interval

FEWEST = 3
"""Machines below which nothing is said of a fleet."""
FEWEST_PREDICTED = 5
"""Machines below which nothing is predicted for another one."""


@dataclass(frozen=True, slots=True)
class Effect:
    """On the log scale. ``deviation`` is s, between ``machines``; ``p`` of "the mean is 0", two-sided."""

    machines: int
    mean: float
    deviation: float
    interval: Interval
    equivalence: Interval
    prediction: Interval | None
    p: float

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return self.deviation / math.sqrt(self.machines)

    def at(self, level: float) -> Interval:
        """Student's t interval of the mean at ``level``."""
        return _around(self.mean, self.error, self.machines - 1, level)


def effect(logs: Sequence[float]) -> Effect:
    """Of one log-ratio a machine. Raises ValueError for fewer than three."""
    from scipy.special import stdtr

    machines = len(logs)
    if machines < FEWEST:
        raise ValueError(f"{machines} machines are no fleet")
    mean, deviation, freedom = fmean(logs), stdev(logs), machines - 1
    error = deviation / math.sqrt(machines)

    # Machines that are all the same to the last digit: what is other than 0 is certain.
    p = float(2 * stdtr(freedom, -abs(mean) / error)) if error else float(mean == 0)
    predicted = _around(mean, deviation * math.sqrt(1 + 1 / machines), freedom, 0.95)
    return Effect(
        machines,
        mean,
        deviation,
        _around(mean, error, freedom, 0.95),
        _around(mean, error, freedom, 0.90),
        predicted if machines >= FEWEST_PREDICTED else None,
        p,
    )


def _around(mean: float, error: float, freedom: int, level: float) -> Interval:
    from scipy.special import stdtrit

    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    return Interval(mean - reach, mean + reach, level)


def inconsistency(differences: Sequence[NDArray[np.float64]]) -> float | None:
    """I2 = max(0, (Q - (H-1))/Q) of each machine's paired differences, weights 1/v_h, v_h = var(d)/n; None: a variance is 0."""
    variances = [float(np.var(one, ddof=1)) / len(one) if len(one) > 1 else 0.0 for one in differences]
    if not variances or min(variances) <= 0:
        return None
    weights = np.array([1 / variance for variance in variances])
    means = np.array([one.mean() for one in differences])
    q = float((weights * (means - (weights * means).sum() / weights.sum()) ** 2).sum())
    return max(0.0, (q - (len(means) - 1)) / q) if q > 0 else 0.0


def unequal_p(differences: Sequence[NDArray[np.float64]]) -> float | None:
    """Welch's p of "the mean difference is the same on every machine"; None where it does not exist.

    B. L. Welch: On the comparison of several mean values. Biometrika 38 (1951) 330-336. scipy.stats.f_oneway(equal_var=False) is
    the same, and takes longer to import than a report to make.
    """
    from scipy.special import fdtrc

    if len(differences) < 2 or any(len(one) < 2 or np.ptp(one) == 0 for one in differences):
        return None
    machines = len(differences)
    counts = np.array([len(one) for one in differences], dtype=np.float64)
    means = np.array([one.mean() for one in differences])
    weights = counts / np.array([one.var(ddof=1) for one in differences])
    shares = weights / weights.sum()
    between = float((weights * (means - (shares * means).sum()) ** 2).sum()) / (machines - 1)
    unlike = float(((1 - shares) ** 2 / (counts - 1)).sum()) / (machines**2 - 1)
    p = float(fdtrc(machines - 1, 1 / (3 * unlike), between / (1 + 2 * (machines - 2) * unlike)))
    return p if math.isfinite(p) else None


def opposite(intervals: Sequence[Interval | None]) -> bool:
    """Do two machines claim opposite directions? ``intervals``: the machines' own, log scale, at level 1 - alpha/H."""
    known = [one for one in intervals if one is not None]
    return any(one.low > 0 for one in known) and any(one.high < 0 for one in known)
