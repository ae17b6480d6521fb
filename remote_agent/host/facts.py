# SPDX-License-Identifier: Apache-2.0
"""A host's facts under Ansible's names (without ``ansible_``), and what only labctl asks about under ``labctl``.

Read from /proc, /sys and /etc in a few milliseconds. The controller waits for this before it can plan anything, so imports
are few and late. What a host does not tell is missing from the facts, or None where the key is always there.
"""

from __future__ import annotations

import os
import sys
import time

from remote_agent.host.capabilities import capabilities, container_tool, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "PWD", "SHELL", "SUDO_USER", "TMPDIR", "USER")
"""Variables that ``env`` holds; the others are nobody's business."""

_FAMILY_NAMES = {
    "debian": "Debian",
    "ubuntu": "Debian",
    "rhel": "RedHat",
    "fedora": "RedHat",
    "suse": "Suse",
    "arch": "Archlinux",
}
_DISTRIBUTIONS = {
    "debian": "Debian",
    "ubuntu": "Ubuntu",
    "fedora": "Fedora",
    "alpine": "Alpine",
    "arch": "Archlinux",
}
_VIRTUAL_VENDORS = {
    "QEMU": "kvm",
    "Amazon EC2": "kvm",
    "DigitalOcean": "kvm",
    "Google": "kvm",
    "Scaleway": "kvm",
    "Nutanix": "kvm",
    "Microsoft Corporation": "VirtualPC",
    "KubeVirt": "KubeVirt",
    "OpenStack Foundation": "openstack",
}


def gather(root: str = "/", environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """All facts. ``root`` stands for / where the files are read from."""
    return {
        **distribution(root),
        **_system(),
        **processors(read_text(root, "proc/cpuinfo").splitlines()),
        **_memory(read_text(root, "proc/meminfo")),
        **virtualization(root),
        "service_mgr": service_manager(root),
        "default_ipv4": default_ipv4(read_text(root, "proc/net/route")),
        "date_time": _date_time(),
        "env": {name: environ[name] for name in ENVIRONMENT if name in environ},
        "labctl": capabilities(root),
    }


def distribution(root: str) -> dict[str, Any]:
    """From os-release and debian_version: Ansible's distribution_version is the point release ("13.8")."""
    release = os_release(read_text(root, "etc/os-release") or read_text(root, "usr/lib/os-release"))
    name = release.get("ID", "")
    version = release.get("VERSION_ID", "")
    point = read_text(root, "etc/debian_version").strip()
    best = point if name == "debian" and point[:1].isdigit() else version
    major, _, minor = best.partition(".")
    return {
        "distribution": _DISTRIBUTIONS.get(name, name.capitalize() or None),
        "distribution_version": best or None,
        "distribution_major_version": major or None,
        "distribution_minor_version": minor or None,
        "distribution_release": release.get("VERSION_CODENAME") or None,
        "os_family": _family(name, release.get("ID_LIKE", "").split()),
    }


def os_release(text: str) -> dict[str, str]:
    """Name -> value, quotes taken off."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value.strip().strip("\"'") for name, _, value in pairs}


def _family(name: str, like: list[str]) -> str | None:
    return next(
        (_FAMILY_NAMES[word] for word in (name, *like) if word in _FAMILY_NAMES), name.capitalize() or None
    )


_VERSION = ("major", "minor", "micro", "releaselevel", "serial")


def _system() -> dict[str, Any]:
    import pwd

    name = os.uname()
    uid = os.geteuid()
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        account = pwd.struct_passwd((str(uid), "", uid, os.getegid(), "", None, None))
    return {
        "system": name.sysname,
        "kernel": name.release,
        "kernel_version": name.version,
        "architecture": name.machine,
        "machine": name.machine,
        "hostname": name.nodename.partition(".")[0],
        "nodename": name.nodename,
        "fqdn": name.nodename,
        "user_id": account.pw_name,
        "user_uid": uid,
        "user_gid": account.pw_gid,
        "user_gecos": account.pw_gecos,
        "user_dir": account.pw_dir,
        "user_shell": account.pw_shell,
        "python_version": sys.version.split()[0],
        "python": {
            "executable": sys.executable,
            "version": dict(zip(_VERSION, sys.version_info, strict=True)),
            "version_info": list(sys.version_info),
        },
        "pkg_mgr": "apt" if os.path.exists("/usr/bin/apt-get") else None,
    }


def processors(lines: Iterable[str]) -> dict[str, Any]:
    """Ansible's list (number, vendor, model of each processor in turn) and counts, from /proc/cpuinfo."""
    listed: list[str] = []
    sockets: set[str] = set()
    count, cores = 0, 1
    for line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in ("processor", "vendor_id", "model name"):
            listed.append(value)
            count += key == "processor"
        elif key == "physical id":
            sockets.add(value)
        elif key == "cpu cores":
            cores = int(value)
    nproc = len(os.sched_getaffinity(0))
    in_all = max(1, len(sockets)) * cores
    return {
        "processor": listed,
        "processor_count": len(sockets) or count or nproc,
        "processor_cores": cores,
        "processor_threads_per_core": max(1, count // in_all),
        "processor_vcpus": count or nproc,
        "processor_nproc": nproc,
    }


def _memory(meminfo: str) -> dict[str, Any]:
    values = {line.partition(":")[0]: line.split()[1] for line in meminfo.splitlines() if ":" in line}
    facts = {
        "memtotal_mb": "MemTotal",
        "memfree_mb": "MemFree",
        "swaptotal_mb": "SwapTotal",
        "swapfree_mb": "SwapFree",
    }
    return {fact: int(values[key]) // 1024 if key in values else None for fact, key in facts.items()}


def virtualization(root: str) -> dict[str, Any]:
    """Ansible's words: "container" for what says so itself (the tool's name is among the guest techs), else the hypervisor."""
    tool = container_tool(root)
    if tool is not None:
        kind = tool if tool in ("lxc", "podman", "docker") else "container"
        return {
            "virtualization_type": kind,
            "virtualization_role": "guest",
            "virtualization_tech_guest": sorted({"container", tool}),
        }
    product = read_text(root, "sys/devices/virtual/dmi/id/product_name").strip()
    vendor = read_text(root, "sys/devices/virtual/dmi/id/sys_vendor").strip()
    hypervisor = _VIRTUAL_VENDORS.get(vendor) or ("VMware" if product.startswith("VMware") else None)
    if hypervisor is None and (
        product in ("KVM", "Bochs") or "QEMU Virtual CPU" in read_text(root, "proc/cpuinfo")
    ):
        hypervisor = "kvm"
    if hypervisor is not None:
        return {
            "virtualization_type": hypervisor,
            "virtualization_role": "guest",
            "virtualization_tech_guest": [hypervisor],
        }
    role = "host" if "\nkvm " in f"\n{read_text(root, 'proc/modules')}" else "NA"
    kind = "kvm" if role == "host" else "NA"
    return {"virtualization_type": kind, "virtualization_role": role, "virtualization_tech_guest": []}


def service_manager(root: str) -> str:
    """What PID 1 is; "service" where that says nothing."""
    if os.path.isdir(os.path.join(root, "run/systemd/system")):
        return "systemd"
    first = read_text(root, "proc/1/comm").strip()
    return first if first and first != "init" and not first.endswith("sh") else "service"


def default_ipv4(routes: str) -> dict[str, Any]:
    """Interface, gateway and own address of the default route with the lowest metric; empty without one."""
    found = None
    for line in routes.splitlines()[1:]:
        words = line.split()
        if (
            len(words) > 7
            and words[1] == words[7] == "00000000"
            and (found is None or int(words[6]) < int(found[6]))
        ):
            found = words
    if found is None:
        return {}
    gateway = ".".join(str(byte) for byte in bytes.fromhex(found[2])[:: 1 if sys.byteorder == "big" else -1])
    facts = {"interface": found[0], "gateway": gateway}
    address = _own_address(gateway)
    return {**facts, "address": address} if address else facts


def _own_address(towards: str) -> str | None:
    """The address that the kernel would send from; nothing is sent."""
    import _socket  # what socket is made of: socket itself imports enumerations and selectors for a tenth of a runner's life

    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        probe.connect((towards, 9))
        return str(probe.getsockname()[0])
    except OSError:
        return None
    finally:
        probe.close()


def _date_time() -> dict[str, str]:
    now = time.time()
    utc = time.gmtime(now)
    return {
        "epoch": str(int(now)),
        "iso8601": time.strftime("%Y-%m-%dT%H:%M:%SZ", utc),
        "date": time.strftime("%Y-%m-%d", time.localtime(now)),
        "time": time.strftime("%H:%M:%S", time.localtime(now)),
        "tz": time.strftime("%Z", time.localtime(now)),
    }
