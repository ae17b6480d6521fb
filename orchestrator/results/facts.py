# SPDX-License-Identifier: Apache-2.0
"""Fingerprints compared: nested facts become dotted names, and what changes by itself is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

OWN = re.compile(
    r"(^|[._])(hostname|nodename|fqdn|machine_id|boot_id|boot_time|btime|uptime\w*|time|date\w*|now|pid|loadavg|load\w*|"
    r"meminfo|mem_?free\w*|mem_?available\w*|free\w*|available\w*|psi|pressure|stat|vmstat|diskstats|interrupts|ctxt|"
    r"address\w*|ipv4|ipv6|mac\w*|interfaces|default_ipv4|counters|noise|steal\w*|swap_?free|mhz|cpu_mhz|python)([._]|$)",
    re.IGNORECASE,
)
"""Facts that differ between hosts, or from minute to minute, without making them unlike."""


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


def differing(hosts: Sequence[Mapping[str, str]]) -> list[str]:
    """The facts, sorted, that do not have one and the same value wherever they are known."""
    names = sorted({name for facts in hosts for name in facts if not OWN.search(name)})
    return [name for name in names if len({facts[name] for facts in hosts if name in facts}) > 1]
