# SPDX-License-Identifier: Apache-2.0
"""The machine as the lab sees it: commands, processes by identity, waiting. Everything that has an effect is passed in from here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.model.errors import Interrupted, LabError

COMMAND_SECONDS = 60.0
"""Deadline of a command that should be quick."""


def search_path(environ: Mapping[str, str] = os.environ) -> str:
    """PATH, with the folders of a system's tools: `su` without `-` leaves them out."""
    return f"{environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def find_tool(name: str) -> str | None:
    """Where a command is; None where it is not."""
    return shutil.which(name, path=search_path())


class Progress(Protocol):
    """Told what is being done: ``who`` is a host's name, or the lab's for what its hosts share."""

    def __call__(self, who: str, what: str, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    stdout: str
    stderr: str


class Executor(Protocol):
    """Runs commands on this machine."""

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        stdin: str | None = None,
        timeout: float = COMMAND_SECONDS,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        keep_open: Sequence[int] = (),
    ) -> Done:
        """Run ``argv`` to its end. ``env`` is added to ours; ``log`` takes its output, which is then not returned.

        Raises LabError: it cannot be started, exits with another code than 0 (unless ``check`` is false), or is not
        done after ``timeout`` seconds.
        """
        ...


class LocalExecutor:
    """Runs them. A command dies with the thread that waits for it, so that a killed labctl leaves none behind."""

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        stdin: str | None = None,
        timeout: float = COMMAND_SECONDS,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        keep_open: Sequence[int] = (),
    ) -> Done:
        command = ["setpriv", "--pdeathsig", "TERM", "--", *argv]
        try:
            with open(log or os.devnull, "ab") as sink:
                ended = subprocess.run(
                    command,
                    input=stdin,
                    stdin=subprocess.DEVNULL if stdin is None else None,
                    stdout=sink if log else subprocess.PIPE,
                    stderr=sink if log else subprocess.PIPE,
                    text=True,
                    errors="replace",
                    timeout=timeout,
                    check=False,
                    env={**os.environ, "PATH": search_path(), "LC_ALL": "C.UTF-8", **(env or {})},
                    pass_fds=tuple(keep_open),
                )
        except subprocess.TimeoutExpired:
            raise LabError(f"`{_short(argv)}` was not done after {timeout:.0f} seconds.") from None
        except OSError as error:
            raise LabError(f"`{_short(argv)}` cannot be started: {error.strerror}.") from error
        done = Done(ended.returncode, ended.stdout or "", ended.stderr or "")
        if check and done.code != 0:
            text = tail(log) if log else done.stderr or done.stdout
            raise LabError(f"`{_short(argv)}` ended with {done.code}: {last_lines(text)}")
        return done


def _short(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 100 else f"{text[:97]}..."


def last_lines(text: str, count: int = 10) -> str:
    """The end of what a command said, which is where the reason stands."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines[-count:]) or "it said nothing."


def tail(path: Path, limit: int = 4096) -> str:
    """The end of a file; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - limit))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def json_of(done: Done, what: str) -> Any:
    """A command's JSON answer; ``what`` names the command. Raises LabError."""
    try:
        return json.loads(done.stdout or "[]")
    except ValueError as error:
        raise LabError(f"`{what}` did not answer in JSON.") from error


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one of the same number: ``started`` in ticks since boot ``boot``."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes by way of ``proc``."""

    proc: Path = Path("/proc")

    def boot(self) -> str:
        return (self.proc / "sys/kernel/random/boot_id").read_text().strip()

    def identify(self, pid: int) -> Identity | None:
        """None where there is no such process, or only its zombie."""
        fields = self._stat(pid)
        return None if fields is None or fields[0] in "ZX" else Identity(pid, int(fields[19]), self.boot())

    def alive(self, identity: Identity | None) -> bool:
        return identity is not None and self.identify(identity.pid) == identity

    def having(self, argument: str) -> list[Identity]:
        """Processes whose command line has exactly ``argument`` among its words."""
        found = []
        for entry in self.proc.iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            identity = self.identify(int(entry.name)) if os.fsencode(argument) in words else None
            found += [identity] if identity else []
        return found

    def children(self, pid: int) -> list[int]:
        """Direct children, the oldest first."""
        numbers = sorted(int(entry.name) for entry in self.proc.iterdir() if entry.name.isdecimal())
        return [child for child in numbers if (stat := self._stat(child)) and int(stat[1]) == pid]

    def is_init(self, pid: int) -> bool:
        """Whether it is PID 1 of a PID namespace below ours."""
        try:
            lines = (self.proc / str(pid) / "status").read_text().splitlines()
        except OSError:
            return False
        numbers = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [])
        return len(numbers) > 1 and numbers[-1] == "1"

    def signal(self, identity: Identity, number: int) -> bool:
        """Send a signal to exactly that process; False where it is gone."""
        try:
            descriptor = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            return False
        try:
            if self.identify(identity.pid) != identity:
                return False
            signal.pidfd_send_signal(descriptor, number)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)

    def _stat(self, pid: int) -> list[str] | None:
        """Fields of /proc/PID/stat from the third (state) on: proc(5). The second may contain anything."""
        try:
            text = (self.proc / str(pid) / "stat").read_text()
        except (OSError, UnicodeDecodeError):
            return None
        return text.rpartition(")")[2].split()


@dataclass(frozen=True, slots=True)
class Clock:
    """Time that can be stopped: `stop` makes every wait of every thread end with Interrupted."""

    monotonic: Callable[[], float] = time.monotonic
    stopped: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        self.stopped.set()

    def sleep(self, seconds: float) -> None:
        if self.stopped.wait(seconds):
            raise Interrupted("Interrupted.")

    def wait_until(self, ready: Callable[[], bool], seconds: float, step: float = 0.1) -> bool:
        """Ask ``ready`` every ``step`` seconds until it says yes; False after ``seconds``."""
        deadline = self.monotonic() + seconds
        while not ready():
            if self.monotonic() >= deadline:
                return False
            self.sleep(step)
        return True


@dataclass(frozen=True, slots=True)
class System:
    """All effects of the package in one hand, so that a test can replace each."""

    executor: Executor = field(default_factory=LocalExecutor)
    processes: Processes = field(default_factory=Processes)
    clock: Clock = field(default_factory=Clock)

    def run(self, *argv: str, **options: Any) -> Done:
        return self.executor.run(argv, **options)
