# SPDX-License-Identifier: Apache-2.0
"""What is written into a host's root file system before it boots for the first time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.lab.keys import make_key, public_key
from orchestrator.lab.sources import apt_conf
from orchestrator.lab.system import System
from orchestrator.model.lab import LabHost

TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
"""They would fetch and install in the middle of a benchmark, and hold dpkg's lock when one provisions."""

OF_THE_MACHINE = (
    # The devices are the machine's, and so is their manager.
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    # Kernel modules are the machine's.
    "systemd-modules-load.service",
)
"""What a container does not start, because its machine has done so."""

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


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of root's with its text, or a link, or (``text`` None) a folder."""

    text: str | None = None
    mode: int = 0o644
    link: str | None = None


def own_files(host: LabHost, furniture: Furniture) -> dict[str, Entry]:
    """What makes a host this one, by path below its root; its host key comes beside it."""
    found = {
        "etc/hostname": Entry(f"{host.name}\n"),
        "etc/hosts": Entry(f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n::1 localhost ip6-localhost\n"),
        "etc/machine-id": Entry(f"{uuid.uuid4().hex}\n"),
        "etc/apt/sources.list.d/debian.list": Entry("".join(f"{line}\n" for line in furniture.apt_sources)),
        "root/.ssh/authorized_keys": Entry(f"{furniture.authorized_key} labctl\n", 0o600),
    }
    if furniture.apt_options:
        found["etc/apt/apt.conf.d/90labctl-acquire"] = Entry(apt_conf(furniture.apt_options), 0o600)
    return found


def furnish(root: Path, host: LabHost, furniture: Furniture, system: System) -> str:
    """Give the tree of a container its name, keys, sources; return its public host key. The tree is not in use yet."""
    files = {
        "root/.ssh": Entry(mode=0o700),
        **own_files(host, furniture),
        "etc/resolv.conf": Entry(furniture.nameservers),
        "etc/systemd/system/systemd-sysctl.service.d/labctl.conf": Entry(SYSCTL_OF_NETWORK),
        "etc/systemd/system/labctl-cgroups.service": Entry(CGROUPS_WRITABLE),
        "etc/systemd/system/sysinit.target.wants/labctl-cgroups.service": Entry(
            link="../labctl-cgroups.service"
        ),
        **masks((*TIMERS, *OF_THE_MACHINE)),
    }
    if host.port != 22:
        files["etc/ssh/sshd_config.d/labctl.conf"] = Entry(f"Port {host.port}\n")
    for name, entry in files.items():
        _put(root / name, entry)
    key = root / "etc/ssh/ssh_host_ed25519_key"
    make_key(key, host.name, system)
    return public_key(key, system)


def masks(units: Iterable[str]) -> dict[str, Entry]:
    """Links that keep systemd from ever starting ``units``."""
    return {f"etc/systemd/system/{unit}": Entry(link="/dev/null") for unit in units}


def _put(path: Path, entry: Entry) -> None:
    _make_folder(path.parent, 0o755)
    if entry.text is None and entry.link is None:
        _make_folder(path, entry.mode)
        return
    # A link would lead out of the tree, to a file of this machine.
    path.unlink(missing_ok=True)
    if entry.link is not None:
        path.symlink_to(entry.link)
    else:
        path.write_text(entry.text or "", encoding="utf-8")
        path.chmod(entry.mode)


def _make_folder(path: Path, mode: int) -> None:
    """With this very mode: services of the guest read in it, whatever the umask here."""
    if not path.is_dir():
        _make_folder(path.parent, 0o755)
        path.mkdir()
        path.chmod(mode)
