# SPDX-License-Identifier: Apache-2.0
"""Fingerprints as rows of text: the ones that a reader looks for first, then all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.samples import HostRecord
from orchestrator.report.numbers import MISSING

WANTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("CPU", ("cpu.model", "cpu_model", "processor.model")),
    ("CPUs", ("cpu.count", "cpu_count", "cpus", "processor.count")),
    ("memory", ("memory.total", "mem_total", "memtotal_mb")),
    ("kernel", ("kernel.release", "kernel", "uname.release")),
    ("system", ("os.pretty_name", "os.name", "distribution")),
    ("cgroup", ("cgroup.version", "cgroup_version", "cgroup")),
    ("virtualisation", ("virtualization", "virt", "virtualisation")),
)
"""A label, and the dotted names under which a fingerprint may hold it."""


def shown_facts(hosts: Sequence[HostRecord]) -> list[tuple[str, tuple[str, ...]]]:
    """The wanted facts that at least one host has: label, a text a host."""
    leaves = [leaf_facts(host.facts) for host in hosts]
    rows = []
    for label, names in WANTED:
        values = tuple(next((facts[name] for name in names if name in facts), MISSING) for facts in leaves)
        if any(value != MISSING for value in values):
            rows.append((label, values))
    return rows


def all_facts(hosts: Sequence[HostRecord]) -> list[tuple[str, tuple[str, ...]]]:
    """Every recorded fact of any host: dotted name, a text a host."""
    leaves = [leaf_facts(host.facts) for host in hosts]
    names = sorted({name for facts in leaves for name in facts})
    return [(name, tuple(facts.get(name, MISSING) for facts in leaves)) for name in names]


def leaf_facts(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted name -> text. A fact that is absent on the host is a dash with the recorded reason, where there is one."""
    found: dict[str, str] = {}
    for name, value in facts.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            found.update(leaf_facts(value, f"{path}."))
        else:
            found[path] = _text(value)
    return found


def _text(value: Any) -> str:
    if value is None or value in ({}, []):
        return MISSING
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
