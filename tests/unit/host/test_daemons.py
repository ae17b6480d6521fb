# SPDX-License-Identifier: Apache-2.0
"""What a runtime costs: whose socket it is, its CPU clock, its memory, its shims, its service."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from remote_agent.host import daemons
from remote_agent.host.read import Absent


def test_the_listener_of_a_socket_is_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen()
        assert daemons.listener(path) == os.getpid()
    with pytest.raises(Absent, match="Connection refused"):
        daemons.listener(path)


def test_a_processs_clock_goes_on_while_it_works() -> None:
    before = daemons.cpu_ns(os.getpid())
    sum(range(200_000))
    assert daemons.cpu_ns(os.getpid()) > before
    with pytest.raises(Absent):
        daemons.cpu_ns(2**22 - 1)


def _process(root: Path, pid: int, argv: str, pss_kib: int) -> None:
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes(argv.replace(" ", "\0").encode())
    (folder / "smaps_rollup").write_text(f"00-ff ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss: {pss_kib} kB\n")


def test_shims_are_found_by_their_program_and_summed(tmp_path: Path) -> None:
    _process(tmp_path, 5, "/usr/bin/containerd-shim-runc-v2 -id x", 100)
    _process(tmp_path, 6, "/usr/bin/conmon -b x", 50)
    _process(tmp_path, 7, "/usr/bin/containerd", 900)
    found = daemons.shims(tmp_path)
    assert sorted(found) == [5, 6]
    assert daemons.together([*found, 8], lambda pid: daemons.pss(pid, tmp_path)) == 150 * 1024
    with pytest.raises(Absent, match="no shim"):
        daemons.together([], lambda pid: 1)


def test_only_a_group_of_the_services_own_counts(tmp_path: Path) -> None:
    mount = tmp_path / "sys/fs/cgroup"
    service = mount / "system.slice/crio.service"
    service.mkdir(parents=True)
    (mount / "cgroup.controllers").write_text("cpu\n")
    (service / "cpu.stat").write_text("usage_usec 5\n")
    proc = tmp_path / "proc/7"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text("0::/system.slice/crio.service\n")
    assert daemons.service_cpu_ns(7, tmp_path) == 5000
    (proc / "cgroup").write_text("0::/\n")
    with pytest.raises(Absent, match="of its own"):
        daemons.service_cpu_ns(7, tmp_path)


def test_available_memory(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 7 kB\n")
    assert daemons.available_bytes(tmp_path) == 7 * 1024
