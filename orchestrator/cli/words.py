# SPDX-License-Identifier: Apache-2.0
"""Numbers as people say them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 5 s``, ``2 h 4 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def about(seconds: float) -> str:
    """An estimate, no finer than it can be: seconds below a minute, then tens of seconds, from 10 min whole minutes."""
    step = 1 if seconds < 60 else 10 if seconds < 600 else 60
    return duration(round(seconds / step) * step)
