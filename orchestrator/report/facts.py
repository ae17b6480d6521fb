# SPDX-License-Identifier: Apache-2.0
"""Fingerprints as rows of text: the ones that a reader looks for first, then all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.run import RunHost
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


def shown_facts(
    hosts: Sequence[HostRecord], built: Sequence[Mapping[str, Any]]
) -> list[tuple[str, tuple[str, ...]]]:
    """The wanted facts that at least one host has, then the runtimes and their packages: label, a text a host.

    ``built`` is the provenance of each of ``hosts``.
    """
    leaves = [leaf_facts(host.facts) for host in hosts]
    wanted = [(label, name) for label, name in WANTED if any(name in facts for facts in leaves)]
    rows = [(label, tuple(_shown(name, facts) for facts in leaves)) for label, name in wanted]
    rows += _components(built)
    known = {label for label, _ in rows}
    packages = sorted({name for facts in leaves for name in facts if name.startswith(PACKAGES)})
    rows += [
        (label, tuple(_shown(name, facts) for facts in leaves))
        for name in packages
        if (label := name.removeprefix(PACKAGES)) not in known
    ]
    return rows


def _components(built: Sequence[Mapping[str, Any]]) -> list[tuple[str, tuple[str, ...]]]:
    """Version and artifact of each component, one word for all configurations, and the adapters: label, a text a host."""
    names = sorted({name for one in built for name in one.get("components", {})})
    rows = [(name, tuple(_component(one.get("components", {}).get(name)) for one in built)) for name in names]
    if any(one.get("configurations") for one in built):
        rows.append(("configuration", tuple(_digest(one.get("configurations", {})) for one in built)))
    if any(one.get("adapters") for one in built):
        rows.append(("adapters", tuple(_text(sorted(one.get("adapters", {}))) for one in built)))
    return rows


def _component(about: Mapping[str, Any] | None) -> str:
    if about is None:
        return MISSING
    source = "" if about.get("source") in (None, "module") else f", {about['source']}"
    return f"{about.get('version') or MISSING}{source} ({str(about.get('key') or MISSING)[:8]})"


def _digest(configurations: Mapping[str, str]) -> str:
    """Hosts whose files are all alike have the same word; which file differs is in the table of the provenance."""
    if not configurations:
        return MISSING
    return hashlib.sha256(json.dumps(dict(configurations), sort_keys=True).encode()).hexdigest()[:8]


def provenance_rows(hosts: Sequence[RunHost]) -> list[tuple[str, str, str, str, str]]:
    """Host, kind (component, configuration, adapter), name, version and source, hash (artifact key, or sha256)."""
    found = []
    for host in hosts:
        told = host.provenance
        for name, about in told.get("components", {}).items():
            version = f"{_text(about.get('version'))}, {_text(about.get('source'))}"
            found.append((host.name, "component", name, version, _text(about.get("key"))))
        for kind, entries in (("configuration", "configurations"), ("adapter", "adapters")):
            found += [
                (host.name, kind, name, MISSING, digest) for name, digest in told.get(entries, {}).items()
            ]
    return found


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
