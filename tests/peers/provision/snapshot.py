# SPDX-License-Identifier: Apache-2.0
"""What a host is like, as one JSON object: piped to its python3 over SSH. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys

ROOTS = ("/etc", "/srv", "/opt", "/root", "/home", "/usr/local", "/var/lib", "/var/spool", "/run/labctl")
NOISE = re.compile(
    r"/root/\.ansible(/|$)"  # where Ansible puts its modules
    r"|/root/\.(cache|ssh)(/|$)"
    r"|/etc/(hostname|hosts|machine-id|ld\.so\.cache|mtab|resolv\.conf|\.updated|\.pwd\.lock|adjtime)$"
    r"|/etc/(passwd|shadow|group|gshadow|subuid|subgid)-?$"  # read one by one
    r"|/etc/ssh/"
    r"|/var/lib/(systemd|apt|dpkg|logrotate|dbus|private|polkit-1|chrony|ucf|pam|python|dhcpcd)(/|$)"
    r"|/var/lib/(containerd|containers|crio|cni|kubelet|registry)/"
    r"|/var/lib/\.updated$"
)
PASSING = re.compile(
    r"@|^(user-|session-|run-|systemd-|apt-|dpkg-|man-db|e2scrub|emergency|rescue|fstrim|logrotate|modprobe|motd)"
)
"""Units that come and go by themselves."""
BACKUP = re.compile(r"\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~$")
"""The end of the name of what `backup: true` keeps."""


def files() -> dict[str, str]:
    """Each path's kind, mode, owner, and its content's checksum or a link's target."""
    found: dict[str, str] = {}
    for root in ROOTS:
        if os.path.lexists(root):
            found.update(_below(root))
    return found


def _below(root: str) -> dict[str, str]:
    found = {root: _described(root)}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not NOISE.match(os.path.join(folder, name))]
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*(name for name in folders if name not in links), *links, *names):
            path = os.path.join(folder, name)
            if not NOISE.match(path):
                found[BACKUP.sub(".BACKUP~", path)] = _described(path)
    return found


def _described(path: str) -> str:
    try:
        seen = os.lstat(path)
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}.get(
            stat.S_IFMT(seen.st_mode), "other"
        )
        words = [kind, f"{stat.S_IMODE(seen.st_mode):04o}", str(seen.st_uid), str(seen.st_gid)]
        if kind == "file":
            with open(path, "rb") as stream:
                words += [
                    str(seen.st_size),
                    f"links={seen.st_nlink}",
                    hashlib.sha256(stream.read()).hexdigest()[:16],
                ]
        elif kind == "link":
            words.append(os.readlink(path))
    except FileNotFoundError:
        return "gone"
    return " ".join(words)


def accounts() -> dict[str, str]:
    """The lines of the account files; of a password only whether there is one, of its date nothing."""
    found = {}
    for name in ("passwd", "group", "gshadow", "subuid", "subgid", "shadow"):
        try:
            with open(f"/etc/{name}") as stream:
                lines = stream.read().splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split(":")
            if name == "shadow":
                fields[1] = re.sub(r"\$.*", "$", fields[1])
                fields[2] = ""
            found[f"{name}:{fields[0]}"] = ":".join(fields)
    return found


def packages() -> dict[str, str]:
    said = _said("dpkg-query", "-W", "-f", "${Package}:${Architecture} ${Version} ${db:Status-Abbrev}\n")
    found = dict(line.split(" ", 1) for line in said.splitlines())
    manual = _said("apt-mark", "showmanual").split()
    return {
        **{f"package:{name}": text for name, text in found.items()},
        **{f"manual:{name}": "yes" for name in manual},
    }


def units() -> dict[str, str]:
    """Which services, sockets and timers are enabled, and which are active."""
    found: dict[str, str] = {}
    for line in _said("systemctl", "list-unit-files", "--no-legend", "--plain", "--no-pager").splitlines():
        words = line.split()
        if words[0].rsplit(".", 1)[-1] in ("service", "socket", "timer", "path", "mount"):
            found[f"unit-file:{words[0]}"] = words[1]
    for line in _said(
        "systemctl", "list-units", "--no-legend", "--plain", "--no-pager", "--all"
    ).splitlines():
        words = line.split()
        if words[0].endswith((".service", ".socket")) and not PASSING.search(words[0]):
            found[f"unit:{words[0]}"] = words[2]
    return found


def sysctls() -> dict[str, str]:
    found = {}
    for line in _said("sysctl", "-a").splitlines():
        name, _, value = line.partition(" = ")
        if name.startswith(
            ("net.ipv4.ip_forward", "net.bridge.", "net.ipv4.conf.all.", "vm.", "kernel.pid_max", "net.core.")
        ):
            found[f"sysctl:{name}"] = value
    return found


def _said(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stdout
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    json.dump({**files(), **accounts(), **packages(), **units(), **sysctls()}, sys.stdout)
