# SPDX-License-Identifier: Apache-2.0
"""A host's fingerprint, taken before and after a run (STATISTICS.md, "What to record of each host").

Nested facts; what is absent is None, and ``missing`` maps its dotted name to the reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from remote_agent.host import machine, software
from remote_agent.host.installed import installed
from remote_agent.host.read import gather

GROUPS = {
    "identity": machine.identity,
    "cpu": machine.cpu,
    "kernel": machine.kernel,
    "memory": machine.memory,
    "cgroup": machine.cgroup,
    "virtualisation": machine.virtualisation,
    "storage": machine.storage,
    "system": software.system,
}


def fingerprint(root: Path = Path("/"), binaries: Sequence[str] = ()) -> dict[str, Any]:
    """The facts. ``binaries`` are paths of OCI runtimes that the CRI runtimes' configurations name. Takes about 0.3 s."""
    missing: dict[str, str] = {}
    facts: dict[str, Any] = {"hostname": os.uname().nodename}
    for name, probes in GROUPS.items():
        facts[name] = gather(probes(root), missing, f"{name}.")
    facts |= gather(
        {
            "components": lambda: installed(str(root))["components"],
            "adapters": lambda: software.adapters(root),
            "binaries": lambda: software.binaries(binaries),
        },
        missing,
    )
    return with_missing(facts, missing)


def with_missing(facts: Mapping[str, Any], missing: Mapping[str, str]) -> dict[str, Any]:
    """The facts, with the reasons for what they lack added to those that they have."""
    reasons = {**facts.get("missing", {}), **missing}
    return {**facts, "missing": reasons} if reasons else dict(facts)
