# SPDX-License-Identifier: Apache-2.0
"""Control groups of version 1 and 2 read alike; what is absent is Absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from remote_agent.host import cgroups
from remote_agent.host.read import Absent


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    """A hybrid host: controllers on version 1, joined or not, and version 2 without any."""
    mount = tmp_path / "sys/fs/cgroup"
    for folder, name, content in (
        ("cpu,cpuacct", "cpuacct.usage", "123\n"),
        ("cpu,cpuacct", "cpu.stat", "nr_periods 4\nnr_throttled 2\nthrottled_time 77\n"),
        ("cpu,cpuacct", "cpu.cfs_quota_us", "-1\n"),
        ("cpu,cpuacct", "cpu.cfs_period_us", "100000\n"),
        ("memory", "memory.usage_in_bytes", "4096\n"),
        ("memory", "memory.limit_in_bytes", "9223372036854771712\n"),
        ("pids", "pids.max", "max\n"),
    ):
        _write(mount / folder / "labctl/m1/c1" / name, content)
    (mount / "unified").mkdir()
    lines = ("4:cpu,cpuacct:/labctl/m1/c1", "3:memory:/labctl/m1/c1", "2:pids:/labctl/m1/c1",
             "1:name=systemd:/system.slice/x.service", "0::/system.slice/x.service")  # fmt: skip
    _write(tmp_path / "proc/7/cgroup", "\n".join(lines))
    return tmp_path


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    mount = tmp_path / "sys/fs/cgroup"
    _write(mount / "cgroup.controllers", "cpu memory pids\n")
    for name, content in (
        ("cpu.stat", "usage_usec 12\nthrottled_usec 3\n"),
        ("cpu.max", "20000 100000\n"),
        ("memory.current", "8192\n"),
        ("memory.max", "max\n"),
        ("pids.max", "9\n"),
    ):
        _write(mount / "labctl.slice/labctl-m1.slice/cri-c1.scope" / name, content)
    _write(tmp_path / "proc/7/cgroup", "0::/labctl.slice/labctl-m1.slice/cri-c1.scope\n")
    return tmp_path


def test_version_1(v1: Path) -> None:
    for groups in (cgroups.of_process(7, v1), cgroups.below("/labctl/m1/c1", v1)):
        assert groups.version == 1
        assert (groups.cpu_ns(), groups.throttled_ns(), groups.memory_bytes()) == (123, 77, 4096)
        assert (groups.cpu_quota_us(), groups.memory_limit_bytes()) == (None, None)
        assert groups.read("pids", "pids.max") == "max"
    _write(v1 / "sys/fs/cgroup/cpu,cpuacct/labctl/m1/c1/cpu.cfs_quota_us", "20000")
    assert groups.cpu_quota_us() == (20_000, 100_000)


def test_version_2(v2: Path) -> None:
    path = cgroups.path_of("labctl-m1.slice:cri:c1")
    assert path == "/labctl.slice/labctl-m1.slice/cri-c1.scope"
    for groups in (cgroups.of_process(7, v2), cgroups.below(path, v2)):
        assert groups.version == 2
        assert (groups.cpu_ns(), groups.throttled_ns(), groups.memory_bytes()) == (12_000, 3_000, 8192)
        assert (groups.cpu_quota_us(), groups.memory_limit_bytes()) == ((20_000, 100_000), None)
        assert groups.read("pids", "pids.max") == "9"


def test_a_path_of_cgroupfs_is_itself() -> None:
    assert cgroups.path_of("/labctl/m1/c1") == "/labctl/m1/c1"


def test_what_is_not_there_is_absent(v1: Path, tmp_path: Path) -> None:
    with pytest.raises(Absent, match="proc/8/cgroup"):
        cgroups.of_process(8, v1)
    with pytest.raises(Absent, match="hugetlb"):
        cgroups.of_process(7, v1).read("hugetlb", "x")
    with pytest.raises(Absent):
        cgroups.below("/gone", v1).cpu_ns()
    with pytest.raises(Absent, match="no control groups"):
        cgroups.below("/labctl", tmp_path / "empty")
