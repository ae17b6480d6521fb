# SPDX-License-Identifier: Apache-2.0
"""How apt-get waits for locks, and takes up an interrupted dpkg."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from remote_agent.runner.apt_get import LOCKS, apt_get
from remote_agent.runner.context import Context, ModuleFailure

_HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"


@dataclass
class Clock:
    time: float = 0.0
    told: list[str] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def apt(tmp_path: Path, blobs: Any, commands: Any, clock: Clock) -> Context:
    for name in LOCKS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return Context(
        blobs=blobs,
        root=tmp_path,
        execute=commands,
        now=lambda: clock.time,
        sleep=clock.sleep,
        progress=clock.told.append,
    )


@pytest.fixture
def holder(tmp_path: Path, apt: Context) -> Iterator[subprocess.Popen[bytes]]:
    """Another process with the lock."""
    words = [sys.executable, "-c", _HOLD, str(tmp_path / LOCKS[0])]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_free_locks_are_not_waited_for(apt: Context, commands: Any, clock: Clock) -> None:
    commands.answer("apt-get -q -y update")
    assert apt_get(apt, ["update"], 5).rc == 0
    assert clock.time == 0 and clock.told == []


def test_a_held_lock_is_waited_for_and_its_holder_named(
    apt: Context, commands: Any, clock: Clock, holder: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(
        ModuleFailure, match=rf"\(process {holder.pid}\) still holds a package lock after 5 s"
    ):
        apt_get(apt, ["update"], 5)
    assert clock.time == 5 and len(clock.told) == 1 and str(holder.pid) in clock.told[0]
    assert commands.calls == []


def test_it_goes_on_once_the_lock_is_free(
    apt: Context, commands: Any, clock: Clock, holder: subprocess.Popen[bytes]
) -> None:
    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        holder.kill()
        holder.wait()

    commands.answer("apt-get -q -y update")
    waiting = Context(
        blobs=apt.blobs, root=apt.root, execute=commands, now=apt.now, sleep=sleep, progress=apt.progress
    )
    assert apt_get(waiting, ["update"], 5).rc == 0
    assert clock.time == 1


def test_an_interrupted_dpkg_is_taken_up_once(apt: Context, commands: Any, clock: Clock) -> None:
    commands.answer(
        "apt-get -q -y install x", stderr="E: dpkg was interrupted, you must manually run ...\n", rc=100
    )
    commands.answer(
        "dpkg --force-confdef --force-confold --configure -a",
        effect=lambda: commands.answer("apt-get -q -y install x"),
    )
    assert apt_get(apt, ["install", "x"], 5).rc == 0
    assert [call.split()[0] for call in commands.calls] == ["apt-get", "dpkg", "apt-get"]


def test_a_dpkg_that_stays_interrupted_is_a_failure(apt: Context, commands: Any) -> None:
    commands.answer(
        "apt-get -q -y install x", stderr="E: dpkg was interrupted, you must manually run ...\n", rc=100
    )
    commands.answer("dpkg")
    with pytest.raises(ModuleFailure, match="dpkg was interrupted"):
        apt_get(apt, ["install", "x"], 5)
