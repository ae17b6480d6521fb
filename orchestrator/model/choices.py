# SPDX-License-Identifier: Apache-2.0
"""What a reader may choose in a report: another baseline, another statistic. All of it describes; claims rest on `Estimates`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STATISTICS = ("min", "median", "mean", "p95", "max")


@dataclass(frozen=True, slots=True)
class Ratio:
    """Above 1 is worse. ``low`` and ``high`` are the 95 % interval, None where there are too few pairs or machines."""

    value: float
    low: float | None
    high: float | None

    @property
    def inverse(self) -> Ratio:
        """The same comparison seen from the other side."""
        if self.low is None or self.high is None:
            return Ratio(1 / self.value, None, None)
        return Ratio(1 / self.value, 1 / self.high, 1 / self.low)


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark's primary metric on one host; ``host`` None: over all machines, each counted once.

    ``statistics`` has for each combination of the run's, in their order, STATISTICS in the metric's unit (geometric means of the
    machines' where ``host`` is None). ``ratios`` maps (a, b), positions of combinations with a < b, to the ratio of b to a.
    """

    benchmark: str
    host: str | None
    statistics: tuple[tuple[float | None, ...] | None, ...]
    ratios: Mapping[tuple[int, int], Ratio]

    def ratio(self, of: int, to: int) -> Ratio | None:
        """The ratio of one combination to another one, by their positions."""
        if of == to:
            return Ratio(1.0, None, None)
        if (to, of) in self.ratios:
            return self.ratios[to, of]
        found = self.ratios.get((of, to))
        return found and found.inverse
