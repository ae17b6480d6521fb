# SPDX-License-Identifier: Apache-2.0
"""What exactly a host ran, out of its fingerprint: for run.json, the report and its warnings. Pure.

{"components": {NAME: {"version", "source", "key"}}, "configurations": {PATH: SHA256}, "adapters": {NAME: SHA256}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.model.run import RunSpec
from orchestrator.model.samples import HostRecord

TOLD = ("version", "source", "key")


def provenance(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of one host's fingerprint; {} where there is none."""
    if not facts:
        return {}
    components = facts.get("components") or {}
    return {
        "components": {name: {key: about.get(key) for key in TOLD} for name, about in components.items()},
        "configurations": dict((facts.get("system") or {}).get("configs") or {}),
        "adapters": dict(facts.get("adapters") or {}),
    }


def with_provenance(spec: RunSpec, records: Sequence[HostRecord]) -> RunSpec:
    """The run with what each of its hosts says that it ran; a host that has not said it yet is as it was."""
    told = {record.host: provenance(record.facts) for record in records}
    hosts = (replace(host, provenance=told.get(host.name) or host.provenance) for host in spec.hosts)
    return replace(spec, hosts=tuple(hosts))
