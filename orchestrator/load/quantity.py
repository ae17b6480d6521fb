# SPDX-License-Identifier: Apache-2.0
"""Shares and spans of time as people write them: ``3%`` or ``0.03``, ``30m`` or ``1h30m``. What could mean two things is refused."""

from __future__ import annotations

import re

_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_NUMBER = re.compile(r"[0-9]*\.[0-9]+|0")
_SPAN = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m(?:in)?)?(?:([0-9]+)s)?")


def share(value: str | float) -> float:
    """``3%`` and ``0.03`` are 0.03. Raises ValueError, in words: anything else, or not between 0 and 1."""
    text = str(value).strip()
    if percent := _PERCENT.fullmatch(text):
        found = float(percent[1]) / 100
    elif _NUMBER.fullmatch(text):
        found = float(text)
    else:
        raise ValueError(f"{text!r} is no share; write 3% or 0.03")
    if not 0 < found < 1:
        raise ValueError(f"{text!r} is not between 0 and 100 %")
    return found


def time_span(value: str | float) -> float:
    """Seconds of ``90s``, ``30m``, ``1h30m``. Raises ValueError, in words: anything else, a bare number, or nothing at all."""
    text = str(value).replace(" ", "")
    parts = _SPAN.fullmatch(text)
    if parts is None or not any(parts.groups()):
        raise ValueError(f"{text!r} is no span of time; write it with its unit: 90s, 30m, 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    total = 3600.0 * hours + 60 * minutes + seconds
    if total <= 0:
        raise ValueError(f"{text!r} is no time at all")
    return total
