# SPDX-License-Identifier: Apache-2.0
"""Numbers as a reader wants them: three significant digits, a unit that fits, and a dash where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.model.interval import Interval

MISSING = "-"


@dataclass(frozen=True, slots=True)
class Scale:
    """Multiply by ``factor`` and write ``unit`` behind it."""

    factor: float
    unit: str


def scale_for(unit: str, values: Iterable[float]) -> Scale:
    """One scale for all of ``values`` (or their extremes): seconds become ms or µs where they are too coarse, else the unit stays."""
    largest = max((abs(value) for value in values), default=0.0)
    if unit == "s" and 0 < largest < 1:
        return Scale(1e3, "ms") if largest >= 1e-3 else Scale(1e6, "µs")
    return Scale(1.0, unit)


def number(value: float | None, scale: Scale = Scale(1.0, "")) -> str:
    """Three significant digits, never fewer than the integer part has: 71.2, 1234, 0.00512."""
    if value is None:
        return MISSING
    scaled = value * scale.factor
    size = abs(scaled)
    if size >= 100 or scaled == 0:
        return f"{scaled:.0f}"
    if size >= 10:
        return f"{scaled:.1f}"
    return f"{scaled:.2f}" if size >= 1 else f"{scaled:#.3g}"


def between(interval: Interval | None, scale: Scale = Scale(1.0, "")) -> str:
    """``70.1–72.3``."""
    if interval is None:
        return MISSING
    return f"{number(interval.low, scale)}–{number(interval.high, scale)}"


def ratio(value: float | None) -> str:
    """Three decimals near 1, as a ratio to the baseline: 0.628."""
    if value is None:
        return MISSING
    return f"{value:.3f}" if value < 10 else f"{value:.3g}"


def ratios(interval: Interval | None) -> str:
    return MISSING if interval is None else f"{ratio(interval.low)}–{ratio(interval.high)}"


def probability(p: float | None) -> str:
    if p is None:
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.2g}"
