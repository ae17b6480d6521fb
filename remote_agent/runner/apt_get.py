# SPDX-License-Identifier: Apache-2.0
"""apt-get without a terminal: waits for who holds its locks, and takes up what an interrupted dpkg left."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path

from remote_agent.runner.completed import Completed
from remote_agent.runner.context import Context, ModuleFailure, last_line, tail

ENVIRONMENT: Mapping[str, str] = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "LC_ALL": "C.UTF-8",
    "LANGUAGE": "C",
}
KEEP_CONFFILES = ("--force-confdef", "--force-confold")
LOCKS = (
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/lock",
    "var/lib/apt/lists/lock",
    "var/cache/apt/archives/lock",
)
_POLL = 1.0
_UNMET = re.compile(r"^ (\S+) : (?:Pre)?Depends: (.+)$", re.MULTILINE)
"""How apt says which dependency cannot be had; its error itself speaks of "held broken packages"."""

_FLOCK = "hhqqi"  # struct flock: type, whence, start, len, pid


def apt_get(context: Context, words: list[str], lock_timeout: float) -> Completed:
    """Run it. ``lock_timeout`` is how many seconds to wait for the locks. Raises ModuleFailure where it fails."""
    deadline = context.now() + lock_timeout
    options = [f"-oDpkg::Options::={option}" for option in KEEP_CONFFILES]
    repaired = False
    while True:
        _wait_for_locks(context, deadline, lock_timeout)
        left = max(0, int(deadline - context.now()))
        done = context.run_command(
            ["apt-get", "-q", "-y", *options, f"-oDPkg::Lock::Timeout={left}", *words],
            environment=ENVIRONMENT,
        )
        if done.rc == 0:
            return done
        if "dpkg was interrupted" in done.stderr and not repaired:
            _take_up(context)
            repaired = True
        elif "Could not get lock" not in done.stderr or context.now() >= deadline:
            raise _failure(words, done)


def _failure(words: list[str], done: Completed) -> ModuleFailure:
    errors = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
    said = errors[0].removeprefix("E: ") if errors else last_line(done.stderr or done.stdout)
    if unmet := _UNMET.search(done.stdout + done.stderr):
        said = f"{unmet[1]} needs {unmet[2]}"
    result = {"rc": done.rc, "stdout": done.stdout, "stderr": tail(done.stderr)}
    return ModuleFailure(f"apt-get {words[-1] if len(words) == 1 else words[0]} failed: {said}", result)


def _take_up(context: Context) -> None:
    context.progress("dpkg was interrupted here before; its work is finished first (dpkg --configure -a).")
    done = context.run_command(["dpkg", *KEEP_CONFFILES, "--configure", "-a"], environment=ENVIRONMENT)
    if done.rc != 0:
        said = {"rc": done.rc, "stdout": done.stdout, "stderr": tail(done.stderr)}
        raise ModuleFailure(f"dpkg --configure -a failed: {last_line(done.stderr)}", said)


def _wait_for_locks(context: Context, deadline: float, lock_timeout: float) -> None:
    told = False
    while (holder := _holder(context.root)) is not None:
        if context.now() >= deadline:
            raise ModuleFailure(
                f"{holder} still holds a package lock after {lock_timeout:g} s; wait until it is done, or raise 'lock_timeout'."
            )
        if not told:
            context.progress(f"Waiting up to {lock_timeout:g} s for {holder}, which holds a package lock.")
            told = True
        context.sleep(_POLL)


def _holder(root: Path) -> str | None:
    """Who holds one of the locks, or None. Asks without taking it."""
    for name in LOCKS:
        try:
            handle = os.open(root / name, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
        finally:
            os.close(handle)
        if kind != fcntl.F_UNLCK:
            return _process(pid)
    return None


def _process(pid: int) -> str:
    try:
        return f"{Path(f'/proc/{pid}/comm').read_text().strip()} (process {pid})"
    except OSError:
        return "another process"
