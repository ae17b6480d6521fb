# SPDX-License-Identifier: Apache-2.0
"""What is written into a host's root file system before it boots for the first time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.lab.keys import make_key, public_key
from orchestrator.lab.sources import apt_conf
from orchestrator.lab.system import System
from orchestrator.model.lab import LabHost

MASKED = (
    # Timers would fetch and install in the middle of a benchmark, and hold dpkg's lock when one provisions.
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    # The devices are the machine's, and so is their manager.
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    # Kernel modules are the machine's.
    "systemd-modules-load.service",
)

SYSCTL_OF_NETWORK = """\
# What is outside the network namespace is the machine's, and stays as it is.
[Service]
ExecStart=
ExecStart=/usr/lib/systemd/systemd-sysctl --prefix=/net
"""

CGROUPS_WRITABLE = """\
[Unit]
Description=Make the cgroup v1 controllers of this host writable
Documentation=man:systemd-nspawn(1)
DefaultDependencies=no
Before=sysinit.target
ConditionPathIsDirectory=/sys/fs/cgroup/memory

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for each in /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$each"; done'

[Install]
WantedBy=sysinit.target
"""
"""systemd-nspawn mounts v1 controllers read-only; on cgroup v2 there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Furniture:
    """``authorized_key`` is the lab's public key; ``nameservers`` is a whole resolv.conf."""

    apt_sources: tuple[str, ...]
    apt_options: Mapping[str, str]
    nameservers: str
    authorized_key: str


def furnish(root: Path, host: LabHost, furniture: Furniture, system: System) -> str:
    """Give the tree at ``root`` its name, keys, sources; return its public host key. The tree is not in use yet."""
    _put(root, "etc/hostname", f"{host.name}\n")
    _put(root, "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n::1 localhost ip6-localhost\n")
    _put(root, "etc/machine-id", f"{uuid.uuid4().hex}\n")
    _put(root, "etc/resolv.conf", furniture.nameservers)
    _put(root, "etc/apt/sources.list.d/debian.list", "".join(f"{line}\n" for line in furniture.apt_sources))
    if furniture.apt_options:
        _put(root, "etc/apt/apt.conf.d/90labctl-acquire", apt_conf(furniture.apt_options), 0o600)
    if host.port != 22:
        _put(root, "etc/ssh/sshd_config.d/labctl.conf", f"Port {host.port}\n")
    _units(root)
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    _put(root, "root/.ssh/authorized_keys", f"{furniture.authorized_key} labctl\n", 0o600)
    key = root / "etc/ssh/ssh_host_ed25519_key"
    make_key(key, host.name, system)
    return public_key(key, system)


def _units(root: Path) -> None:
    units = root / "etc/systemd/system"
    for name in MASKED:
        _link(units / name, "/dev/null")
    _put(root, "etc/systemd/system/systemd-sysctl.service.d/labctl.conf", SYSCTL_OF_NETWORK)
    _put(root, "etc/systemd/system/labctl-cgroups.service", CGROUPS_WRITABLE)
    _link(units / "sysinit.target.wants/labctl-cgroups.service", "../labctl-cgroups.service")


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _put(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # A link would lead out of the tree, to a file of this machine.
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
