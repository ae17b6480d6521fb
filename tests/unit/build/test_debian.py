# SPDX-License-Identifier: Apache-2.0
"""Debian's packages of one release: the locked ones, whole, or a sentence that says what the mirror has instead."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.build.debian import Apt, download_locked, locked_package
from orchestrator.model.component import DebianPackage
from orchestrator.model.errors import BuildError

CONTENT = b"a package"
PACKAGE = DebianPackage("crun", "2:1.21-1", "trixie", {"amd64": hashlib.sha256(CONTENT).hexdigest()})


class Mirror:
    """apt's commands, of a mirror that has the versions ``offered`` of every package."""

    def __init__(self, *offered: str) -> None:
        self.offered = offered
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str], folder: Path) -> str:
        self.commands.append(command)
        if "madison" in command:
            return "".join(
                f" {command[-1]} | {version} | trixie/main amd64 Packages\n" for version in self.offered
            )
        if "show" in command:
            name, _, version = command[-1].partition("=")
            chosen = version or self.offered[-1]
            stanza = f"Package: {name}\nVersion: {chosen}\nSHA256: {'b' * 64}\n"
            return stanza if chosen in self.offered else ""
        if "download" in command:
            name, _, version = command[-1].partition("=")
            (folder / f"{name}_{version.replace(':', '%3a')}_amd64.deb").write_bytes(CONTENT)
        return ""


def apt(folder: Path, mirror: Mirror, architecture: str = "amd64") -> Apt:
    return Apt(folder / "apt", mirror, architecture)


def test_a_package_is_held_to_its_sha256_and_named_without_its_epoch(tmp_path: Path) -> None:
    mirror = Mirror("1.8-1", "2:1.21-1")
    commands = download_locked([PACKAGE], apt(tmp_path, mirror), "crun", tmp_path / "out")
    assert commands == ("apt-get download crun=2:1.21-1",)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["crun_1.21-1_amd64.deb"]
    assert all("APT::Architecture=amd64" in command for command in mirror.commands)


def test_other_bytes_of_the_same_version_are_refused(tmp_path: Path) -> None:
    other = replace(PACKAGE, sha256={"amd64": "a" * 64})
    with pytest.raises(BuildError, match=r"and its component\.yaml says a"):
        download_locked([other], apt(tmp_path, Mirror("2:1.21-1")), "crun", tmp_path / "out")


def test_where_the_mirror_has_moved_on_its_versions_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        BuildError, match=r"2:1\.21-1 is not in Debian trixie any more \(there is 2:1\.21-2\)"
    ) as caught:
        download_locked([PACKAGE], apt(tmp_path, Mirror("2:1.21-2")), "crun", tmp_path / "out")
    assert caught.value.hint == "Lock another: labctl build --pin crun@latest"


def test_an_architecture_without_a_lock_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    mirror = Mirror("2:1.21-1")
    with pytest.raises(BuildError, match="no sha256 for arm64"):
        download_locked([PACKAGE], apt(tmp_path, mirror, "arm64"), "crun", tmp_path / "out")
    assert mirror.commands == []


def test_the_newest_or_a_named_version_can_be_locked(tmp_path: Path) -> None:
    mirror = apt(tmp_path, Mirror("1.8-1", "1.21-1"))
    assert locked_package("crun", "latest", "trixie", mirror).version == "1.21-1"
    assert locked_package("crun", "1.8-1", "trixie", mirror).version == "1.8-1"
    with pytest.raises(BuildError, match=r"Debian trixie has no crun 3"):
        locked_package("crun", "3", "trixie", mirror)
