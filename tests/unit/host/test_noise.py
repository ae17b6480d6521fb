# SPDX-License-Identifier: Apache-2.0
"""Counters are the kernel's; what it does not count is None with its reason, never zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remote_agent.host.noise import TICKS, between, read_counters

STAT = "cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 2 3\nctxt {ctxt}\nbtime 1\nprocesses 50\n"
DISKS = """\
 254 0 vda 10 0 {read} 0 10 0 {written} 0 0 {busy} 0 0 0
 254 1 vda1 10 0 99999 0 10 0 99999 0 0 99999 0 0 0
   7 0 loop0 10 0 99999 0 10 0 99999 0 0 99999 0 0 0
"""


def _write(root: Path, **values: int) -> None:
    wanted = {
        "user": 0,
        "idle": 0,
        "steal": 0,
        "ctxt": 0,
        "read": 0,
        "written": 0,
        "busy": 0,
        "psi": 0,
        **values,
    }
    files = {
        "proc/stat": STAT.format(**wanted),
        "proc/diskstats": DISKS.format(**wanted),
        "proc/loadavg": "0.50 0.25 0.10 1/100 4242",
        "proc/vmstat": "pgmajfault 3\noom_kill 0\n",
        "proc/pressure/cpu": f"some avg10=0.00 avg60=0.00 avg300=0.00 total={wanted['psi']}\nfull total=1",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def _noise(root: Path, **values: int) -> dict[str, Any]:
    _write(root)
    before = read_counters(root)
    _write(root, **values)
    return between(before, read_counters(root))


@pytest.mark.parametrize(
    ("grew", "by", "counter", "expected"),
    [
        ("steal", 3 * TICKS, "steal_s", 3.0),
        ("user", 2 * TICKS, "cpu_s", 2.0),
        ("idle", 4 * TICKS, "idle_s", 4.0),
        ("ctxt", 1234, "ctxt", 1234),
        ("psi", 1_500_000, "psi_cpu_some_s", 1.5),
        ("read", 8, "disk_read_bytes", 4096),
        ("written", 2, "disk_written_bytes", 1024),
        ("busy", 250, "disk_busy_s", 0.25),
    ],
)
def test_a_counter_grows_in_its_unit(
    tmp_path: Path, grew: str, by: int, counter: str, expected: float
) -> None:
    assert _noise(tmp_path, **{grew: by})[counter] == expected


def test_what_the_kernel_does_not_count_is_none_with_a_reason(tmp_path: Path) -> None:
    noise = _noise(tmp_path)
    assert noise["psi_memory_some_s"] is None
    assert "pressure/memory" in noise["missing"]["psi_memory_some_s"]
    assert noise["pswpin"] is None
    assert noise["throttled"] is None
    assert noise["steal_s"] == 0.0
    assert noise["loadavg"] == {"before": (0.5, 0.25, 0.1), "after": (0.5, 0.25, 0.1)}


def test_on_this_kernel_time_passes() -> None:
    before = read_counters()
    noise = between(before, read_counters())
    assert noise["ctxt"] is not None
    assert noise["ctxt"] >= 0
    assert noise["cpu_s"] is not None


def test_a_wall_clock_that_was_set_is_told_apart_from_one_that_runs(tmp_path: Path) -> None:
    _write(tmp_path)
    before = read_counters(tmp_path, wall=lambda: 1000.0, monotonic=lambda: 50.0)
    running = read_counters(tmp_path, wall=lambda: 1030.0, monotonic=lambda: 80.0)
    turned_back = read_counters(tmp_path, wall=lambda: 1000.0, monotonic=lambda: 80.0)
    assert between(before, running)["clock_step_s"] == 0
    assert between(before, turned_back)["clock_step_s"] == -30
