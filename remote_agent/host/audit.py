# SPDX-License-Identifier: Apache-2.0
"""The leak audit: what a trial left behind on the host. It looks before the trial and after its clean-up, and compares.

It only looks, and only where runtimes put what labctl asks of them; what was there before the trial is nobody's leak.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remote_agent.contract.journal import Leak
from remote_agent.host.daemons import programs

STATE_FOLDERS = (
    "/run/containerd",
    "/var/lib/containerd",
    "/run/containers",
    "/var/lib/containers",
    "/run/crio",
    "/var/lib/crio",
)
SHIMS = ("containerd-shim", "conmon", "runsc-sandbox", "runsc-gofer")
NAMESPACES = ("netns", "ipcns", "utsns", "pidns", "userns")
"""Folders of /run where a pod's namespaces are pinned: its network's by every runtime, the others by CRI-O."""

KEPT_MOUNTS = ("/null-netns", "/storage/overlay")
"""How what a runtime makes once and keeps for all pods ends: gVisor's empty network namespace, the folder of CRI-O's layers."""

NETWORK = "labctl"
SETTLE_S = 5.0
PAUSE_S = 0.02

Snapshot = frozenset[Leak]


@dataclass(frozen=True, slots=True)
class Audit:
    """``ours`` lists our pods and containers in the runtimes; ``cgroup_parents`` are this host's own, from the root of each
    hierarchy (``/labctl/h1``). ``root`` is / but in tests.
    """

    ours: Callable[[], Iterable[Leak]]
    cgroup_parents: tuple[str, ...]
    root: Path = Path("/")
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def snapshot(self) -> Snapshot:
        """All that is there now."""
        return frozenset(
            (*self.ours(), *self._namespaces(), *self._veths(), *self._mounts(), *self._cgroups(), *self._leases(),
             *self._shims())
        )  # fmt: skip

    def leaks(self, before: Snapshot, settle_s: float = SETTLE_S) -> tuple[Leak, ...]:
        """What has come since ``before`` and does not go within ``settle_s``: runtimes destroy some of it in their own time."""
        deadline = self.clock() + settle_s
        while (left := self.snapshot() - before) and self.clock() < deadline:
            self.sleep(PAUSE_S)
        return tuple(sorted(left, key=lambda leak: (leak.kind, leak.what)))

    def _namespaces(self) -> Iterator[Leak]:
        for kind in NAMESPACES:
            for name in _names(self.root / "run" / kind):
                yield Leak(kind, name)

    def _veths(self) -> Iterator[Leak]:
        """Links that hang on the benchmark network's bridge: other bridges are other people's."""
        bridges = set(_bridges(self.root / "etc/cni"))
        links = self.root / "sys/class/net"
        for name in _names(links):
            try:
                master = (links / name / "master").readlink().name
            except OSError:
                continue
            if master in bridges:
                yield Leak("veth", name)

    def _mounts(self) -> Iterator[Leak]:
        try:
            lines = (self.root / "proc/self/mountinfo").read_text().splitlines()
        except OSError:
            return
        for line in lines:
            point = line.split(" ", 5)[4]
            if point.endswith(KEPT_MOUNTS):
                continue
            if any(point.startswith(f"{folder}/") for folder in STATE_FOLDERS):
                yield Leak("mount", point)

    def _cgroups(self) -> Iterator[Leak]:
        """Below our own parent alone: on cgroup v1 hosts of one machine may see one tree."""
        mount = self.root / "sys/fs/cgroup"
        for hierarchy in (mount, *(path for path in _folders(mount) if not path.is_symlink())):
            for parent in self.cgroup_parents:
                for folder in _below(hierarchy / parent.lstrip("/")):
                    yield Leak("cgroup", str(folder.relative_to(mount)))

    def _leases(self) -> Iterator[Leak]:
        """host-local names a lease's file after its address."""
        for name in _names(self.root / "var/lib/cni/networks" / NETWORK):
            if name[0].isdigit() or ":" in name:
                yield Leak("lease", name)

    def _shims(self) -> Iterator[Leak]:
        for pid, program in programs(self.root):
            if program.startswith(SHIMS):
                yield Leak("process", f"{program} {pid}")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return []


def _folders(folder: Path) -> list[Path]:
    return [path for name in _names(folder) if (path := folder / name).is_dir()]


def _below(folder: Path) -> Iterator[Path]:
    for child in _folders(folder):
        yield child
        yield from _below(child)


def _bridges(cni: Path) -> Iterator[str]:
    """The bridges of the CNI networks named labctl, in whichever folder of ``cni`` a runtime is told to read."""
    for folder in _folders(cni):
        for name in _names(folder):
            try:
                network = json.loads((folder / name).read_text())
            except (OSError, ValueError):
                continue
            if isinstance(network, dict) and network.get("name") == NETWORK:
                yield from _bridges_of(network)


def _bridges_of(network: dict[str, Any]) -> Iterator[str]:
    """Of a list of plugins (.conflist) or of the one plugin that the file is (.conf)."""
    for plugin in network.get("plugins", [network]):
        if plugin.get("type") == "bridge":
            yield plugin.get("bridge", "cni0")
