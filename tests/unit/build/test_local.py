# SPDX-License-Identifier: Apache-2.0
"""A builder runs shell text with the environment that it is given alone, says what it prints, and leaves nothing running."""

from __future__ import annotations

import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from orchestrator.build import snapshot
from orchestrator.build.local import LocalBuilder, local_builder, supervised
from orchestrator.model.errors import BuildError


@pytest.fixture
def builder(tmp_path: Path) -> LocalBuilder:
    (tmp_path / "work").mkdir()
    return LocalBuilder(tmp_path / "work")


def test_only_the_given_environment_is_seen(builder: LocalBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-race")
    said: list[str] = []
    builder.run("env | sort", {"PATH": "/usr/bin:/bin", "MINE": "1"}, said.append, 30)
    assert "MINE=1" in said
    assert not [line for line in said if line.startswith("GOFLAGS")]


def test_a_command_that_fails_stops_it_and_its_last_words_are_the_reason(builder: LocalBuilder) -> None:
    said: list[str] = []
    with pytest.raises(BuildError, match="no such thing"):
        builder.run(
            "echo first\necho no such thing >&2\nfalse\necho never",
            {"PATH": "/usr/bin:/bin"},
            said.append,
            30,
        )
    assert said == ["first", "no such thing"]


def test_what_takes_too_long_is_ended_with_all_that_it_started(builder: LocalBuilder, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(BuildError, match="was not done within 1 s"):
        builder.run("sleep 600 & echo $!; wait", {"PATH": "/usr/bin:/bin"}, said.append, 1.0)
    assert not Path(f"/proc/{said[0]}/root").exists()


def test_when_its_caller_is_gone_it_goes_too(tmp_path: Path) -> None:
    """As when the controller is killed: standard input ends, and with it the session that the script runs in."""
    mark = tmp_path / "pid"
    command = supervised(f"echo $$ >{mark}; sleep 600", {"PATH": "/usr/bin:/bin"})
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        deadline = time.monotonic() + 30
        while not (mark.exists() and mark.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.stdin.close()
        assert process.wait(timeout=30) == 128 + 9
    assert not Path(f"/proc/{mark.read_text().strip()}/root").exists()


def test_its_folder_is_gone_at_the_end(tmp_path: Path) -> None:
    with local_builder(tmp_path / "builds") as builder:
        builder.put(Path(__file__), f"{builder.work}/deep/file.py")
        builder.get(f"{builder.work}/deep", tmp_path / "got")
    assert (tmp_path / "got/file.py").read_bytes() == Path(__file__).read_bytes()
    assert not list((tmp_path / "builds").iterdir())


def test_a_checkout_is_what_git_knows_and_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "main.go").write_text("package main\n")
    (tree / "sub/run.sh").write_text("#!/bin/sh\n")
    (tree / "sub/run.sh").chmod(0o755)
    (tree / ".gitignore").write_text("*.o\n")
    (tree / "x.o").write_text("ignored")
    git = ["git", "-C", str(tree), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "One"]):
        subprocess.run([*git, *words], check=True)
    (tree / "new.go").write_text("package main\n")
    (tree / "main.go").unlink()
    snapshot.take(tree, tmp_path / "one.tar")
    (tree / "sub/run.sh").touch()
    snapshot.take(tree, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as packed:
        assert [(entry.name, entry.mode) for entry in packed] == [
            (".gitignore", 0o644), ("new.go", 0o644), ("sub/run.sh", 0o755),
        ]  # fmt: skip
    assert snapshot.commit_of(tree)["dirty"] is True
    with pytest.raises(BuildError, match="git"):
        snapshot.take(tmp_path / "nowhere", tmp_path / "three.tar")
