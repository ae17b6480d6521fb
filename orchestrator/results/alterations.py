# SPDX-License-Identifier: Apache-2.0
"""What is not the same on a host in two runs: what it ran, and what it was. Often that is the very question. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.model.comparison import Alteration
from orchestrator.model.samples import HostRecord
from orchestrator.results.facts import flat
from orchestrator.results.provenance import provenance

FACTS = {
    "kernel.release": "kernel",
    "kernel.version": "kernel's build",
    "cpu.model": "CPU",
    "cpu.count": "CPUs",
    "cpu.microcode": "microcode",
    "cpu.governor": "CPU governor",
    "cpu.turbo": "turbo",
    "cpu.smt": "SMT",
    "memory.total_kb": "memory, kB",
    "kernel.clocksource": "clock source",
    "cgroup.version": "cgroup version",
    "system.name": "system",
    "virtualisation.kind": "virtualisation",
    "storage.containerd.type": "containerd's layers on",
    "storage.cri_o.type": "CRI-O's layers on",
}
"""Facts of a fingerprint that may move every value of a host, and what they are called."""
DIGITS = 12
COMPONENTS = {"crio": "cri-o"}
"""Combinations' names of CRI runtimes, where the component has another."""
BESIDE = {"crio": ("conmon",)}
"""Components that every pod of a CRI runtime goes through."""
Told = Mapping[tuple[str, str], str]
"""By kind and name."""


def alterations(a: HostRecord | None, b: HostRecord | None) -> Iterator[Alteration]:
    """Of one host in two runs; nothing is said where either has recorded no fingerprint."""
    if a is None or b is None or not a.facts or not b.facts:
        return
    was, has = dict(_told(a)), dict(_told(b))
    for kind, name in dict.fromkeys((*was, *has)):
        before, after = was.get((kind, name)), has.get((kind, name))
        if before != after:
            yield Alteration(b.host, kind, name, before, after)


def swapped(host: HostRecord, a: str, b: str) -> Iterator[Alteration]:
    """Of two combinations on one host: the runtimes that are not the same in both, as far as the host tells of them."""
    known = provenance(host.facts).get("components", {})
    for kind, was, has in zip(("CRI runtime", "OCI runtime"), a.split("/"), b.split("/"), strict=True):
        if was != has:
            names = (COMPONENTS.get(name, name) for name in (was, has))
            before, after = (_named(name, known.get(name)) for name in names)
            yield Alteration(host.host, "component", kind, before, after)


def _named(name: str, about: Mapping[str, Any] | None) -> str:
    return f"{name} {_version(about)}" if about else name


def _version(about: Mapping[str, Any]) -> str:
    return f"{about['version']} ({about['source']}, {str(about['key'])[:8]})"


def parts_of(facts: Mapping[str, Any], combination: str) -> Mapping[str, Any] | None:
    """The components and adapters that make up a combination; None where the host does not tell of each of them."""
    cri, _, handler = combination.partition("/")
    ran = provenance(facts)
    known = ran.get("components", {})
    main = COMPONENTS.get(cri, cri)
    if main not in known or handler not in known:
        return None
    names = (main, *BESIDE.get(cri, ()))
    adapters = {name: digest for name, digest in ran["adapters"].items() if f"-{handler}-" in f"-{name}-"}
    return {name: known[name] for name in (*names, handler) if name in known} | adapters


def _told(host: HostRecord) -> Iterator[tuple[tuple[str, str], str]]:
    """Components first: they are what a comparison is mostly about."""
    ran = provenance(host.facts)
    for name, about in ran["components"].items():
        yield ("component", name), _version(about)
    for kind, told in (("configuration", ran["configurations"]), ("adapter", ran["adapters"])):
        for name, digest in told.items():
            yield (kind, name), str(digest)[:DIGITS]
    yield from _binaries(host)
    yield from _facts(host)
    if host.agent:
        yield ("labctl", "agent"), host.agent


def _binaries(host: HostRecord) -> Iterator[tuple[tuple[str, str], str]]:
    """Of a host that labctl did not provision: where components are told, these are theirs."""
    if not provenance(host.facts)["components"]:
        for path, about in (host.facts.get("binaries") or {}).items():
            yield ("binary", path), f"{about.get('version')} ({str(about.get('sha256'))[:DIGITS]})"


def _facts(host: HostRecord) -> Iterator[tuple[tuple[str, str], str]]:
    """Packages that are no component's, and what may move every value."""
    facts, components = flat(host.facts), provenance(host.facts)["components"]
    for name, value in facts.items():
        package = name.removeprefix("system.packages.")
        if package != name and package not in components:
            yield ("package", package), value
    for name, label in FACTS.items():
        if facts.get(name, "None") != "None":
            yield ("host", label), facts[name]
