# SPDX-License-Identifier: Apache-2.0
"""Where a curve of costs begins to rise: a line with one bend against a line without one.

The bent line is y = a + b x + c max(0, x - k), continuous at the knee k (D. V. Hinkley: Inference about the intersection in
two-phase regression. Biometrika 56 (1969) 495-504; V. M. R. Muggeo: Estimating regression models with unknown break-points.
Statistics in Medicine 22 (2003) 3055-3071), fitted by least squares for every k. It has two parameters more, and is believed
where the Bayesian information criterion (G. Schwarz, Annals of Statistics 6 (1978) 461-464) prefers it by more than 10: "very
strong" evidence by R. E. Kass, A. E. Raftery: Bayes factors. Journal of the American Statistical Association 90 (1995) 773-795.
Kneedle (V. Satopaa et al., ICDCSW 2011) is not used: it finds a knee in any curve that is not straight, noise included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 10
"""Points below which no knee is looked for."""

SIDE = 3
"""Points that each side of a knee has at least, itself counted: two may be noise."""

EVIDENCE = 10.0
ROUNDING = 1e-9
MARGIN = 0.05
"""A rise that is smaller than this share of the level at the knee is none in practice (STATISTICS.md, delta)."""


@dataclass(frozen=True, slots=True)
class Knee:
    """``at`` is the x of the bend, ``level`` the line's value there; ``before`` and ``after`` are slopes, y per unit of x."""

    at: float
    level: float
    before: float
    after: float


def knee(x: NDArray[np.float64], y: NDArray[np.float64]) -> Knee | str:
    """The bend from which on ``y`` rises faster (both of shape (n,), ``x`` ascending), or in words why there is none.

    The first point is left out: it may bear what is paid once (cold caches), and would bend any line.
    """
    if len(x) < FEWEST:
        return f"{len(x)} of the {FEWEST} points that a knee needs"
    x, y, n = x[1:], y[1:], len(x) - 1
    straight = _residual(_design(x, None), y)
    bends = [(_residual(_design(x, k), y), float(k)) for k in x[SIDE - 1 : n - SIDE + 1]]
    bent, at = min(bends)
    if _bic(straight, n, 2) - _bic(bent, n, 4) <= EVIDENCE:
        return "a straight line describes it as well"
    level, before, change = _at(x, y, at)
    after = before + change
    if change <= 0:
        return "it bends the other way: it rises less later on"
    if after * (float(x[-1]) - at) <= MARGIN * abs(level):
        return f"behind its bend it rises by less than {MARGIN:.0%}"
    return Knee(at, level, before, after)


def _design(x: NDArray[np.float64], at: float | None) -> NDArray[np.float64]:
    columns = [np.ones_like(x), x] + ([] if at is None else [np.maximum(0.0, x - at)])
    return np.column_stack(columns)


def _residual(design: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The sum of squares that is left; what is below the rounding of floats is no difference between two fits."""
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    rounding = len(y) * (ROUNDING * float(np.max(np.abs(y)))) ** 2
    return max(float(np.sum((y - design @ solution) ** 2)), rounding, math.ulp(0.0))


def _at(x: NDArray[np.float64], y: NDArray[np.float64], at: float) -> tuple[float, float, float]:
    """Level at the bend, slope before it, change of slope."""
    a, b, c = (float(value) for value in np.linalg.lstsq(_design(x, at), y, rcond=None)[0])
    return a + b * at, b, c


def _bic(residual: float, n: int, parameters: int) -> float:
    """Of a least-squares fit with normal errors, but for a constant that all fits share."""
    return n * math.log(residual) + parameters * math.log(n)
