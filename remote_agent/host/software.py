# SPDX-License-Identifier: Apache-2.0
"""Probes of what is installed and what may fire: packages, binaries, configurations, timers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remote_agent.host.machine import Probes
from remote_agent.host.read import Absent, command, entry, sha256, table

PACKAGES = (
    "containerd", "cri-o", "runc", "crun", "runsc", "conmon", "containernetworking-plugins", "systemd", "libc6",
    "libseccomp2", "unattended-upgrades",
)  # fmt: skip
TIMERS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "fstrim.timer",
    "man-db.timer",
    "e2scrub_all.timer",
    "dpkg-db-backup.timer",
)
BINARIES = (
    "containerd",
    "containerd-shim-runc-v2",
    "containerd-shim-runsc-v1",
    "crio",
    "conmon",
    "runc",
    "crun",
    "runsc",
)
CONFIGS = (
    "etc/containerd/config.toml",
    "etc/cni/labctl.d/*",
    "etc/cni/net.d/*",
    "etc/crio/crio.conf",
    "etc/crio/crio.conf.d/*",
    "etc/containers/*.conf",
    "etc/containers/*.json",
    "etc/crio/policy.json",
    "etc/crio/registries.conf",
    "etc/crictl*.yaml",
    "etc/labctl/runsc/*.toml",
    "etc/systemd/system/containerd.service",
    "etc/systemd/system/crio.service",
)
ADAPTERS = "opt/labctl/adapters"


def system(root: Path) -> Probes:
    release = root / "etc/os-release"
    return {
        "name": lambda: entry(table(release, "="), "PRETTY_NAME", release).strip('"'),
        "packages": packages,
        "timers": timers,
        "configs": lambda: configs(root),
    }


def packages() -> dict[str, str]:
    """Installed ones of PACKAGES, with their versions."""
    lines = command(
        ("dpkg-query", "-W", "-f=${Package} ${Version} ${db:Status-Status}\n", *PACKAGES), ok=(0, 1)
    )
    rows = [line.split(" ") for line in lines.splitlines()]
    return {row[0]: row[1] for row in rows if row[-1] == "installed"}


def timers() -> dict[str, str]:
    """``active``, ``inactive`` or ``unknown``, of the timers that are known to disturb."""
    states = command(("systemctl", "is-active", *TIMERS), ok=(0, 3, 4)).splitlines()
    return dict(zip(TIMERS, states, strict=False))


def adapters(root: Path) -> dict[str, str]:
    """SHA-256 of each program that stands in for a real one on this host, by its name; {} where it lacks nothing."""
    return {path.name: sha256(path) for path in sorted((root / ADAPTERS).glob("*")) if path.is_file()}


def configs(root: Path) -> dict[str, str]:
    """SHA-256 of each configuration file of the runtimes' and of CNI."""
    paths = [path for pattern in CONFIGS for path in sorted(root.glob(pattern)) if path.is_file()]
    if not paths:
        raise Absent("no runtime has a configuration file here")
    return {f"/{path.relative_to(root)}": sha256(path) for path in paths}


def binaries(extra: Sequence[str] = ()) -> dict[str, Any]:
    """Path, version and SHA-256 of the runtimes' binaries that are here; ``extra`` are names or paths beside the usual ones."""
    found: dict[str, Any] = {}
    for name in (*BINARIES, *extra):
        if path := shutil.which(name):
            found.setdefault(path, {"version": _version(path), "sha256": sha256(Path(path))})
    if not found:
        raise Absent("no runtime's binary is on the PATH")
    return found


def _version(path: str) -> str | None:
    """The first line of ``--version``; a shim asks for ``-v``. None where it tells none."""
    flag = "-v" if "shim" in path else "--version"
    try:
        lines = [line.strip() for line in command((path, flag)).splitlines() if line.strip()]
    except Absent:
        return None
    versions = [line for line in lines if "ersion" in line]
    return next(iter(versions or lines), None)
