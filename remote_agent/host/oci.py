# SPDX-License-Identifier: Apache-2.0
"""The OCI runtime's own program behind a container that a CRI runtime made: where it is, and what it is asked.

Where each combination keeps it (ROOT is the program's state folder, its ``--root``):

    containerd, runc or crun   the task's bundle names the program; ROOT = /run/containerd/runc/k8s.io
    CRI-O, runc or crun        conmon's command line names program and ROOT
    runsc, of either           a state file CONTAINER_sandbox:SANDBOX.state in ROOT; the sandbox process runs the program
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from remote_agent.host.read import Absent, text

TASKS = Path("run/containerd/io.containerd.runtime.v2.task/k8s.io")
RUNC_ROOT = "/run/containerd/runc/k8s.io"
RUNSC_ROOTS = ("run/containerd/runsc/k8s.io", "run/containerd/runsc/default")
DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Oci:
    """``program`` with its state folder, for one ``container``. Every method raises Absent with the program's own words."""

    program: str
    root: str
    container: str

    def pause(self) -> int:
        """The nanoseconds from the program's start to its end."""
        return self._call("pause")[0]

    def resume(self) -> int:
        """The same."""
        return self._call("resume")[0]

    def paused(self) -> bool:
        """As the program says."""
        try:
            state = json.loads(self._call("state")[1])
        except ValueError as error:
            raise Absent(f"{self.program} state says no JSON") from error
        return bool(state.get("status") == "paused")

    def _call(self, command: str) -> tuple[int, str]:
        return timed_command((self.program, f"--root={self.root}", command, self.container))


def timed_command(argv: Sequence[str], deadline_s: float = DEADLINE_S) -> tuple[int, str]:
    """Nanoseconds from start to end, and what it printed. Raises Absent: not there, failed, or not done in time."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            start = time.monotonic_ns()
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        except OSError as error:
            raise Absent(f"{argv[0]}: {error.strerror or error}") from error
        ended = _await(process, deadline_s)
        took = time.monotonic_ns() - start
        code = process.wait()
        if not ended:
            raise Absent(f"{' '.join(argv)} was not done within {deadline_s:g} s")
        if code != 0:
            raise Absent(f"{' '.join(argv)} failed ({code}): {_read(err)[-200:] or 'without a word'}")
        return took, _read(out)


def of_container(container: str, root: Path = Path("/")) -> Oci:
    """Raises Absent: nothing on this host says whose it is."""
    for found in (_of_task, _of_conmon, _of_sandbox):
        for oci in found(container, root):
            return oci
    raise Absent(f"no OCI runtime's program is known for the container {container[:12]}")


def _await(process: subprocess.Popen[bytes], deadline_s: float) -> bool:
    """Until it ends: woken by the kernel, as `Popen.wait` with a timeout only looks now and then. False: it was killed."""
    descriptor = os.pidfd_open(process.pid)
    try:
        watch = select.poll()
        watch.register(descriptor, select.POLLIN)
        if watch.poll(deadline_s * 1000):
            return True
    finally:
        os.close(descriptor)
    process.kill()
    return False


def _read(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    return str(file.read().decode(errors="replace").strip())  # type: ignore[attr-defined]


def _of_task(container: str, root: Path) -> Iterator[Oci]:
    bundle = root / TASKS / container
    if (bundle / "runtime").is_file():
        program = text(bundle / "runtime")
        if program:
            yield Oci(program, RUNC_ROOT, container)


def _of_conmon(container: str, root: Path) -> Iterator[Oci]:
    for _, argv in _commands(root, "conmon"):
        if _after(argv, "-c") != container:
            continue
        program = _after(argv, "-r")
        state = next((word.removeprefix("--root=") for word in argv if word.startswith("--root=")), None)
        if program and state:
            yield Oci(program, state, container)


def _of_sandbox(container: str, root: Path) -> Iterator[Oci]:
    for folder in RUNSC_ROOTS:
        for state in (root / folder).glob(f"{container}_sandbox:*.state"):
            sandbox = state.name.removesuffix(".state").split("_sandbox:", 1)[1]
            for pid, argv in _commands(root, "runsc-sandbox"):
                if sandbox in argv:
                    yield Oci(_program(root, pid), f"/{folder}", container)


def _program(root: Path, pid: int) -> str:
    try:
        return os.readlink(root / "proc" / str(pid) / "exe")  # noqa: PTH115 - text is what is wanted
    except OSError as error:
        raise Absent(f"process {pid}: {error.strerror or error}") from error


def _commands(root: Path, program: str) -> Iterator[tuple[int, list[str]]]:
    """Processes of that program, with their command lines."""
    for path in sorted((root / "proc").glob("[0-9]*/cmdline")):
        try:
            argv = [os.fsdecode(word) for word in path.read_bytes().split(b"\0")]
        except OSError:
            continue
        if argv[0].rsplit("/", 1)[-1] == program:
            yield int(path.parent.name), argv


def _after(argv: Sequence[str], option: str) -> str | None:
    """The word behind ``option``."""
    return next((word for flag, word in pairwise(argv) if flag == option), None)
