# SPDX-License-Identifier: Apache-2.0
"""The units that metrics have: their dimension, and how one converts into another. Pure.

Two versions of labctl, or labctl and another tool, may record one metric in two units. What is in no table here converts into nothing but
itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Dimension(StrEnum):
    """By its base unit."""

    TIME = "s"
    SIZE = "B"
    RATE = "B/s"
    SHARE = "%"


@dataclass(frozen=True, slots=True)
class Unit:
    """A value times ``factor`` is in the base unit of ``dimension``."""

    dimension: Dimension
    factor: float


SIZES = {
    "B": 1.0,
    "bytes": 1.0,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "KiB": 2.0**10,
    "MiB": 2.0**20,
    "GiB": 2.0**30,
}
TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
UNITS = {
    **{name: Unit(Dimension.TIME, factor) for name, factor in TIMES.items()},
    **{name: Unit(Dimension.SIZE, factor) for name, factor in SIZES.items()},
    **{f"{name}/s": Unit(Dimension.RATE, factor) for name, factor in SIZES.items()},
    "%": Unit(Dimension.SHARE, 1.0),
}


def conversion(unit: str, into: str) -> float | None:
    """What a value in ``unit`` is multiplied by to be in the unit ``into``; None: it cannot be converted."""
    if unit == into:
        return 1.0
    source, target = UNITS.get(unit), UNITS.get(into)
    if source is None or target is None or source.dimension is not target.dimension:
        return None
    return source.factor / target.factor
