# SPDX-License-Identifier: Apache-2.0
"""Files: atomic writes, locks that outlive nobody, and removing a folder without leaving the file system it is on."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.lab.system import Clock, System
from orchestrator.model.errors import LabError

MOUNTINFO = Path("/proc/self/mountinfo")


def mounts_below(folder: Path, mountinfo: Path = MOUNTINFO) -> list[Path]:
    """Mount points at or below ``folder``, the innermost first."""
    found: list[Path] = []
    for line in mountinfo.read_text().splitlines():
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line.split()[4]))
        if point == folder or folder in point.parents:
            found.append(point)
    return found[::-1]


def remove_tree(folder: Path, system: System) -> None:
    """Unmount what is mounted below ``folder``, then remove it. Raises LabError where something stays mounted."""
    if not folder.exists():
        return
    for point in mounts_below(folder.resolve()):
        system.run("umount", "--lazy", "--", str(point), check=False)
    if left := mounts_below(folder.resolve()):
        raise LabError(f"{left[0]} stays mounted, so {folder} is not removed.")
    command = ("rm", "-rf", "--one-file-system", "--", str(folder))

    def removed() -> bool:
        # A copy that was interrupted may write until it has noticed.
        return system.run(*command, check=False, timeout=300).code == 0

    if not system.clock.wait_until(removed, 10.0, 0.2):
        system.run(*command, timeout=300)


def remove_empty(folder: Path, upto: Path) -> None:
    """Remove ``folder`` and its parents below and including ``upto`` as far as they are empty."""
    while folder == upto or upto in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


@contextmanager
def locked(
    path: Path,
    what: str,
    clock: Clock,
    seconds: float,
    *,
    keep: bool = True,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[int]:
    """Hold the lock file; gives its descriptor, so that a child can hold it too. ``keep`` False: removed afterwards.

    ``waiting`` is called once, where somebody else holds it.

    Raises LabError where another process holds it for longer than ``seconds``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    held: list[int] = []

    def take() -> bool:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
        except BlockingIOError:
            same = False
        if same:
            held.append(descriptor)
        else:
            os.close(descriptor)
        return same

    if not take():
        waiting()
    if not held and not clock.wait_until(take, seconds, 0.2):
        raise LabError(f"Another labctl is busy with {what}.", "Wait for it, and try again.")
    try:
        yield held[0]
    finally:
        if not keep:
            path.unlink(missing_ok=True)
        os.close(held[0])
