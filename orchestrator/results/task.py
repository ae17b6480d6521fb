# SPDX-License-Identifier: Apache-2.0
"""What every step of an estimation is given, and which values count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.estimates import Measure, Settings
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import Series, TrialCount

Values = Mapping[tuple[str, str, str, str], Series]
"""By (host, benchmark, metric, combination)."""
Without = Mapping[tuple[str, str], frozenset[int]]
"""Numbers of the blocks that are left out, by (host, benchmark)."""
Counted = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Numbers of blocks, ascending, and a value for each."""


@dataclass(frozen=True, slots=True)
class Task:
    """What every step of the estimation needs; ``asked`` has a benchmark only on the hosts that were to do it."""

    spec: RunSpec
    measures: tuple[Measure, ...]
    values: Values
    trials: tuple[TrialCount, ...]
    settings: Settings
    asked: Mapping[tuple[str, str], int]

    @property
    def primary(self) -> Mapping[tuple[str, str], Measure]:
        """The measures that verdicts are about, by benchmark and metric."""
        return {(one.benchmark, one.metric): one for one in self.measures if one.primary}

    @property
    def imported(self) -> frozenset[str]:
        """Hosts whose results another tool measured: they have no blocks, and nothing is claimed from them."""
        return frozenset(host.name for host in self.spec.hosts if host.imported)


def counted(series: Series | None, without: frozenset[int] = frozenset()) -> Counted:
    """Blocks and values, warm-up left out and the blocks ``without``. Of two values of a block the last counts."""
    if series is None:
        return np.empty(0, np.int64), np.empty(0)
    kept = ~series.warmup
    if without:
        kept &= ~np.isin(series.blocks, list(without))
    blocks, values = series.blocks[kept], series.values[kept]
    if (np.diff(blocks) > 0).all():
        return blocks, values
    unique, last = np.unique(blocks[::-1], return_index=True)
    return unique, values[::-1][last]
