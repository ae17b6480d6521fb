# SPDX-License-Identifier: Apache-2.0
"""A cgroup of its own for each host, so that hosts on one machine do not share one tree and end each other's services.

A host's cgroup namespace begins at the cgroup that its systemd-nspawn was started in. On cgroup v1 (and hybrid) that is a folder made
in every hierarchy. On pure cgroup v2 it is a delegated scope of the machine's systemd, or, without systemd, a folder with all
controllers. Only folders of the host's own name are ever removed, never mounts.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.lab.system import System
from orchestrator.model.errors import LabError

NEEDED = ("cpu", "memory", "pids")
"""Controllers that container runtimes cannot do without."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A cgroup mount: ``unified`` is cgroup v2's."""

    root: Path
    unified: bool


def read_hierarchies(mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Hierarchy]:
    """Each hierarchy once, by proc(5)'s mountinfo: a mount's number, its parent's, device, root, point, ... - type."""
    found: dict[str, Hierarchy] = {}
    for line in mountinfo.read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind = after.split()[0]
        if kind in ("cgroup", "cgroup2"):
            device, point = before.split()[2], before.split()[4]
            found.setdefault(device, Hierarchy(Path(point), kind == "cgroup2"))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Cgroups:
    """How hosts of this machine get a cgroup. ``systemd``: the machine's PID 1 is systemd."""

    hierarchies: tuple[Hierarchy, ...]
    systemd: bool
    system: System

    @classmethod
    def of_machine(cls, system: System) -> Cgroups:
        return cls(tuple(read_hierarchies()), Path("/run/systemd/system").is_dir(), system)

    @property
    def pure_v2(self) -> bool:
        return all(hierarchy.unified for hierarchy in self.hierarchies)

    @property
    def scoped(self) -> bool:
        """Whether systemd makes the cgroup: on pure cgroup v2 the tree is its own, and delegation is asked of it."""
        return self.pure_v2 and self.systemd

    def problem(self) -> str | None:
        """Why hosts cannot get cgroups here; None where they can."""
        if not self.hierarchies:
            return "no cgroup file system is mounted on this machine"
        if not self.pure_v2 and not any(h.root.name == "systemd" for h in self.hierarchies):
            return "this machine has cgroup v1 without the hierarchy name=systemd, and no host boots systemd without it"
        if self.pure_v2 and not self.scoped:
            root = self.hierarchies[0].root
            there = (root / "cgroup.controllers").read_text().split()
            if lacking := [name for name in NEEDED if name not in there]:
                return f"cgroup v2 here lacks the controllers {', '.join(lacking)}"
        return None

    def make(self, name: str) -> None:
        """Make the cgroup ``name``; with systemd it is made at the start."""
        if self.scoped:
            return
        for folder, hierarchy in zip(self.folders(name), self.hierarchies, strict=True):
            if self.pure_v2:
                self._delegate(hierarchy.root)
            folder.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                # A v1 cpuset takes no process before it has both.
                if not hierarchy.unified and (hierarchy.root / setting).exists():
                    (folder / setting).write_text((hierarchy.root / setting).read_text())

    def launcher(self, name: str, pid_file: Path) -> list[str]:
        """What a host's command is put behind: it leaves our session, says its pid, enters the cgroup, becomes the command."""
        head = ["setsid", "--fork", "sh", "-c", _LAUNCH, "sh", str(pid_file)]
        if self.scoped:
            scope = [
                "systemd-run",
                "--scope",
                "--quiet",
                "--collect",
                f"--unit={name}",
                "--property=Delegate=yes",
                "--",
            ]
            return [*head, "0", *scope]
        doors = [str(folder / "cgroup.procs") for folder in self.folders(name)]
        return [*head, str(len(doors)), *doors]

    def processes(self, name: str) -> list[int]:
        """All processes in the cgroup and below it."""
        found: set[int] = set()
        for folder in self.folders(name):
            for path in _below(folder):
                try:
                    found |= {int(pid) for pid in (path / "cgroup.procs").read_text().split()}
                except OSError:
                    continue
        return sorted(found - {0})

    def kill(self, name: str, seconds: float = 10.0) -> None:
        """End all of them. Raises LabError where some are left after ``seconds``."""

        def none_left() -> bool:
            for pid in self.processes(name):
                identity = self.system.processes.identify(pid)
                # Looked up again: a number that has left the cgroup may by now be somebody else's.
                if identity and pid in self.processes(name):
                    self.system.processes.signal(identity, signal.SIGKILL)
            return not self.processes(name)

        if not self.system.clock.wait_until(none_left, seconds):
            raise LabError(f"Processes {self.processes(name)} in the cgroup {name} do not end.")

    def remove(self, name: str, seconds: float = 5.0) -> None:
        """Remove the empty cgroup. Raises LabError where it is in use."""
        if self.scoped:
            # A scope that has lost its processes still has its name for a moment, and `stop` waits for that.
            self.system.run("systemctl", "stop", f"{name}.scope", check=False)
            self.system.run("systemctl", "reset-failed", f"{name}.scope", check=False)

        def gone() -> bool:
            for folder in () if self.scoped else self.folders(name):
                for path in _below(folder):
                    try:
                        path.rmdir()
                    except OSError:
                        continue
            return not any(folder.exists() for folder in self.folders(name))

        if not self.system.clock.wait_until(gone, seconds):
            raise LabError(f"The cgroup {name} is still in use, so it is not removed.")

    def folders(self, name: str) -> list[Path]:
        if not name.startswith("labctl-") or "/" in name:
            raise LabError(f"{name} is not a cgroup of labctl's.")
        if self.scoped:
            return [hierarchy.root / "system.slice" / f"{name}.scope" for hierarchy in self.hierarchies]
        return [hierarchy.root / name for hierarchy in self.hierarchies]

    def _delegate(self, root: Path) -> None:
        """Let children of the root have every controller that it has. Raises LabError where a needed one is refused."""
        for controller in (root / "cgroup.controllers").read_text().split():
            if controller in (root / "cgroup.subtree_control").read_text().split():
                continue
            try:
                (root / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError as error:
                if controller in NEEDED:
                    raise LabError(
                        f"cgroup v2 does not hand on the controller {controller} ({error.strerror}): {root} holds processes itself.",
                        "Start this container with the machine's own cgroup namespace, or use virtual machines.",
                    ) from error


_LAUNCH = """
set -e
echo $$ > "$1.new"
mv "$1.new" "$1"
shift
count=$1
shift
while [ "$count" -gt 0 ]; do
    echo $$ > "$1"
    shift
    count=$((count - 1))
done
exec "$@"
"""


def _below(folder: Path) -> Iterator[Path]:
    """``folder`` and the folders below it, the innermost first."""
    for path, _, _ in os.walk(folder, topdown=False):
        yield Path(path)
