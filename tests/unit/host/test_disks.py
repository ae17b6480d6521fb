# SPDX-License-Identifier: Apache-2.0
"""io.max names whole disks: a partition is none, and some file systems have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from remote_agent.host.disks import of_device, under
from remote_agent.host.read import Absent


def _sysfs(root: Path) -> None:
    """A disk 8:0 with a partition 8:1, linked as the kernel does it."""
    disk = root / "sys/devices/pci0/block/sda"
    (disk / "sda1").mkdir(parents=True)
    (disk / "dev").write_text("8:0\n")
    (disk / "sda1/dev").write_text("8:1\n")
    (disk / "sda1/partition").write_text("1\n")
    links = root / "sys/dev/block"
    links.mkdir(parents=True)
    (links / "8:0").symlink_to("../../devices/pci0/block/sda")
    (links / "8:1").symlink_to("../../devices/pci0/block/sda/sda1")


def test_a_disk_is_itself_and_a_partition_is_of_its_disk(tmp_path: Path) -> None:
    _sysfs(tmp_path)
    assert of_device(8, 0, "/var/lib", tmp_path) == "8:0"
    assert of_device(8, 1, "/var/lib", tmp_path) == "8:0"


def test_what_is_on_no_disk_says_so(tmp_path: Path) -> None:
    _sysfs(tmp_path)
    with pytest.raises(Absent, match="/var/lib is on no single disk: device 0:44 is not one"):
        of_device(0, 44, "/var/lib", tmp_path)
    with pytest.raises(Absent, match="/nowhere: No such file"):
        under("/nowhere", tmp_path)
    with pytest.raises(Absent, match="does not tell where"):
        under("", tmp_path)
