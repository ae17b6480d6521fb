# SPDX-License-Identifier: Apache-2.0
"""Ownership of a run dies with its owner, and a process that cannot start says why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.model.errors import RunError
from orchestrator.runs.process import owned, owner, owning, start_detached


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not owned(lock)
    assert owner(lock) is None
    with owning(lock) as mine:
        assert mine
        assert owned(lock)
        assert owner(lock) == os.getpid()
        with owning(lock, patience=0.1) as second:
            assert not second
    assert not owned(lock)
    assert owner(lock) is None


def test_a_killed_owner_owns_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from orchestrator.runs.process import owning\n"
        "with owning(Path(sys.argv[1])): print('mine', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"mine\n"
        assert owner(lock) == process.pid
        process.kill()
    assert not owned(lock)


def test_a_conductor_that_ends_at_once_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"No such"):
        start_detached(["nosuchverb"], tmp_path / "lock", tmp_path / "log")
    assert "nosuchverb" in (tmp_path / "log").read_text()


def test_a_conductor_gets_a_secret_through_a_pipe_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, seen = tmp_path / "heard", tmp_path / "seen"
    program = tmp_path / "conductor"
    program.write_text(f"#!/bin/sh\ncat > {heard}\n{{ env; tr '\\0' ' ' < /proc/$$/cmdline; }} > {seen}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    start_detached(["conduct", "folder"], tmp_path / "lock", tmp_path / "log", secret="hunter2").wait(10)
    assert heard.read_text() == "hunter2\n"
    assert "conduct folder" in seen.read_text()
    assert "hunter2" not in seen.read_text() + (tmp_path / "log").read_text()
