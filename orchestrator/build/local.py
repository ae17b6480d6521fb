# SPDX-License-Identifier: Apache-2.0
"""This machine as the builder (`labctl build --local`), and how any builder runs shell text that must not outlive its caller."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.build.builder import GoPlaces, Say
from orchestrator.files import sha256_of
from orchestrator.model.errors import BuildError
from orchestrator.model.system_packages import install_hint
from orchestrator.model.text import printable_line

SUPERVISOR = """\
import os, signal, subprocess, sys, threading
child = subprocess.Popen(["sh", "-eu", "-c", sys.argv[1]], stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True)
def watch():
    sys.stdin.buffer.read()
    os.killpg(child.pid, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
code = child.wait()
sys.stdout.flush()
os._exit(code if code >= 0 else 128 - code)
"""
"""Runs its argument as shell text in a session of its own, and kills all of it when standard input ends: when the caller is gone."""
REASON_LINES = 12


def supervised(script: str, environment: Mapping[str, str]) -> list[str]:
    """The command that runs ``script`` with ``environment`` alone."""
    settings = [f"{name}={value}" for name, value in environment.items()]
    return ["env", "-i", *settings, "python3", "-I", "-c", SUPERVISOR, script]


def heard(lines: Iterable[str], say: Say) -> str:
    """Pass the lines on, safe to show; return the last of them, for an error."""
    last: deque[str] = deque(maxlen=REASON_LINES)
    for line in lines:
        text = printable_line(line)
        if text.strip():
            last.append(text)
            say(text)
    return "\n".join(last)


def failure(name: str, script: str, code: int, reason: str) -> BuildError:
    """For shell text that ended with another code than 0."""
    first = script.strip().splitlines()[-1][:120]
    return BuildError(f"On {name}, `{first}` ended with {code}: {reason or 'it said nothing.'}")


class LocalBuilder:
    """Protocol: orchestrator.build.builder.Builder."""

    def __init__(self, work: Path) -> None:
        self._work = work

    @property
    def name(self) -> str:
        return "this machine"

    @property
    def architecture(self) -> str:
        return platform.machine()

    @property
    def release(self) -> str:
        try:
            found = platform.freedesktop_os_release()
        except OSError:
            return platform.system().lower()
        return found.get("VERSION_CODENAME", found.get("ID", "linux"))

    @property
    def work(self) -> str:
        return str(self._work)

    @property
    def environment(self) -> Mapping[str, str]:
        return {}

    def install(self, packages: Sequence[str], say: Say) -> dict[str, str]:
        if not packages:
            return {}
        found = versions_of(self.ask(versions_question(packages)))
        missing = [name for name in packages if name not in found]
        if missing and os.geteuid() == 0 and shutil.which("apt-get"):
            say(f"installing {', '.join(missing)}")
            self.run(install_script(missing), {"PATH": os.environ.get("PATH", os.defpath)}, say, 900.0)
            return versions_of(self.ask(versions_question(packages)))
        if missing:
            raise BuildError(
                f"This machine lacks what the build needs: {', '.join(missing)}.",
                install_hint(missing),
            )
        return found

    def go(self, toolchain: Path, archive: Path, modules: Path, cache: Path, say: Say) -> GoPlaces:
        cache.mkdir(parents=True, exist_ok=True)
        return GoPlaces(str(toolchain), str(modules), str(cache))

    def run(self, script: str, environment: Mapping[str, str], say: Say, seconds: float) -> None:
        process = subprocess.Popen(
            supervised(script, {"PATH": os.environ.get("PATH", os.defpath), **environment}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        stdin = process.stdin
        assert stdin is not None and process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            stdin.close()  # which ends all that it started

        deadline = threading.Timer(seconds, end)
        deadline.start()
        try:
            reason = heard(process.stdout, say)
            code = process.wait()
        finally:
            deadline.cancel()
            stdin.close()
            process.wait()
            process.stdout.close()
        if late.is_set():
            raise BuildError(f"The build on {self.name} was not done within {seconds:.0f} s.")
        if code != 0:
            raise failure(self.name, script, code, reason)

    def ask(self, script: str, seconds: float = 60.0) -> str:
        try:
            done = subprocess.run(
                ["sh", "-c", script], capture_output=True, text=True, timeout=seconds, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"`{script[:80]}` was not done after {seconds:.0f} s.") from error
        if done.returncode != 0:
            raise failure(self.name, script, done.returncode, done.stderr.strip())
        return done.stdout

    def put(self, local: Path, remote: str) -> None:
        target = Path(remote)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(local, target)

    def get(self, remote: str, local: Path) -> None:
        shutil.copytree(remote, local, dirs_exist_ok=True)
        for path in sorted(Path(remote).rglob("*")):
            if path.is_file() and sha256_of(path) != sha256_of(local / path.relative_to(remote)):
                raise BuildError(
                    f"The copy of {path.name} is not what was built.", "Is the disk full or failing?"
                )


@contextmanager
def local_builder(folder: Path) -> Iterator[LocalBuilder]:
    """With a work folder of its own below ``folder``, gone at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="work-", dir=folder))
    try:
        yield LocalBuilder(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def versions_question(packages: Sequence[str]) -> str:
    """Shell text: name and version of each that is installed."""
    return f"dpkg-query -W -f='${{Package}} ${{Version}} ${{db:Status-Status}}\\n' {shlex.join(packages)} 2>/dev/null || true"


def versions_of(said: str) -> dict[str, str]:
    rows = [line.split(" ") for line in said.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}


def install_script(packages: Sequence[str]) -> str:
    """Without questions, as Ansible's apt module does it."""
    options = (
        "-y -q --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
    )
    return f"export DEBIAN_FRONTEND=noninteractive\napt-get update -q\napt-get install {options} {shlex.join(packages)}"
