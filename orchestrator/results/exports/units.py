# SPDX-License-Identifier: Apache-2.0
"""labctl's units in the words of other tools, which want base units: a millisecond is 0.001 s to them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A base unit as benchstat calls it, and what a value is multiplied by; ``metrics`` and ``share`` are the same for OpenMetrics."""

    bench: str
    factor: float
    metrics: str
    share: float


def _same(bench: str, metrics: str, factor: float) -> Unit:
    return Unit(bench, factor, metrics, factor)


UNITS = {
    "s": _same("sec", "seconds", 1.0),
    "ms": _same("sec", "seconds", 1e-3),
    "us": _same("sec", "seconds", 1e-6),
    "ns": _same("sec", "seconds", 1e-9),
    "B": _same("B", "bytes", 1.0),
    "KiB": _same("B", "bytes", 2.0**10),
    "MiB": _same("B", "bytes", 2.0**20),
    "GiB": _same("B", "bytes", 2.0**30),
    "MB": _same("B", "bytes", 1e6),
    "B/s": _same("B/s", "bytes_per_second", 1.0),
    "MB/s": _same("B/s", "bytes_per_second", 1e6),
    "MiB/s": _same("B/s", "bytes_per_second", 2.0**20),
    # benchstat has no base unit for shares, and OpenMetrics' is 1.
    "%": Unit("%", 1.0, "ratio", 1e-2),
}


def unit_of(name: str) -> Unit:
    """What is not known stays what it is; ``metrics`` is "" then."""
    return UNITS.get(name) or Unit("_".join(name.split()) or "value", 1.0, "", 1.0)
