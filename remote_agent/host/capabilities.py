# SPDX-License-Identifier: Apache-2.0
"""What a host can do, as far as a runtime lab must know it: the facts under ``labctl``."""

from __future__ import annotations

import os
import sys

from remote_agent.contract.digests import new_digest
from remote_agent.host import kernel
from remote_agent.host.installed import installed
from remote_agent.host.kvm import kvm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CGROUP = "sys/fs/cgroup"


def capabilities(root: str = "/") -> dict[str, Any]:
    """Every key is always there; None is "cannot be told here"."""
    return {
        "cgroup": cgroup(root),
        "cap_sys_resource": may_lower_oom_score(),
        "overlayfs": overlayfs(root, os.uname().release),
        "container": container_tool(root),
        "libc": libc(root),
        "python": python_tags(),
        "kvm": kvm(os.path.join(root, "dev/kvm"), memory=os.path.join(root, "run/labctl-kvm")),
        "modules": kernel.modules(root, os.uname().release),
        "user_namespaces": kernel.user_namespaces(root),
        "seccomp": kernel.seccomp(root),
        "free_mb": kernel.room(root),
        "services": kernel.services(root),
        "noise": kernel.noise(root),
        **installed(root),
        "boot_id": read_text(root, "proc/sys/kernel/random/boot_id").strip() or None,
        "machine_id": _hashed(read_text(root, "etc/machine-id").strip()),
    }


def read_text(root: str, name: str) -> str:
    """The file's text, or "" where it cannot be read."""
    try:
        with open(os.path.join(root, name), encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def container_tool(root: str) -> str | None:
    """What made the container that this is ("systemd-nspawn", "docker", ...), or None outside of one."""
    variables = read_text(root, "proc/1/environ").split("\0")
    named = next((text.partition("=")[2] for text in variables if text.startswith("container=")), "")
    named = named or read_text(root, "run/systemd/container").strip()
    if not named and os.path.exists(os.path.join(root, ".dockerenv")):
        named = "docker"
    return named or None


def cgroup(root: str) -> dict[str, Any]:
    """``version`` is 1, 2, "hybrid" (version 1 controllers, and a version 2 tree without any beside them), or None.

    ``writable``: whether groups may be made below every controller.
    """
    mounted = [line.split() for line in read_text(root, "proc/self/mounts").splitlines()]
    trees = {words[1]: words for words in mounted if len(words) > 3 and words[2] in ("cgroup", "cgroup2")}
    unified = [place for place, words in trees.items() if words[2] == "cgroup2"]
    legacy = {place: words[3].split(",") for place, words in trees.items() if words[2] == "cgroup"}
    known = {line.split()[0] for line in read_text(root, "proc/cgroups").splitlines()[1:]}
    if not trees:
        return {"version": None, "controllers": [], "writable": False}
    if not legacy:
        controllers = read_text(root, f"{unified[0].lstrip('/')}/cgroup.controllers").split()
        return {"version": 2, "controllers": sorted(controllers), "writable": _writable(root, unified)}
    controllers = sorted({option for options in legacy.values() for option in options} & known)
    with_controllers = [place for place, options in legacy.items() if known.intersection(options)]
    version = "hybrid" if unified else 1
    return {"version": version, "controllers": controllers, "writable": _writable(root, with_controllers)}


def _writable(root: str, places: list[str]) -> bool:
    return bool(places) and all(os.access(os.path.join(root, place.lstrip("/")), os.W_OK) for place in places)


def may_lower_oom_score() -> bool:
    """Whether a process here may protect itself from the OOM killer, as runtimes do for their shims (CAP_SYS_RESOURCE).

    Holding the capability proves nothing in a nested container, so a child of our own really tries. `echo` fails where the
    write does; writing is the kernel's to refuse, not opening.
    """
    words = ["sh", "-c", "echo -1 2>/dev/null >/proc/self/oom_score_adj"]
    silence = [(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
    child = os.posix_spawn("/bin/sh", words, {}, file_actions=silence)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def overlayfs(root: str, kernel: str) -> bool:
    """Whether the kernel has overlayfs, or a module for it."""
    known = read_text(root, "proc/filesystems").split()
    return "overlay" in known or "/overlay.ko" in read_text(root, f"lib/modules/{kernel}/modules.dep")


def libc(root: str) -> dict[str, str | None]:
    """The C library that binary wheels must fit: glibc with its version, or musl."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (OSError, ValueError):
        name, version = "", ""
    if not name:
        entries = os.listdir(os.path.join(root, "lib"))
        name = "musl" if any(entry.startswith("ld-musl-") for entry in entries) else ""
    return {"name": name or None, "version": version or None}


def python_tags() -> dict[str, str]:
    """In the words of wheels: version "3.13.5", tag "cp313" (with "t" where it has no GIL), platform "linux_x86_64"."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}{sys.abiflags.replace('d', '')}"
    return {"version": sys.version.split()[0], "tag": tag, "platform": f"linux_{os.uname().machine}"}


def _hashed(machine_id: str) -> str | None:
    """systemd asks that the id itself is not told around."""
    if not machine_id:
        return None
    return str(new_digest("sha256", f"labctl:{machine_id}".encode()).hexdigest())[:32]
