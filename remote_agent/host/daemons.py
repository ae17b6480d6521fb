# SPDX-License-Identifier: Apache-2.0
"""What a runtime itself costs: the process that serves a CRI socket, the shims beside its pods, its service's control group.

CPU times are in ns, memory is PSS (proportional set size: shared pages are divided among those that map them) in bytes.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from remote_agent.host import cgroups
from remote_agent.host.read import Absent, entry, table

SHIMS = ("containerd-shim", "conmon")
CONNECT_S = 5.0
CPUCLOCK_SCHED = 2
"""The kind of a process's CPU clock in the kernel's clock ids."""


def listener(path: str) -> int:
    """The process that listens at a Unix socket. Raises Absent: nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(path)
            raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError as error:
            raise Absent(f"{path}: {error.strerror or error}") from error
    return int(struct.unpack("3i", raw)[0])


def cpu_ns(pid: int) -> int:
    """CPU time of that process, all its threads, by its own clock (clock_getcpuclockid(3)), in ns. Raises Absent."""
    try:
        return time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)
    except OSError as error:
        raise Absent(f"process {pid}: {error.strerror or error}") from error


def pss(pid: int, root: Path = Path("/")) -> int:
    """Proportional set size of a process in bytes. Raises Absent."""
    path = root / "proc" / str(pid) / "smaps_rollup"
    return int(entry(table(path, ":"), "Pss", path).split()[0]) * 1024


def shims(root: Path = Path("/")) -> list[int]:
    """The processes that stand beside pods, of whichever runtime."""
    return [pid for pid, program in programs(root) if program.startswith(SHIMS)]


def together(pids: Sequence[int], read: Callable[[int], int]) -> int:
    """``read`` summed over them all; one that ends meanwhile is left out. Raises Absent: there is none."""
    found: list[int] = []
    for pid in pids:
        with suppress(Absent):
            found.append(read(pid))
    if not found:
        raise Absent("no shim is there")
    return sum(found)


def service_cpu_ns(daemon: int, root: Path = Path("/")) -> int:
    """CPU time of the control group of the daemon's service. Raises Absent: it has none of its own with CPU accounting."""
    groups = cgroups.of_process(daemon, root)
    controller = "" if groups.version == 2 else "cpuacct"
    folder = groups.paths.get(controller)
    if folder is None or not folder.name.endswith(".service"):
        raise Absent(
            "the daemon has no control group of its own that counts CPU time (CPUAccounting=yes in its unit)"
        )
    return groups.cpu_ns()


def available_bytes(root: Path = Path("/")) -> int:
    """MemAvailable. Raises Absent."""
    path = root / "proc/meminfo"
    return int(entry(table(path, ":"), "MemAvailable", path).split()[0]) * 1024


def programs(root: Path) -> Iterator[tuple[int, str]]:
    """Every process and its program's file name."""
    for path in (root / "proc").glob("[0-9]*/cmdline"):
        try:
            argv = path.read_bytes().split(b"\0")
        except OSError:
            continue
        yield int(path.parent.name), os.fsdecode(argv[0]).rsplit("/", 1)[-1]
