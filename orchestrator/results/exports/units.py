# SPDX-License-Identifier: Apache-2.0
"""labctl's units in the words of other tools, which want base units: a millisecond is 0.001 s to them."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.units import UNITS, Dimension


@dataclass(frozen=True, slots=True)
class Unit:
    """A base unit as benchstat calls it, and what a value is multiplied by; ``metrics`` and ``share`` are the same for OpenMetrics."""

    bench: str
    factor: float
    metrics: str
    share: float


@dataclass(frozen=True, slots=True)
class _BaseUnit:
    """What benchstat and OpenMetrics call a dimension's base unit, and how much of OpenMetrics' it is."""

    bench: str
    metrics: str
    share: float = 1.0


BASE_UNITS = {
    Dimension.TIME: _BaseUnit("sec", "seconds"),
    Dimension.SIZE: _BaseUnit("B", "bytes"),
    Dimension.RATE: _BaseUnit("B/s", "bytes_per_second"),
    # benchstat has no base unit for shares, and OpenMetrics' is 1.
    Dimension.SHARE: _BaseUnit("%", "ratio", 1e-2),
}


def unit_of(name: str) -> Unit:
    """What is not known stays what it is; ``metrics`` is "" then."""
    unit = UNITS.get(name)
    if unit is None:
        return Unit("_".join(name.split()) or "value", 1.0, "", 1.0)
    base = BASE_UNITS[unit.dimension]
    return Unit(base.bench, unit.factor, base.metrics, unit.factor * base.share)
