# SPDX-License-Identifier: Apache-2.0
"""What runtimes need of a host beside its programs: kernel modules, room, and services that answer. Read, never changed."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODULES = ("overlay", "bridge", "veth")
FOLDERS = ("/var/lib", "/opt")
SERVICES = {"containerd": "/run/containerd/containerd.sock", "crio": "/run/crio/crio.sock"}
OTHERS = ("dockerd", "kubelet", "k3s", "k0s", "microk8s", "podman")
"""Programs that drive runtimes of their own, or these ones."""
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer", "man-db.timer", "fstrim.timer", "e2scrub_all.timer")
_ANSWER_S = 0.5


def modules(root: str, release: str) -> dict[str, str | None]:
    """Name -> "builtin", "loaded", "loadable", "missing", or None where the kernel does not tell (no list of modules here)."""
    folder = f"lib/modules/{release}"
    known = {name: _read(root, name) for name in ("proc/modules", "proc/filesystems")}
    loaded = {line.split(" ", 1)[0] for line in known["proc/modules"].splitlines()}
    systems = known["proc/filesystems"].split()
    listed = {kind: _read(root, f"{folder}/modules.{kind}") for kind in ("builtin", "dep")}
    config = _configuration(root)
    found: dict[str, str | None] = {}
    for name in MODULES:
        option = {"overlay": "CONFIG_OVERLAY_FS"}.get(name, f"CONFIG_{name.upper()}")
        if name in loaded:
            found[name] = "loaded"
        elif name in systems or f"/{name}.ko" in listed["builtin"] or f"\n{option}=y\n" in config:
            found[name] = "builtin"
        elif f"/{name}.ko" in listed["dep"]:
            found[name] = "loadable"
        else:
            found[name] = "missing" if listed["dep"] or config else None
    return found


def user_namespaces(root: str) -> bool | None:
    """Whether the kernel gives any; None: it does not say."""
    text = _read(root, "proc/sys/user/max_user_namespaces").strip()
    return int(text) > 0 if text.isdigit() else None


def seccomp(root: str) -> bool | None:
    """Whether programs may filter system calls; None: the kernel does not say."""
    text = _read(root, "proc/sys/kernel/seccomp/actions_avail")
    return "trap" in text.split() if text else None


def room(root: str) -> dict[str, int | None]:
    """Free MB below FOLDERS, and of ``memory`` what is available; None: not told."""
    free = {folder: _free_mb(os.path.join(root, folder.lstrip("/"))) for folder in FOLDERS}
    lines = _read(root, "proc/meminfo").splitlines()
    memory = next((int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:")), None)
    return {**free, "memory": memory}


def _free_mb(folder: str) -> int | None:
    try:
        state = os.statvfs(folder)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize // (1 << 20)


def services(root: str) -> dict[str, str]:
    """Of each CRI runtime's socket: "answers" (somebody listens), "silent" (nobody does), or "absent"."""
    return {name: _socket(os.path.join(root, path.lstrip("/"))) for name, path in SERVICES.items()}


def _socket(path: str) -> str:
    if not os.path.exists(path):
        return "absent"
    import socket  # which takes as long as all of these questions

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_S)
        try:
            probe.connect(path)
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        except OSError:
            return "silent"
    return "answers"


def noise(root: str) -> dict[str, Any]:
    """What a benchmark would feel: the CPUs' ``governor`` (None: not told), ``load`` of the last minute, ``timers`` that are
    enabled, ``others``: programs that drive containers too."""
    governor = _read(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    load = _read(root, "proc/loadavg").split()
    wants = os.path.join(root, "etc/systemd/system/timers.target.wants")
    return {
        "governor": governor or None,
        "load": float(load[0]) if load else None,
        "timers": [name for name in TIMERS if os.path.lexists(os.path.join(wants, name))],
        "others": sorted(set(OTHERS).intersection(_programs(root))),
    }


def _programs(root: str) -> set[str]:
    try:
        pids = [name for name in os.listdir(os.path.join(root, "proc")) if name.isdigit()]
    except OSError:
        return set()
    return {_read(root, f"proc/{pid}/comm").strip() for pid in pids}


def _configuration(root: str) -> str:
    """How the kernel was built, where it says so; else ""."""
    try:
        with open(os.path.join(root, "proc/config.gz"), "rb") as stream:
            packed = stream.read()
    except OSError:
        return ""
    import zlib

    try:
        return zlib.decompress(packed, wbits=31).decode("utf-8", "replace")
    except zlib.error:
        return ""


def _read(root: str, name: str) -> str:
    try:
        with open(os.path.join(root, name), encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
