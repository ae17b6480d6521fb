# SPDX-License-Identifier: Apache-2.0
"""The conductor as a process: who owns a run (a lock that the kernel gives back when the owner dies), and starting one."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.model.errors import RunError


@contextmanager
def owning(lock: Path, patience: float = 2.0) -> Iterator[bool]:
    """Hold the run's lock. Gives False, without waiting longer than ``patience`` seconds, if another process has it."""
    with lock.open("a+") as file:
        deadline = time.monotonic() + patience
        while not (mine := _try_lock(file.fileno(), fcntl.LOCK_EX)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if mine:
            file.truncate(0)
            with suppress(OSError):  # no room: the lock holds all the same, its owner is only not named
                os.write(file.fileno(), f"{os.getpid()}\n".encode())
        yield mine


def owned(lock: Path) -> bool:
    """Does a living process own the run?"""
    try:
        with lock.open("rb") as file:
            return not _try_lock(file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def owner(lock: Path) -> int | None:
    """The pid of the run's living owner."""
    try:
        return int(lock.read_text()) if owned(lock) else None
    except (FileNotFoundError, ValueError):
        return None


def start_detached(
    arguments: Sequence[str], lock: Path, log: Path, patience: float = 15.0, secret: str | None = None
) -> subprocess.Popen[bytes]:
    """Start `labctl ARGUMENTS` in a session of its own, and wait until it owns the run.

    It has no terminal, survives the one it was started from, and what it prints goes to ``log``. A ``secret`` is the one line
    of its standard input: neither a command line nor an environment has it, and the pipe is gone when it was read.
    Raises RunError: it died, or took longer than ``patience`` seconds.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            # -P: the conductor is of this installation, also where the current folder has an `orchestrator` in it.
            [sys.executable, "-P", "-m", "orchestrator.cli.main", *arguments],
            stdin=subprocess.DEVNULL if secret is None else subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:  # one that has died says so below
            pipe.write(f"{secret}\n".encode())
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None and process.returncode != 0:
            raise RunError(f"The run's conductor ended at once: {_last_line(log)}", f"Its log: {log}.")
        if process.poll() is not None or owned(lock):
            return process
        time.sleep(0.02)
    raise RunError(f"The run's conductor did not start within {patience:.0f} s.", f"Its log: {log}.")


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."
