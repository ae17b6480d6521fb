# SPDX-License-Identifier: Apache-2.0
"""Fingerprints as rows of text: the ones that a reader looks for first, then all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.samples import HostRecord
from orchestrator.report.numbers import MISSING

PACKAGES = "system.packages."
WANTED = (
    ("CPU", "cpu.model"),
    ("CPUs", "cpu.count"),
    ("governor", "cpu.governor"),
    ("memory", "memory.total_kb"),
    ("system", "system.name"),
    ("kernel", "kernel.release"),
    ("clock source", "kernel.clocksource"),
    ("cgroup", "cgroup.version"),
    ("virtualisation", "virtualisation.kind"),
    ("layers on", "storage.containerd.type"),
)
"""A label, and the dotted name under which a fingerprint holds it."""


def shown_facts(hosts: Sequence[HostRecord]) -> list[tuple[str, tuple[str, ...]]]:
    """The wanted facts that at least one host has, then the packages of the runtimes: label, a text a host."""
    leaves = [leaf_facts(host.facts) for host in hosts]
    wanted = [(label, name) for label, name in WANTED if any(name in facts for facts in leaves)]
    packages = sorted({name for facts in leaves for name in facts if name.startswith(PACKAGES)})
    wanted += [(name.removeprefix(PACKAGES), name) for name in packages]
    return [(label, tuple(_shown(name, facts) for facts in leaves)) for label, name in wanted]


def binaries(hosts: Sequence[HostRecord]) -> list[tuple[str, str, str, str]]:
    """Host, path, version and sha256 of each runtime's binary."""
    found = []
    for host in hosts:
        for path, about in (host.facts.get("binaries") or {}).items():
            found.append((host.host, str(path), _text(about.get("version")), _text(about.get("sha256"))))
    return found


def why_missing(hosts: Sequence[HostRecord]) -> list[str]:
    """Why a wanted fact is missing, a sentence each."""
    labels = {name: label for label, name in WANTED}
    return [
        f"{host.host}, {labels[name]}: {reason}."
        for host in hosts
        for name, reason in (host.facts.get("missing") or {}).items()
        if name in labels
    ]


def _shown(name: str, facts: Mapping[str, str]) -> str:
    value = facts.get(name, MISSING)
    return f"{int(value) / 2**20:.1f} GiB" if name.endswith("_kb") and value.isdigit() else value


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
