# SPDX-License-Identifier: Apache-2.0
"""What else went on: counters of the kernel's, read before and after a block, outside every timed window."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from remote_agent.host.read import Absent, entry, gather, number, table, text

TICKS = os.sysconf("SC_CLK_TCK")
SECTOR = 512
VMSTAT = ("pgmajfault", "pswpin", "pswpout", "pgscan_direct", "compact_stall", "oom_kill", "thp_fault_alloc")
PSI = ("cpu", "memory", "io")
WHOLE_DISKS = ("sd", "vd", "xvd", "nvme", "mmcblk")


@dataclass(frozen=True, slots=True)
class Counters:
    """``values`` count up since the boot, None where absent; ``missing`` has the reasons. ``load`` is a level, no count."""

    values: Mapping[str, float | None]
    load: tuple[float, float, float] | None
    missing: Mapping[str, str]


def read_counters(
    root: Path = Path("/"),
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Counters:
    """Seconds of CPU time, context switches, stalled time (PSI, seconds), paging, throttling and disk work, as they stand.

    ``clock_step_s`` is the wall clock less the monotonic one, seconds: it grows where the wall clock is set or the machine
    sleeps, and not where NTP slews, which moves both alike.
    """
    proc, missing = root / "proc", dict[str, str]()
    probes: dict[str, Callable[[], Any]] = {
        "steal_s": lambda: _cpu(proc, 8) / TICKS,
        "cpu_s": lambda: sum(_cpu(proc, field) for field in range(1, 9)) / TICKS,
        "idle_s": lambda: (_cpu(proc, 4) + _cpu(proc, 5)) / TICKS,
        "ctxt": lambda: _stat(proc, "ctxt"),
        "forks": lambda: _stat(proc, "processes"),
        "throttled": lambda: _throttled(root),
        "clock_step_s": lambda: wall() - monotonic(),
    }
    for resource in PSI:
        probes[f"psi_{resource}_some_s"] = partial(_psi, proc, resource)
    for name in VMSTAT:
        probes[name] = partial(_vmstat, proc, name)
    for name, field, scale in (
        ("disk_read_bytes", 5, SECTOR),
        ("disk_written_bytes", 9, SECTOR),
        ("disk_busy_s", 12, 0.001),
    ):
        probes[name] = partial(_disks, proc, field, scale)
    load = gather({"load": lambda: _load(proc)}, missing)["load"]
    return Counters(gather(probes, missing), load, missing)


def between(before: Counters, after: Counters) -> dict[str, Any]:
    """A block's noise: each counter's growth, None where it is absent on either side; ``missing`` says why."""
    noise: dict[str, Any] = {}
    for name, end in after.values.items():
        start = before.values.get(name)
        noise[name] = None if start is None or end is None else round(end - start, 6)
    noise["loadavg"] = {"before": before.load, "after": after.load}
    missing = {**before.missing, **after.missing}
    return {**noise, "missing": missing} if missing else noise


def _cpu(proc: Path, field: int) -> int:
    return int(text(proc / "stat").splitlines()[0].split()[field])


def _stat(proc: Path, name: str) -> int:
    return int(entry(table(proc / "stat", " "), name, proc / "stat"))


def _load(proc: Path) -> tuple[float, float, float]:
    one, five, fifteen = (float(word) for word in text(proc / "loadavg").split()[:3])
    return one, five, fifteen


def _psi(proc: Path, resource: str) -> float:
    path = proc / "pressure" / resource
    for line in text(path).splitlines():
        kind, *fields = line.split()
        if kind == "some":
            return int(fields[-1].removeprefix("total=")) / 1e6
    raise Absent(f"{path} has no line `some`")


def _throttled(root: Path) -> int:
    cpus = root / "sys/devices/system/cpu"
    counts = [number(path) for path in sorted(cpus.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))]
    if not counts:
        raise Absent(f"{cpus}: no CPU counts its thermal throttling")
    return sum(counts)


def _vmstat(proc: Path, name: str) -> int:
    return int(entry(table(proc / "vmstat", " "), name, proc / "vmstat"))


def _disks(proc: Path, field: int, scale: float) -> float:
    rows = [line.split() for line in text(proc / "diskstats").splitlines()]
    disks = [
        row for row in rows if len(row) > 12 and row[2].startswith(WHOLE_DISKS) and not _partition(row[2])
    ]
    if not disks:
        raise Absent(f"{proc / 'diskstats'} lists no disk")
    return sum(int(row[field]) for row in disks) * scale


def _partition(name: str) -> bool:
    """sda1, nvme0n1p2: part of a disk that is listed itself."""
    if name.startswith(("nvme", "mmcblk")):
        return "p" in name.removeprefix("nvme").removeprefix("mmcblk")
    return name[-1].isdigit()
