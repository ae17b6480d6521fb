# SPDX-License-Identifier: Apache-2.0
"""A host's facts, from made-up files and from this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from remote_agent.host import capabilities, facts

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
lo\t0000007F\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
far\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
near\t00000000\t0100007F\t0003\t0\t0\t100\t00000000\t0\t0\t0
"""
CPU = "processor\t: {0}\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nphysical id\t: {1}\ncpu cores\t: 2\n\n"


def write(root: Path, **files: str) -> str:
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return str(root)


def test_debian_s_point_release_is_ansible_s_version(tmp_path: Path) -> None:
    release = (
        'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n'
    )
    root = write(tmp_path, **{"etc__os-release": release, "etc__debian_version": "13.8\n"})
    assert facts.distribution(root) == {
        "distribution": "Debian",
        "distribution_version": "13.8",
        "distribution_major_version": "13",
        "distribution_minor_version": "8",
        "distribution_release": "trixie",
        "os_family": "Debian",
    }


def test_ubuntu_keeps_its_own_version(tmp_path: Path) -> None:
    release = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
    found = facts.distribution(
        write(tmp_path, **{"etc__os-release": release, "etc__debian_version": "trixie/sid\n"})
    )
    assert (found["distribution_version"], found["os_family"]) == ("24.04", "Debian")


def test_a_host_that_tells_nothing_has_none(tmp_path: Path) -> None:
    assert facts.distribution(str(tmp_path))["distribution"] is None
    assert facts.default_ipv4("") == {}
    assert capabilities.cgroup(str(tmp_path)) == {"version": None, "controllers": [], "writable": False}


def test_processors_are_listed_as_ansible_does() -> None:
    text = "".join(CPU.format(number, number // 2) for number in range(4))
    found = facts.processors(text.splitlines())
    assert found["processor"][:6] == ["0", "AuthenticAMD", "AMD EPYC", "1", "AuthenticAMD", "AMD EPYC"]
    assert (found["processor_count"], found["processor_cores"], found["processor_vcpus"]) == (2, 2, 4)
    assert found["processor_threads_per_core"] == 1


def test_the_default_route_of_the_lowest_metric() -> None:
    assert facts.default_ipv4(ROUTES) == {"interface": "near", "gateway": "127.0.0.1", "address": "127.0.0.1"}


@pytest.mark.parametrize(
    ("tool", "kind"),
    [("systemd-nspawn", "container"), ("podman", "podman"), ("lxc", "lxc"), ("docker", "docker")],
)
def test_containers(tmp_path: Path, tool: str, kind: str) -> None:
    found = facts.virtualization(write(tmp_path, proc__1__environ=f"PATH=/bin\0container={tool}\0"))
    assert (found["virtualization_type"], found["virtualization_role"]) == (kind, "guest")
    assert set(found["virtualization_tech_guest"]) == {"container", tool}


def test_machines_virtual_and_real(tmp_path: Path) -> None:
    root = write(tmp_path, sys__devices__virtual__dmi__id__sys_vendor="QEMU\n")
    assert facts.virtualization(root)["virtualization_type"] == "kvm"
    assert facts.virtualization(write(tmp_path / "real"))["virtualization_type"] == "NA"
    host = write(tmp_path / "host", proc__modules="kvm_amd 1 0 - Live\nkvm 1 1 kvm_amd, Live\n")
    assert facts.virtualization(host)["virtualization_role"] == "host"


V1 = "cgroup /sys/fs/cgroup/{0} cgroup rw,nosuid,{0} 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "version", "controllers"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", 2, ["cpu", "memory"]),
        (V1.format("cpu") + V1.format("memory"), 1, ["cpu", "memory"]),
        (V1.format("cpu") + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", "hybrid", ["cpu"]),
    ],
)
def test_cgroups(tmp_path: Path, mounts: str, version: object, controllers: list[str]) -> None:
    files = {"proc__self__mounts": mounts, "proc__cgroups": "#subsys\ncpu 1 1 1\nmemory 2 1 1\npids 3 1 1\n"}
    root = write(tmp_path, **files, **{"sys__fs__cgroup__cgroup.controllers": "memory cpu\n"})
    for name in controllers:
        (tmp_path / "sys/fs/cgroup" / name).mkdir(exist_ok=True)
    assert capabilities.cgroup(root) == {"version": version, "controllers": controllers, "writable": True}


def test_a_controller_that_is_not_mounted_for_writing(tmp_path: Path) -> None:
    root = write(tmp_path, proc__self__mounts=V1.format("cpu"), proc__cgroups="#\ncpu 1 1 1\n")
    assert capabilities.cgroup(root)["writable"] is False


def test_overlayfs_in_the_kernel_or_as_a_module(tmp_path: Path) -> None:
    assert not capabilities.overlayfs(write(tmp_path, proc__filesystems="nodev\tproc\n\text4\n"), "6.1")
    module = {"lib__modules__6.1__modules.dep": "kernel/fs/overlayfs/overlay.ko.xz:\n"}
    assert capabilities.overlayfs(write(tmp_path, **module), "6.1")
    assert capabilities.overlayfs(write(tmp_path / "b", proc__filesystems="nodev\toverlay\n"), "6.1")


def test_the_oom_score_is_only_tried_in_a_child() -> None:
    before = Path("/proc/self/oom_score_adj").read_text()
    assert isinstance(capabilities.may_lower_oom_score(), bool)
    assert Path("/proc/self/oom_score_adj").read_text() == before


def test_this_machine() -> None:
    found = facts.gather(environ={"HOME": "/x", "SECRET_TOKEN": "y"})
    assert found["kernel"] == platform.release() and found["env"] == {"HOME": "/x"}
    assert found["python_version"] == platform.python_version()
    assert found["memtotal_mb"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    assert found["labctl"]["python"]["tag"] == f"cp{''.join(platform.python_version_tuple()[:2])}"
    assert (
        " ".join(platform.libc_ver())
        == f"{found['labctl']['libc']['name']} {found['labctl']['libc']['version']}"
    )
    assert found["labctl"]["machine_id"] not in Path("/etc/machine-id").read_text()
