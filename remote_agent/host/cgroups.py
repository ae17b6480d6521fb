# SPDX-License-Identifier: Apache-2.0
"""Control groups as the host sees them, version 1 and 2 alike. It only reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from remote_agent.host.read import Absent, entry, number, table, text

MOUNT = Path("sys/fs/cgroup")
UNLIMITED = 1 << 60
"""Version 1 tells "no limit" of memory as a number above this one."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Where one control group stands: ``paths`` maps each controller of version 1 (and "" of version 2) to its folder.

    Every method raises Absent where the kernel, or this host, does not have what is asked.
    """

    paths: Mapping[str, Path]

    @property
    def version(self) -> int:
        return 2 if not set(self.paths) - {""} else 1

    def cpu_ns(self) -> int:
        """CPU time used by all that is and was in it, in ns."""
        if self.version == 2:
            return int(self._field("", "cpu.stat", "usage_usec")) * 1000
        return number(self._folder("cpuacct") / "cpuacct.usage")

    def throttled_ns(self) -> int:
        """Time for which it was held back by its CPU quota, in ns."""
        if self.version == 2:
            return int(self._field("", "cpu.stat", "throttled_usec")) * 1000
        return int(self._field("cpu", "cpu.stat", "throttled_time"))

    def cpu_quota_us(self) -> tuple[int, int] | None:
        """Quota and period in microseconds; None: no quota."""
        if self.version == 2:
            quota, period = text(self._folder("") / "cpu.max").split()
            return None if quota == "max" else (int(quota), int(period))
        quota_us = number(self._folder("cpu") / "cpu.cfs_quota_us")
        return None if quota_us < 0 else (quota_us, number(self._folder("cpu") / "cpu.cfs_period_us"))

    def memory_bytes(self) -> int:
        """Memory charged to it and to what is below it, page cache included."""
        if self.version == 2:
            return number(self._folder("") / "memory.current")
        return number(self._folder("memory") / "memory.usage_in_bytes")

    def memory_limit_bytes(self) -> int | None:
        """None: no limit."""
        if self.version == 2:
            limit = text(self._folder("") / "memory.max")
            return None if limit == "max" else int(limit)
        bytes_ = number(self._folder("memory") / "memory.limit_in_bytes")
        return None if bytes_ > UNLIMITED else bytes_

    def read(self, controller: str, name: str) -> str:
        """The file ``name`` of it, stripped; ``controller`` (memory, pids, ...) finds the hierarchy on version 1."""
        return text(self._folder("" if self.version == 2 else controller) / name)

    def _folder(self, controller: str) -> Path:
        if controller not in self.paths:
            raise Absent(
                f"no hierarchy of control groups here has the controller {controller or 'of version 2'}"
            )
        return self.paths[controller]

    def _field(self, controller: str, file: str, name: str) -> str:
        path = self._folder(controller) / file
        return entry(table(path, " "), name, path)


def of_process(pid: int, root: Path = Path("/")) -> Groups:
    """The control group of a process. Raises Absent: there is no such process."""
    paths: dict[str, Path] = {}
    for line in text(root / "proc" / str(pid) / "cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        paths |= _mounted(root, controllers.split(","), group)
    return _known(paths)


def below(group: str, root: Path = Path("/")) -> Groups:
    """The control group at ``group``, a path from the root of every hierarchy (``/labctl/h1``)."""
    mount = root / MOUNT
    if (mount / "cgroup.controllers").exists():
        return Groups({"": mount / group.lstrip("/")})
    names = [path.name for path in mount.iterdir() if path.is_dir()] if mount.is_dir() else []
    paths: dict[str, Path] = {}
    for name in sorted(names):
        if name not in ("systemd", "unified"):
            paths |= {controller: mount / name / group.lstrip("/") for controller in name.split(",")}
    return _known(paths)


def path_of(spec: str) -> str:
    """A control group's path of the ``cgroupsPath`` in an OCI configuration: as it stands with cgroupfs; with systemd it is
    ``SLICE:PREFIX:NAME``, and a slice's name holds those above it (``a-b.slice`` is in ``a.slice``: systemd.slice(5)).
    """
    if spec.count(":") != 2:
        return spec
    slice_, prefix, name = spec.split(":")
    parts = slice_.removesuffix(".slice").split("-")
    slices = ["-".join(parts[: count + 1]) + ".slice" for count in range(len(parts))]
    return "/" + "/".join([*slices, f"{prefix}-{name}.scope"])


def _mounted(root: Path, controllers: list[str], group: str) -> dict[str, Path]:
    """Version 2 has no controllers in that file; a hybrid host's is mounted at unified and has none to offer."""
    mount, own = root / MOUNT, group.lstrip("/")
    if controllers == [""]:
        return {"": mount / own} if (mount / "cgroup.controllers").exists() else {}
    folder = mount / ",".join(controllers)
    return {controller: folder / own for controller in controllers if not controller.startswith("name=")}


def _known(paths: Mapping[str, Path]) -> Groups:
    if not paths:
        raise Absent("no control groups are mounted at /sys/fs/cgroup")
    return Groups(paths)
