# SPDX-License-Identifier: Apache-2.0
"""Fingerprints compared: nested facts become dotted names, and what changes by itself is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

OWN = re.compile(r"^hostname$|^kernel\.boot_(id|time)$|^identity\.")
"""Facts that tell hosts apart without making them unlike."""
PASSING = re.compile(r"^memory\.available_kb$|\.free_bytes$|^kernel\.boot_time$|^missing\.|^system\.timers\.")
"""Facts that are another from minute to minute."""


def flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted name -> value as text, for each leaf of ``facts``; lists are one value."""
    found: dict[str, str] = {}
    for name, value in facts.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found.update(flat(value, f"{path}."))
        else:
            found[path] = str(value)
    return found


def differing(facts: Sequence[Mapping[str, str]], *, hosts: bool) -> list[str]:
    """The facts, sorted, that do not have one and the same value wherever they are known: of several ``hosts``, or of one."""
    names = sorted(
        {
            name
            for one in facts
            for name in one
            if not PASSING.search(name) and not (hosts and OWN.search(name))
        }
    )
    return [name for name in names if len({one[name] for one in facts if name in one}) > 1]


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The facts of one host, sorted, that are not the same after a run as before it, or are there on one side only."""
    one_sided = {name for name in before.keys() ^ after.keys() if not PASSING.search(name)}
    return sorted({*differing([before, after], hosts=False), *one_sided})
