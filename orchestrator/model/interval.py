# SPDX-License-Identifier: Apache-2.0
"""An interval, as estimates and verdicts carry it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``, both included; ``level`` is a share (0.95)."""

    low: float
    high: float
    level: float
