# SPDX-License-Identifier: Apache-2.0
"""Probes of hardware and kernel: what STATISTICS.md asks a report to know of a host. Each raises Absent where it is not told."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from remote_agent.host.read import Absent, command, entry, number, table, text

Probes = Mapping[str, Callable[[], Any]]
UNSET = ("03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009")
"""UUIDs that are on many boards, because their firmware's template has them."""


def cpu(root: Path) -> Probes:
    info, system = root / "proc/cpuinfo", root / "sys/devices/system/cpu"
    return {
        "model": lambda: entry(table(info, ":"), "model name", info),
        "microcode": lambda: entry(table(info, ":"), "microcode", info),
        "count": lambda: sum(line.startswith("processor") for line in text(info).splitlines()),
        "governor": lambda: _every(system, "cpufreq/scaling_governor"),
        "driver": lambda: _every(system, "cpufreq/scaling_driver"),
        "min_khz": lambda: _every(system, "cpufreq/scaling_min_freq"),
        "max_khz": lambda: _every(system, "cpufreq/scaling_max_freq"),
        "turbo": lambda: _turbo(system),
        "smt": lambda: number(system / "smt/active") == 1,
        "vulnerabilities": lambda: _vulnerabilities(system / "vulnerabilities"),
        "isolated": lambda: text(system / "isolated"),
        "nohz_full": lambda: text(system / "nohz_full"),
        "numa_nodes": lambda: text(root / "sys/devices/system/node/online"),
    }


def kernel(root: Path) -> Probes:
    system = root / "proc/sys"
    return {
        "release": lambda: text(system / "kernel/osrelease"),
        "version": lambda: text(system / "kernel/version"),
        "architecture": lambda: os.uname().machine,
        # What stands behind "--" is not the kernel's: it goes to init as arguments (admin-guide/kernel-parameters).
        "cmdline": lambda: text(root / "proc/cmdline").partition(" -- ")[0],
        "aslr": lambda: number(system / "kernel/randomize_va_space"),
        "numa_balancing": lambda: number(system / "kernel/numa_balancing"),
        "bpf_jit_enable": lambda: number(system / "net/core/bpf_jit_enable"),
        "bpf_jit_harden": lambda: number(system / "net/core/bpf_jit_harden"),
        "security_modules": lambda: text(root / "sys/kernel/security/lsm"),
        "clocksource": lambda: text(root / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "boot_id": lambda: text(system / "kernel/random/boot_id"),
        "boot_time": lambda: int(entry(table(root / "proc/stat", " "), "btime", root / "proc/stat")),
    }


def identity(root: Path) -> Probes:
    """Which installation, on which hardware: so that two controllers' hosts of one name are told apart.

    Hashed, as machine-id(5) asks whoever lets the id leave its host. A container has its machine's hardware.
    """
    return {
        "installation": lambda: _hashed(text(root / "etc/machine-id")),
        "hardware": lambda: _hashed(_uuid(root / "sys/class/dmi/id/product_uuid")),
    }


def memory(root: Path) -> Probes:
    info, pages = root / "proc/meminfo", root / "sys/kernel/mm/transparent_hugepage"
    return {
        "total_kb": lambda: int(entry(table(info, ":"), "MemTotal", info).split()[0]),
        "available_kb": lambda: int(entry(table(info, ":"), "MemAvailable", info).split()[0]),
        "swap_total_kb": lambda: int(entry(table(info, ":"), "SwapTotal", info).split()[0]),
        "swappiness": lambda: number(root / "proc/sys/vm/swappiness"),
        "overcommit": lambda: number(root / "proc/sys/vm/overcommit_memory"),
        "huge_pages": lambda: _chosen(text(pages / "enabled")),
        "huge_pages_defrag": lambda: _chosen(text(pages / "defrag")),
    }


def cgroup(root: Path) -> Probes:
    mount = root / "sys/fs/cgroup"
    return {"version": lambda: _cgroup_version(mount), "controllers": lambda: _controllers(root, mount)}


def virtualisation(root: Path) -> Probes:
    return {
        # it prints `none` and exits 1 on bare metal
        "kind": lambda: command(("systemd-detect-virt",), ok=(0, 1)),
        "product": lambda: text(root / "sys/class/dmi/id/product_name"),
        "vendor": lambda: text(root / "sys/class/dmi/id/sys_vendor"),
        "kvm": (root / "dev/kvm").exists,
    }


def storage(root: Path) -> Probes:
    """Disks, and where the runtimes keep their layers."""
    blocks = root / "sys/block"
    return {
        "disks": lambda: _disks(blocks),
        "containerd": lambda: _file_system(root, "/var/lib/containerd"),
        "cri_o": lambda: _file_system(root, "/var/lib/crio"),
    }


def _hashed(value: str) -> str:
    """Sixteen bytes that say whether two values are one, and not what they are."""
    import hashlib  # a waiting agent does without
    import hmac

    if not value:
        raise Absent("it is empty")
    return hmac.new(b"labctl identity", value.encode(), hashlib.sha256).hexdigest()[:32]


def _uuid(path: Path) -> str:
    """The hardware's own; many boards share one that their maker did not set."""
    value = text(path).lower()
    if len(set(value) - {"-"}) < 3 or value in UNSET or "-" not in value:
        raise Absent(f"{path}: the maker left it unset ({value[:40]})")
    return value


def _every(system: Path, name: str) -> str:
    """The one value that all CPUs have, or all values, sorted."""
    values = {text(path) for path in system.glob(f"cpu[0-9]*/{name}")}
    if not values:
        raise Absent(f"{system}/cpu*/{name}: no such file")
    return ", ".join(sorted(values))


def _turbo(system: Path) -> bool:
    if (system / "intel_pstate/no_turbo").exists():
        return number(system / "intel_pstate/no_turbo") == 0
    return number(system / "cpufreq/boost") == 1


def _vulnerabilities(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise Absent(f"{folder}: no such folder")
    return {path.name: text(path) for path in sorted(folder.iterdir())}


def _chosen(line: str) -> str:
    """``always [madvise] never`` -> ``madvise``."""
    return line.partition("[")[2].partition("]")[0] or line


def _cgroup_version(mount: Path) -> str:
    if (mount / "cgroup.controllers").exists():
        return "2"
    if (mount / "unified").is_dir():
        return "1, hybrid"
    if (mount / "memory").is_dir():
        return "1"
    raise Absent(f"{mount}: no control groups are mounted")


def _controllers(root: Path, mount: Path) -> list[str]:
    if (mount / "cgroup.controllers").exists():
        return sorted(text(mount / "cgroup.controllers").split())
    rows = [line.split() for line in text(root / "proc/cgroups").splitlines() if not line.startswith("#")]
    return sorted(row[0] for row in rows if (mount / row[0]).is_dir())


def _disks(blocks: Path) -> dict[str, dict[str, Any]]:
    if not blocks.is_dir():
        raise Absent(f"{blocks}: no such folder")
    disks = [path for path in sorted(blocks.iterdir()) if not path.name.startswith(("loop", "ram", "zram"))]
    return {
        path.name: {
            "rotational": number(path / "queue/rotational") == 1,
            "scheduler": _chosen(text(path / "queue/scheduler")),
        }
        for path in disks
    }


def _file_system(root: Path, folder: str) -> dict[str, Any]:
    """The mount that ``folder`` lies on: the longest mount point that it begins with."""
    if not (root / folder.lstrip("/")).is_dir():
        raise Absent(f"{folder}: no such folder")
    best: list[str] = []
    for line in text(root / "proc/self/mountinfo").splitlines():
        fields = line.split()
        point = fields[4].rstrip("/")
        if f"{folder}/".startswith(f"{point}/") and (not best or len(point) >= len(best[4].rstrip("/"))):
            best = fields
    if not best:
        raise Absent(f"{folder} lies on no mount")
    kind, source, *_ = best[best.index("-") + 1 :]
    state = os.statvfs(root / folder.lstrip("/"))
    return {"type": kind, "source": source, "options": best[5], "free_bytes": state.f_bavail * state.f_frsize}
