# SPDX-License-Identifier: Apache-2.0
"""Which disk a folder is on, as control groups name it. It only reads."""

from __future__ import annotations

import os
from pathlib import Path

from remote_agent.host.read import Absent, text


def under(folder: str, root: Path = Path("/")) -> str:
    """MAJOR:MINOR of the whole disk under ``folder``: io.max knows no partitions. Raises Absent."""
    if not folder:
        raise Absent("the runtime does not tell where it keeps its images")
    try:
        device = (root / folder.lstrip("/")).stat().st_dev
    except OSError as error:
        raise Absent(f"{folder}: {error.strerror or error}") from error
    return of_device(os.major(device), os.minor(device), folder, root)


def of_device(major: int, minor: int, folder: str, root: Path = Path("/")) -> str:
    """A partition's disk is the folder above its own in sysfs. Raises Absent: btrfs, overlay and others have no disk of their own."""
    device = root / f"sys/dev/block/{major}:{minor}"
    if not device.exists():
        raise Absent(f"{folder} is on no single disk: device {major}:{minor} is not one")
    return text(device / "../dev" if (device / "partition").exists() else device / "dev")
