# SPDX-License-Identifier: Apache-2.0
"""The image store: what is whole is taken, what is torn is made again, a failing tool leaves nothing behind."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from orchestrator.build.artifacts import write_artifacts
from orchestrator.build.images import IMAGES, TOOLS, build_images
from orchestrator.model.errors import BuildError


class FakeTools:
    """Does what the tools would leave on disk; ``fails`` names the program that does not work."""

    def __init__(self, fails: str | None = None) -> None:
        self.calls: list[str] = []
        self.fails = fails

    def __call__(self, command: Sequence[str], folder: Path) -> str:
        self.calls.append(command[0])
        if command[0] == self.fails:
            raise BuildError(f"{command[0]} failed with exit code 1: no")
        return getattr(self, command[0].replace("-", "_").rsplit("/", 1)[-1])(command, folder)  # type: ignore[no-any-return]

    def apt_get(self, command: Sequence[str], folder: Path) -> str:
        for name in ("busybox-static_1_amd64.deb", "catatonit_2_amd64.deb"):
            (folder / name).write_text("deb")
        return ""

    def dpkg_deb(self, command: Sequence[str], folder: Path) -> str:
        for place in ("bin/busybox", "usr/bin/catatonit"):
            path = folder / "packages" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(place)
        return ""

    def busybox(self, command: Sequence[str], folder: Path) -> str:
        return "sh\nls\nbusybox\n"

    def umoci(self, command: Sequence[str], folder: Path) -> str:
        if command[1] == "init":
            layout = folder / command[3]
            layout.mkdir()
            (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:" + "0" * 64}]}))
        return ""

    def skopeo(self, command: Sequence[str], folder: Path) -> str:
        name = command[-1].split(":")[1]
        (folder / name).write_bytes((folder / f"{name.removesuffix('.tar')}.layer").read_bytes())
        return ""


@pytest.fixture(autouse=True)
def _tools_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: f"/usr/bin/{tool}")


def test_second_build_runs_no_tool(tmp_path: Path) -> None:
    tools = FakeTools()
    first = build_images(tmp_path, tools)
    assert [artifact.name for artifact in first] == [image.name for image in IMAGES]
    tools.calls.clear()
    assert build_images(tmp_path, tools) == first
    assert tools.calls == []


def test_a_flipped_byte_is_noticed_and_mended(tmp_path: Path) -> None:
    first = build_images(tmp_path, FakeTools())
    archive = Path(first[0].path)
    archive.write_bytes(b"x" + archive.read_bytes()[1:])
    assert build_images(tmp_path, FakeTools()) == first
    with tarfile.open(archive) as tar:
        assert tar.getmember("bin/sh").linkname == "busybox"


def test_every_entry_is_roots_and_of_1970(tmp_path: Path) -> None:
    for artifact in build_images(tmp_path, FakeTools()):
        with tarfile.open(artifact.path) as tar:
            assert {(entry.mtime, entry.uid, entry.gid) for entry in tar} == {(0, 0, 0)}
            assert ("catatonit" in tar.getnames()) == (artifact.name == "pause")


@pytest.mark.parametrize("tool", ["apt-get", "dpkg-deb", "umoci", "skopeo"])
def test_a_failing_tool_leaves_nothing(tmp_path: Path, tool: str) -> None:
    with pytest.raises(BuildError, match=tool):
        build_images(tmp_path, FakeTools(fails=tool))
    assert list((tmp_path / "images").iterdir()) == []


def test_old_package_lists_are_fetched_once(tmp_path: Path) -> None:
    class OldLists(FakeTools):
        def apt_get(self, command: Sequence[str], folder: Path) -> str:
            if "update" not in command and self.calls.count("apt-get") == 1:
                raise BuildError("apt-get download failed with exit code 100: unable to locate package")
            return super().apt_get(command, folder)

    tools = OldLists()
    assert len(build_images(tmp_path, tools)) == len(IMAGES)
    assert tools.calls.count("apt-get") == 3


def test_a_missing_tool_is_one_sentence_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "umoci" else tool)
    with pytest.raises(BuildError) as caught:
        build_images(tmp_path, FakeTools())
    assert "umoci is missing" in caught.value.message
    assert caught.value.hint == f"Install it: apt-get install {TOOLS['umoci']}"


def test_vars_file_is_written_only_when_it_says_something_new(tmp_path: Path) -> None:
    artifacts = build_images(tmp_path, FakeTools())
    path = tmp_path / "state" / "artifacts.yaml"
    write_artifacts(path, artifacts)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write_artifacts(path, artifacts)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    entries = yaml.safe_load(path.read_text())["labctl_artifacts"]["images"]
    assert entries["pause"]["sha256"] == artifacts[1].sha256
    assert sorted(entries["pause"]) == ["digest", "path", "ref", "sha256"]
