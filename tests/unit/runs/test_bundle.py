# SPDX-License-Identifier: Apache-2.0
"""The agent's archive: the same bytes for the same inputs, other bytes for others, each wheel asked for once."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.errors import RunError
from orchestrator.runs.bundle import Bundles, Target, pip_download

TRIXIE = Target("3.13", "glibc", "2.41", "x86_64")


class FakeIndex:
    def __init__(self) -> None:
        self.asked: list[tuple[Target, tuple[str, ...]]] = []

    def __call__(self, target: Target, requirements: Sequence[str], folder: Path) -> None:
        self.asked.append((target, tuple(requirements)))
        for name in ("grpcio", "protobuf"):
            with zipfile.ZipFile(folder / f"{name}.whl", "w") as wheel:
                wheel.writestr(f"{name}/__init__.py", f"# {target.python}")
                wheel.writestr(f"{name}/tests/test_it.py", "")
                wheel.writestr(f"{name}/_c.pyx", "")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "src" / "remote_agent"
    (package / "agent" / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "agent" / "main.py").write_text("print('hello')\n")
    (package / "agent" / "__pycache__" / "main.pyc").write_bytes(b"x")
    return package


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, package: Path) -> None:
    one = Bundles(tmp_path / "one", package, FakeIndex()).bundle(TRIXIE)
    for path in package.rglob("*.py"):
        path.touch()
    other = Bundles(tmp_path / "other", package, FakeIndex()).bundle(TRIXIE)
    assert one == replace(other, path=one.path)
    assert one.path.read_bytes() == other.path.read_bytes()
    assert one.size == one.path.stat().st_size
    assert one.version == one.sha256[:12]


def test_it_holds_the_agent_its_wheels_and_the_marker_last(tmp_path: Path, package: Path) -> None:
    bundle = Bundles(tmp_path / "cache", package, FakeIndex()).bundle(TRIXIE)
    with tarfile.open(bundle.path) as archive:
        members = archive.getmembers()
        assert [member.name for member in members if member.isfile()] == [
            "remote_agent/__init__.py",
            "remote_agent/agent/main.py",
            "wheels/grpcio/__init__.py",
            "wheels/protobuf/__init__.py",
            ".complete",
        ]
        assert {(member.uid, member.mtime, member.mode) for member in members if member.isfile()} == {
            (0, 0, 0o644)
        }
        assert "remote_agent/agent" in [member.name for member in members if member.isdir()]


def test_another_source_or_python_gives_another_version(tmp_path: Path, package: Path) -> None:
    index, cache = FakeIndex(), tmp_path / "cache"
    one = Bundles(cache, package, index).bundle(TRIXIE)
    bookworm = Bundles(cache, package, index).bundle(replace(TRIXIE, python="3.11", libc_version="2.36"))
    (package / "agent" / "main.py").write_text("print('hello!')\n")
    changed = Bundles(cache, package, index).bundle(TRIXIE)
    assert len({one.version, bookworm.version, changed.version}) == 3
    assert len(index.asked) == 2, "the wheels of one kind of host are downloaded once"


def test_many_hosts_at_once_make_one_bundle(tmp_path: Path, package: Path) -> None:
    index = FakeIndex()
    bundles = Bundles(tmp_path / "cache", package, index)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: bundles.bundle(TRIXIE), range(8)))
    assert len(set(made)) == len(index.asked) == 1
    requirement = index.asked[0][1][0]
    assert requirement.startswith("grpcio==")


def test_a_download_that_fails_leaves_nothing_behind(tmp_path: Path, package: Path) -> None:
    def fail(target: Target, requirements: Sequence[str], folder: Path) -> None:
        (folder / "half.whl").write_bytes(b"")
        raise RunError("no wheels.")

    with pytest.raises(RunError, match="no wheels"):
        Bundles(tmp_path / "cache", package, fail).bundle(TRIXIE)
    assert list((tmp_path / "cache" / "wheels").iterdir()) == []


@pytest.mark.parametrize(
    ("target", "first", "last", "count"),
    [
        (TRIXIE, "manylinux_2_41_x86_64", "manylinux2014_x86_64", 26),
        (Target("3.12", "musl", "1.2.5", "aarch64"), "musllinux_1_2_aarch64", "musllinux_1_1_aarch64", 2),
    ],
)
def test_the_platforms_that_a_host_can_load(target: Target, first: str, last: str, count: int) -> None:
    assert (target.platforms[0], target.platforms[-1], len(target.platforms)) == (first, last, count)


def test_an_unknown_libc_is_refused_with_a_sentence() -> None:
    with pytest.raises(RunError, match="no wheels for bionic"):
        _ = Target("3.12", "bionic", "1", "x86_64").platforms


def test_pip_is_asked_for_the_hosts_wheels_and_its_last_line_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = tmp_path / "python"
    pip.write_text('#!/bin/sh\necho "$@" > "$0.args"\necho "ERROR: no such thing" >&2\nexit 1\n')
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(RunError, match=r"grpcio==1 for Python 3.13 on x86_64: ERROR: no such thing"):
        pip_download(TRIXIE, ["grpcio==1"], tmp_path)
    asked = (tmp_path / "python.args").read_text()
    assert "--only-binary=:all:" in asked
    assert "--python-version 3.13 --platform manylinux_2_41_x86_64" in asked
