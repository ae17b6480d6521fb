# SPDX-License-Identifier: Apache-2.0
"""What the start of one pod leaves on the host, each with the time at which it came about, in ns of CLOCK_MONOTONIC.

A file's time is that of the kernel's coarse clock (its resolution is one tick of the kernel, 1 to 10 ms); a process's start
stands in /proc in ticks of 10 ms. What is not found is Absent.
"""

from __future__ import annotations

import os
import re
import time
from datetime import datetime
from pathlib import Path

from remote_agent.host.read import Absent, text

NETWORK = "labctl"
NETNS = "run/netns"
LEASES = f"var/lib/cni/networks/{NETWORK}"
CONFIGS = (
    "run/containerd/io.containerd.runtime.v2.task/k8s.io/{}/config.json",
    "run/crio/storage/overlay-containers/{}/userdata/config.json",
    "run/containers/storage/overlay-containers/{}/userdata/config.json",
)
SHIMS = ("containerd-shim", "conmon")
STAMP = re.compile(
    r"(?P<second>[0-9-]{10}T[0-9:]{8})\.(?P<fraction>[0-9]{1,9})(?P<zone>Z|[+-][0-9]{2}:[0-9]{2}) "
)
"""The time at the beginning of a line in the CRI's log format: RFC 3339 with up to nine decimals."""


def namespace_ns(root: Path = Path("/")) -> int:
    """When the newest network namespace was pinned. Raises Absent."""
    return wall_ns(_changed(root / NETNS))


def lease_ns(root: Path = Path("/")) -> int:
    """When the newest address was leased (CNI's host-local plugin). Raises Absent."""
    try:
        leases = [path for path in (root / LEASES).iterdir() if path.name[0].isdigit() or ":" in path.name]
    except OSError as error:
        raise Absent(f"{root / LEASES}: {error.strerror or error}") from error
    if not leases:
        raise Absent(f"{root / LEASES} has no lease")
    return wall_ns(max(map(_changed, leases)))


def shim_ns(ids: tuple[str, ...], root: Path = Path("/")) -> int:
    """When the first shim of the pod or container with these ids was started. Raises Absent."""
    starts = []
    for path in (root / "proc").glob("[0-9]*/cmdline"):
        try:
            argv = [os.fsdecode(word) for word in path.read_bytes().split(b"\0")]
        except OSError:
            continue
        if argv[0].rsplit("/", 1)[-1].startswith(SHIMS) and set(ids) & set(argv):
            starts.append(process_ns(int(path.parent.name), root))
    if not starts:
        raise Absent("no shim names this pod")
    return min(starts)


def process_ns(pid: int, root: Path = Path("/")) -> int:
    """When a process was started (proc_pid_stat(5), field 22). Raises Absent."""
    stat = text(root / "proc" / str(pid) / "stat")
    ticks = int(stat.rpartition(")")[2].split()[19])
    since_boot = ticks * 10**9 // os.sysconf("SC_CLK_TCK")
    return since_boot - time.clock_gettime_ns(time.CLOCK_BOOTTIME) + time.monotonic_ns()


def bundle_ns(container: str, root: Path = Path("/")) -> int:
    """When the container's OCI configuration was written. Raises Absent."""
    for pattern in CONFIGS:
        path = root / pattern.format(container)
        if path.exists():
            return wall_ns(_changed(path))
    raise Absent("the container's bundle is not where these runtimes keep it")


def snapshot_ns(rootfs: str, root: Path = Path("/")) -> int:
    """When the writable layer below the overlay that is mounted at ``rootfs`` was made. Raises Absent."""
    for line in text(root / "proc/self/mountinfo").splitlines():
        fields = line.split(" ")
        if fields[4] == rootfs:
            upper = next((o for o in fields[-1].split(",") if o.startswith("upperdir=")), None)
            if upper is not None:
                return wall_ns(_changed((root / upper.removeprefix("upperdir=").lstrip("/")).parent))
    raise Absent(f"no overlay is mounted at {rootfs}")


def first_line_ns(log: Path) -> int:
    """The time that the runtime gave to the first line of a container's log. Raises Absent."""
    found = STAMP.match(text(log))
    if not found:
        raise Absent(f"{log} does not begin with a time")
    zone = found["zone"].replace("Z", "+00:00")
    second = int(datetime.fromisoformat(found["second"] + zone).timestamp())
    return wall_ns(second * 10**9 + int(found["fraction"].ljust(9, "0")))


def wall_ns(realtime_ns: int) -> int:
    """A moment of CLOCK_REALTIME as one of CLOCK_MONOTONIC, by how the two stand to one another now."""
    return realtime_ns - time.time_ns() + time.monotonic_ns()


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise Absent(f"{path}: {error.strerror or error}") from error
