# SPDX-License-Identifier: Apache-2.0
"""Of very many blocks, the ones that a figure and its table show: a page can hold hundreds of marks, not a million."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.samples import Series

MOST = 66
"""A little more than the stopping rule ever asks for, with its warm-up. Up to so many blocks all are shown."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is shown of one metric: every ``step``-th of ``blocks`` blocks, and each series' extremes."""

    shown: NDArray[np.int64]
    step: int
    blocks: int

    def of(self, one: Series) -> NDArray[np.bool_]:
        """Which samples of the series a figure shows."""
        kept = np.isin(one.blocks, self.shown)
        if self.step > 1 and len(kept):
            kept[[one.values.argmin(), one.values.argmax()]] = True
        return np.asarray(kept)

    @property
    def sentence(self) -> str:
        """Which blocks are shown, without a full stop; "" where it is all of them."""
        if self.step == 1:
            return ""
        return f"Of {self.blocks} blocks every {_ordinal(self.step)} is shown, and each series' smallest and largest value"


def selection(samples: Sequence[Series]) -> Selection:
    """Every k-th block, so that the course over time stays, and no extreme is hidden."""
    if not samples:
        return Selection(np.empty(0, np.int64), 1, 0)
    every = np.unique(np.concatenate([one.blocks for one in samples]))
    step = math.ceil(len(every) / MOST)
    return Selection(every[::step], step, len(every))


def _ordinal(n: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th") if n % 100 not in (11, 12, 13) else "th"
    return f"{n}{ending}"
