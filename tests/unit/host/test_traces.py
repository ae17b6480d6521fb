# SPDX-License-Identifier: Apache-2.0
"""What a start leaves on a host is found, and its times are told on one clock."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from remote_agent.host import traces
from remote_agent.host.read import Absent

NEAR = 50_000_000
"""ns between two ways to read the same moment."""


def at(path: Path, seconds_ago: float) -> int:
    """Make a file that changed then; that moment on the monotonic clock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    moment = time.time_ns() - int(seconds_ago * 1e9)
    os.utime(path, ns=(moment, moment))
    return time.monotonic_ns() - int(seconds_ago * 1e9)


def test_the_newest_lease_counts_and_the_plugins_own_files_do_not(tmp_path: Path) -> None:
    folder = tmp_path / traces.LEASES
    at(folder / "10.0.0.2", 9)
    newest = at(folder / "10.0.0.3", 5)
    at(folder / "last_reserved_ip.0", 1)
    at(folder / "lock", 1)
    assert traces.lease_ns(tmp_path) == pytest.approx(newest, abs=NEAR)


def test_the_layer_below_the_mounted_overlay_is_the_snapshot(tmp_path: Path) -> None:
    made = at(tmp_path / "snapshots/42/fs", 3)
    moment = time.time_ns() - 3 * 10**9
    os.utime(tmp_path / "snapshots/42", ns=(moment, moment))
    mounts = tmp_path / "proc/self/mountinfo"
    mounts.parent.mkdir(parents=True)
    mounts.write_text(
        "1 2 0:1 / /other rw - overlay overlay rw,lowerdir=/a,upperdir=/snapshots/41/fs\n"
        "2 2 0:1 / /rootfs rw - overlay overlay rw,lowerdir=/a,upperdir=/snapshots/42/fs,workdir=/w\n"
    )
    assert traces.snapshot_ns("/rootfs", tmp_path) == pytest.approx(made, abs=NEAR)
    with pytest.raises(Absent, match="no overlay is mounted at /none"):
        traces.snapshot_ns("/none", tmp_path)


@pytest.mark.parametrize("pattern", traces.CONFIGS)
def test_a_bundle_is_found_where_each_runtime_keeps_it(tmp_path: Path, pattern: str) -> None:
    made = at(tmp_path / pattern.format("abc"), 2)
    assert traces.bundle_ns("abc", tmp_path) == pytest.approx(made, abs=NEAR)
    with pytest.raises(Absent):
        traces.bundle_ns("other", tmp_path)


def test_a_process_has_the_time_of_its_start() -> None:
    before = time.monotonic_ns()
    pid = os.posix_spawn("/bin/sleep", ["sleep", "30"], {})
    after = time.monotonic_ns()
    try:
        tick = 10**9 // os.sysconf("SC_CLK_TCK")
        assert before - 2 * tick <= traces.process_ns(pid) <= after + tick
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_the_first_shim_that_names_the_pod_counts(tmp_path: Path) -> None:
    for pid, argv, ticks in ((5, "conmon\0-c\0con\0", 900), (6, "/x/containerd-shim-runc-v2\0-id\0pod\0", 700),
                             (7, "conmon\0-c\0else\0", 100), (8, "sh\0-c\0con\0", 100)):  # fmt: skip
        folder = tmp_path / "proc" / str(pid)
        folder.mkdir(parents=True)
        (folder / "cmdline").write_bytes(argv.encode())
        (folder / "stat").write_text(f"{pid} (a b) c) S " + " ".join(["0"] * 18) + f" {ticks} 0")
    assert traces.shim_ns(("pod", "con"), tmp_path) == pytest.approx(traces.process_ns(6, tmp_path), abs=NEAR)
    with pytest.raises(Absent):
        traces.shim_ns(("nobody",), tmp_path)


@pytest.mark.parametrize(
    ("fraction", "ns"), [("5", 500_000_000), ("000000001", 1), ("123456789", 123_456_789)]
)
@pytest.mark.parametrize("zone", ["Z", "+00:00"])
def test_a_logs_first_time_is_read_to_the_nanosecond(
    tmp_path: Path, fraction: str, ns: int, zone: str
) -> None:
    log = tmp_path / "log"
    log.write_text(
        f"2026-01-02T03:04:05.{fraction}{zone} stdout F ready\n2027-01-01T00:00:00.0Z stdout F x\n"
    )
    known = 1_767_323_045 * 10**9 + ns
    assert traces.first_line_ns(log) == pytest.approx(traces.wall_ns(known), abs=NEAR)


def test_a_zone_is_heeded_and_what_is_no_log_has_no_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("2026-01-02T05:04:05.0+02:00 stdout F ready\n")
    assert traces.first_line_ns(log) == pytest.approx(traces.wall_ns(1_767_323_045 * 10**9), abs=NEAR)
    for content in ("", "ready\n"):
        log.write_text(content)
        with pytest.raises(Absent, match="does not begin with a time"):
            traces.first_line_ns(log)
