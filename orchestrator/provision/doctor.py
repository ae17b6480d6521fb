# SPDX-License-Identifier: Apache-2.0
"""What a host can run and what not, and why: facts and the build's vars file in, findings out. Pure.

examine(facts, build, handlers, refusals) -> Diagnosis
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.load.handlers import HostHandler
from orchestrator.model.artifact import RELEASES

CRIS = {"containerd": "containerd", "crio": "cri-o"}
"""The CRI runtimes, and the component of each."""
NEEDED = {"crio": ("cri-o", "conmon", "containers-storage")}
"""Components that a CRI runtime cannot do without, where that is more than its own."""
ADDRESS_ADAPTER_BEFORE = (1, 37)
"""CRI-O that cannot read what gVisor's shim answers on `start`."""
ROOM_MB = {"/opt": 700, "/var/lib": 1000}
"""Free MB that provisioning needs."""
BENCHMARK_MB = 4096
"""Free MB below which the benchmarks of files do not fit."""
MEMORY_MB = 1024
IMAGES = "images"
"""Installed as components are, and built apart from them."""
BUSY_LOAD = 0.5
"""Load of the last minute a CPU, above which a benchmark would feel it."""

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BuildState:
    """What has been built for the target of one host: ``components`` as the vars file has them, {} where nothing was.

    ``missing``: component -> why this target cannot have it, a sentence. ``elsewhere``: other targets that something was built for.
    """

    target: str = ""
    components: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Combination:
    """``why`` it cannot be run, a sentence; None where it can."""

    cri: str
    oci: str
    why: str | None

    @property
    def name(self) -> str:
        return f"{self.cri}/{self.oci}"


@dataclass(frozen=True, slots=True)
class Component:
    """What is installed and what provisioning would install, each a version or None; ``note`` says it in words, "" where alike."""

    name: str
    installed: str | None
    offered: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``system`` and ``settings`` are lines for people (name -> text); ``advice`` are sentences on what a benchmark would feel."""

    system: str
    combinations: tuple[Combination, ...]
    settings: Mapping[str, str]
    adapters: tuple[str, ...]
    components: tuple[Component, ...]
    advice: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it can run all of them."""
        return all(combination.why is None for combination in self.combinations)

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def examine(
    facts: Facts,
    build: BuildState,
    handlers: Sequence[HostHandler],
    refusals: Mapping[str, str] | None = None,
) -> Diagnosis:
    """``build`` is what has been built for this host's target; ``handlers`` those that components and the inventory declare.

    ``refusals`` says of a CRI runtime why provisioning would not install it, since something of the owner's would be replaced.
    """
    built = build.components
    host = next(_host_problems(facts), None)
    cris = {
        cri: host or (refusals or {}).get(cri) or next(_cri_problems(cri, facts, build), None) for cri in CRIS
    }
    ocis = {handler.name: next(_oci_problems(handler, facts, build), None) for handler in handlers}
    return Diagnosis(
        system=_system(facts),
        combinations=tuple(Combination(cri, oci, cris[cri] or ocis[oci]) for cri in CRIS for oci in ocis),
        settings=_settings(facts),
        adapters=_adapters(facts, built),
        components=_components(_own(facts).get("components") or {}, built),
        advice=tuple(_advice(facts, built)),
    )


def _own(facts: Facts) -> Mapping[str, Any]:
    return facts.get("labctl") or {}


def _system(facts: Facts) -> str:
    memory = facts.get("memtotal_mb")
    said = [
        f"{facts.get('distribution') or 'an unknown system'} {facts.get('distribution_version') or ''}".strip(),
        f"Linux {facts.get('kernel')}",
        str(facts.get("architecture")),
        f"{facts.get('processor_vcpus')} CPUs",
        f"{memory / 1024:.1f} GB" if memory else "memory not told",
    ]
    return ", ".join(said)


def _host_problems(facts: Facts) -> Iterator[str]:
    """Why it can run nothing at all, the gravest first."""
    own = _own(facts)
    if facts.get("distribution") != "Debian":
        yield f"labctl provisions Debian 12 and 13, and this is {facts.get('distribution') or 'unknown'}."
    elif facts.get("distribution_release") not in RELEASES:
        yield f"labctl provisions Debian 12 and 13, and this is Debian {facts.get('distribution_version')}."
    if facts.get("service_mgr") != "systemd":
        yield f"Services need systemd, and PID 1 is {facts.get('service_mgr')}."
    cgroup = own.get("cgroup") or {}
    if cgroup.get("version") is None:
        yield "No control groups are mounted on /sys/fs/cgroup."
    elif not cgroup.get("writable"):
        yield "The control groups are read-only here; a container's host must let it write them (systemd-nspawn: remount them read-write)."
    for name in ("bridge", "veth"):
        if (own.get("modules") or {}).get(name) == "missing":
            yield f"The kernel has no module {name}, which pods' networks need."
    for folder, least in ROOM_MB.items():
        free = (own.get("free_mb") or {}).get(folder)
        if free is not None and free < least:
            yield f"{folder} has {free} MB free, and provisioning needs {least}."


def _cri_problems(cri: str, facts: Facts, build: BuildState) -> Iterator[str]:
    for name in NEEDED.get(cri, (CRIS[cri],)):
        yield from _component_problems(name, build)
    if CRIS[cri] in (_own(facts).get("components") or {}):
        state = (_own(facts).get("services") or {}).get(cri)
        if state in ("silent", "absent"):
            yield f"{cri} is installed and does not answer. On the host: systemctl status {cri}."


def _oci_problems(handler: HostHandler, facts: Facts, build: BuildState) -> Iterator[str]:
    if handler.component is not None:
        yield from _component_problems(handler.component, build)
    if handler.kind == "runsc" and _own(facts).get("user_namespaces") is False:
        yield "gVisor's sandbox needs user namespaces, and the kernel gives none: sysctl user.max_user_namespaces."
    if handler.kind == "runsc" and _own(facts).get("seccomp") is False and not _kvm(facts).get("runs"):
        yield "gVisor needs seccomp or KVM, and this kernel has neither."


def _component_problems(name: str, build: BuildState) -> Iterator[str]:
    """Why this host cannot have the component. Where nothing was built at all, that is the advice's to say."""
    if reason := build.missing.get(name):
        yield f"{name} is not to be had here: {reason}"
    elif build.components and name not in build.components:
        yield f"{name} has not been built for {build.target}: labctl build {name}."
    elif build.elsewhere and not build.components:
        yield f"Nothing has been built for {build.target} (only for {', '.join(build.elsewhere)}): labctl provision builds it."


def _settings(facts: Facts) -> dict[str, str]:
    own = _own(facts)
    version = (own.get("cgroup") or {}).get("version")
    kvm = _kvm(facts)
    platform = "kvm" if kvm.get("runs") else f"systrap, for {kvm.get('why') or 'KVM was not tried'}"
    layers = "overlayfs" if own.get("overlayfs") else "whole copies (native): the kernel has no overlayfs"
    tree = {1: "v1", 2: "v2", "hybrid": "v1 (hybrid)"}.get(version, "none")
    return {"cgroup": f"{tree}, driver cgroupfs", "layers": layers, "runsc": f"platform {platform}"}


def _kvm(facts: Facts) -> Mapping[str, Any]:
    return _own(facts).get("kvm") or {}


def _adapters(facts: Facts, built: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands in for what the host lacks, each with the reason."""
    found = []
    if not _own(facts).get("cap_sys_resource"):
        found += [
            "no CAP_SYS_RESOURCE: containerd and gVisor's shim are kept from lowering oom_score_adj",
            "no CAP_SYS_RESOURCE: CRI-O's OCI runtimes get a wrapper (2 ms a container)",
        ]
    crio = _release((built.get("cri-o") or {}).get("version"))
    if crio is None or crio < ADDRESS_ADAPTER_BEFORE:
        found.append("CRI-O before 1.37: gVisor's shim gets one that answers its address")
    return tuple(found)


def _release(version: str | None) -> tuple[int, ...] | None:
    words = (version or "").lstrip("v").split(".")[:2]
    return tuple(int(word) for word in words) if all(word.isdigit() for word in words) else None


def _components(installed: Mapping[str, Any], built: Mapping[str, Any]) -> tuple[Component, ...]:
    return tuple(
        _compared(name, installed.get(name), built.get(name))
        for name in sorted({*installed, *built} - {IMAGES})
    )


def _compared(name: str, here: Mapping[str, Any] | None, offered: Mapping[str, Any] | None) -> Component:
    has, gets = (one.get("version") if one else None for one in (here, offered))
    if here is None:
        note = f"{name} is not installed; provision would install {gets}."
    elif offered is None:
        note = f"{name} {has} is installed, and nothing of it was built here."
    elif has != gets:
        note = f"{name} {has} is installed; provision would install {gets}."
    elif here.get("key") != offered.get("key"):
        note = f"{name} {has} is installed from another build ({here.get('key')}); provision would install {offered.get('key')}."
    else:
        note = ""
    return Component(name, has, gets, note)


def _advice(facts: Facts, built: Mapping[str, Any]) -> Iterator[str]:
    own = _own(facts)
    if not built:
        yield "Nothing has been built here, so artifacts could not be compared: labctl build."
    if facts.get("user_uid") not in (0, None):
        yield "labctl is not root on this host: provisioning needs `ansible_become: true`."
    yield from _strangers(own)
    yield from _scarce(own)
    yield from _noise(own.get("noise") or {}, facts.get("processor_vcpus") or 1)


def _strangers(own: Mapping[str, Any]) -> Iterator[str]:
    if others := (own.get("noise") or {}).get("others"):
        runs = "runs" if len(others) == 1 else "run"
        yield f"{', '.join(others)} {runs} here too: containers of others are noise, and may use the same runtimes."


def _scarce(own: Mapping[str, Any]) -> Iterator[str]:
    free = own.get("free_mb") or {}
    if (disk := free.get("/var/lib")) is not None and ROOM_MB["/var/lib"] <= disk < BENCHMARK_MB:
        yield f"/var/lib has {disk} MB free: benchmarks of files want {BENCHMARK_MB}."
    if (memory := free.get("memory")) is not None and memory < MEMORY_MB:
        yield f"{memory} MB of memory are available: many pods at once will not fit."


def _noise(noise: Mapping[str, Any], cpus: int) -> Iterator[str]:
    if (governor := noise.get("governor")) not in (None, "performance"):
        yield f"The CPU governor is {governor}: performance keeps the clock steadier."
    if (load := noise.get("load")) is not None and load / cpus > BUSY_LOAD:
        yield f"The load is {load:g} on {cpus} CPU{'s' if cpus != 1 else ''}: something else is at work."
    if timers := noise.get("timers"):
        names = ", ".join(str(timer).removesuffix(".timer") for timer in timers)
        yield f"Timers may fire within a run: {names} (systemctl stop them for its time)."
