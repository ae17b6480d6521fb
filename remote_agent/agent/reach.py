# SPDX-License-Identifier: Apache-2.0
"""One trial's way to this host: the real pods, images, control groups and costs behind what benchmarks are written against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from remote_agent.benchmarks.reach import NotSupported, Shape, Spent, Traces, Usage
from remote_agent.cri.client import QUICK_S, Cri, timed
from remote_agent.cri.endings import Endings
from remote_agent.cri.images import CriImages
from remote_agent.cri.pods import CriPod, PodPlan
from remote_agent.gen.runtime.v1 import cri_pb2 as pb
from remote_agent.host import cgroups, daemons, disks, traces
from remote_agent.host.oci import TASKS, Oci, of_container
from remote_agent.host.read import Absent

Value = TypeVar("Value")


class HostGroup:
    """A `Cgroup` of this host's: what is absent is not supported here."""

    def __init__(self, groups: cgroups.Groups) -> None:
        self._groups = groups

    @property
    def version(self) -> int:
        return self._groups.version

    def cpu_ns(self) -> int:
        return _supported(self._groups.cpu_ns)

    def throttled_ns(self) -> int:
        return _supported(self._groups.throttled_ns)

    def cpu_quota_us(self) -> tuple[int, int] | None:
        return _supported(self._groups.cpu_quota_us)

    def memory_bytes(self) -> int:
        return _supported(self._groups.memory_bytes)

    def memory_limit_bytes(self) -> int | None:
        return _supported(self._groups.memory_limit_bytes)

    def read(self, controller: str, name: str) -> str:
        return _supported(lambda: self._groups.read(controller, name))


class HostOci:
    """An `OciRuntime` of this host's: what its program refuses is not supported."""

    def __init__(self, found: Oci) -> None:
        self._oci = found

    @property
    def program(self) -> str:
        return self._oci.program

    def pause(self) -> int:
        return _supported(self._oci.pause, "The OCI runtime's program does not do it")

    def resume(self) -> int:
        return _supported(self._oci.resume, "The OCI runtime's program does not do it")

    def paused(self) -> bool:
        return _supported(self._oci.paused, "The OCI runtime's program does not tell it")


class HostPod(CriPod):
    """A pod whose control group can be looked at."""

    def __init__(
        self, cri: Cri, plan: PodPlan, number: int, endings: Endings, shape: Shape, root: Path
    ) -> None:
        super().__init__(cri, plan, number, endings, shape)
        self._root = root

    def cgroup(self) -> HostGroup:
        spec = (self.info().get("runtimeSpec") or {}).get("linux") or {}
        path = spec.get("cgroupsPath")
        if not isinstance(path, str) or not path:
            raise NotSupported("The runtime does not tell the container's control group.")
        return HostGroup(_supported(lambda: cgroups.below(cgroups.path_of(path), self._root)))

    def process_cgroup(self) -> HostGroup:
        pid = self.info().get("pid")
        if not isinstance(pid, int) or pid <= 0:
            raise NotSupported("The runtime does not tell the container's process, nor so its control group.")
        return HostGroup(_supported(lambda: cgroups.of_process(pid, self._root)))

    def traces(self) -> Traces:
        info, root = self.info(), self._root
        pid, rootfs = info.get("pid"), self._rootfs(info)
        started = self._cri.container_status(self.container).started_at
        return Traces(
            namespace_ns=_told(lambda: traces.namespace_ns(root)),
            lease_ns=_told(lambda: traces.lease_ns(root)),
            shim_ns=_told(lambda: traces.shim_ns((self.id, self.container), root)),
            snapshot_ns=_told(lambda: traces.snapshot_ns(rootfs, root)),
            bundle_ns=_told(lambda: traces.bundle_ns(self.container, root)),
            process_ns=_told(lambda: traces.process_ns(pid, root))
            if isinstance(pid, int) and pid > 0
            else None,
            started_ns=traces.wall_ns(started) if started else None,
            first_line_ns=_told(lambda: traces.first_line_ns(self.log_file)),
        )

    def _rootfs(self, info: Mapping[str, Any]) -> str:
        """As an absolute path: containerd's is below the task's folder."""
        path = str(((info.get("runtimeSpec") or {}).get("root") or {}).get("path") or "rootfs")
        return path if path.startswith("/") else f"/{TASKS}/{self.container}/{path}"

    def oci(self) -> HostOci:
        return HostOci(_supported(lambda: of_container(self.container, self._root)))


class TrialHost:
    """`remote_agent.benchmarks.reach.Host` of one trial. ``group`` is the pods' parent, from the root of each hierarchy."""

    def __init__(self, cri: Cri, plan: PodPlan, endings: Endings, group: str, root: Path = Path("/")) -> None:
        self._cri = cri
        self._plan = plan
        self._endings = endings
        self._group = group
        self._root = root
        self._images = CriImages(cri)
        self._pid: int | None = None

    @property
    def images(self) -> CriImages:
        return self._images

    def pod(self, number: int, shape: Shape) -> HostPod:
        return HostPod(self._cri, self._plan, number, self._endings, shape, self._root)

    def version(self) -> int:
        return timed("Version", self._cri.runtime.Version, pb.VersionRequest(version="v1"), QUICK_S)[1]

    def spent(self) -> Spent:
        return Spent(
            _told(lambda: daemons.cpu_ns(self._daemon())),
            _told(lambda: daemons.service_cpu_ns(self._daemon(), self._root)),
        )

    def usage(self) -> Usage:
        shims = daemons.shims(self._root)
        return Usage(
            _told(lambda: daemons.pss(self._daemon(), self._root)),
            len(shims),
            _told(lambda: daemons.together(shims, lambda pid: daemons.pss(pid, self._root))),
            _told(lambda: daemons.together(shims, daemons.cpu_ns)),
        )

    def _daemon(self) -> int:
        """Raises Absent."""
        if self._pid is None:
            self._pid = daemons.listener(self._cri.socket)
        return self._pid

    def parent(self) -> HostGroup:
        return HostGroup(_supported(lambda: cgroups.below(self._group, self._root)))

    def disk(self) -> str:
        return _supported(lambda: disks.under(self._cri.image_folder(), self._root))

    def available_bytes(self) -> int:
        return _supported(lambda: daemons.available_bytes(self._root))


def _supported(read: Callable[[], Value], otherwise: str = "This host does not tell it") -> Value:
    """Raises NotSupported where this host does not have it."""
    try:
        return read()
    except Absent as reason:
        raise NotSupported(f"{otherwise}: {reason}.") from reason


def _told(read: Callable[[], Value]) -> Value | None:
    """None where this host does not tell it."""
    try:
        return read()
    except Absent:
        return None
