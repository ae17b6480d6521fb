# SPDX-License-Identifier: Apache-2.0
"""The image store: what is whole is taken, what is torn is made again, a failing tool leaves nothing behind; the lock is held to."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from orchestrator.build.artifacts import write_artifacts
from orchestrator.build.images import IMAGES, build_images
from orchestrator.build.recipe import DEBIAN_NAMES
from orchestrator.load.image_lock import load_image_lock, lock_text
from orchestrator.model.artifact import ImageSet
from orchestrator.model.component import DebianPackage
from orchestrator.model.errors import BuildError, ConfigError
from orchestrator.model.image_lock import ImageLock

ARCHITECTURE = DEBIAN_NAMES.get(platform.machine(), platform.machine())
NAMES = ("busybox-static", "catatonit", "libc6", "libm", "sysbench")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
FILES = {
    "busybox-static": ["usr/bin/busybox"],
    "catatonit": ["usr/bin/catatonit"],
    "libc6": ["usr/lib64/ld-linux-x86-64.so.2", f"{LIBRARIES}/libc.so.6", f"{LIBRARIES}/libunused.so.1"],
    "libm": [f"{LIBRARIES}/libm.so.6"],
    "sysbench": ["usr/bin/sysbench", "usr/share/doc/sysbench/changelog"],
}


def deb(name: str, version: str) -> bytes:
    return f"{name} {version}".encode()


def package(name: str, version: str = "1") -> DebianPackage:
    sha256 = {ARCHITECTURE: hashlib.sha256(deb(name, version)).hexdigest()}
    return DebianPackage(name, version, "trixie", sha256)


LOCK = ImageLock("trixie", tuple(package(name) for name in NAMES), frozenset({"sysbench"}))


class FakeTools:
    """Does what the tools would leave on disk; ``fails`` names the program that does not work, ``mirror`` what Debian has now."""

    def __init__(self, fails: str | None = None, **mirror: str) -> None:
        self.calls: list[str] = []
        self.labels: list[str] = []
        self.fails = fails
        self.mirror = dict.fromkeys(NAMES, "1") | {name.replace("_", "-"): v for name, v in mirror.items()}
        self.loads = ["libm.so.6 => {packages}/usr/lib/x86_64-linux-gnu/libm.so.6 (0x00007f)"]

    def __call__(self, command: Sequence[str], folder: Path) -> str:
        name = command[0].rsplit("/", 1)[-1]
        self.calls.append(name)
        if name == self.fails:
            raise BuildError(f"{name} failed with exit code 1: no")
        return getattr(self, re.sub(r"\W", "_", name))(command, folder)  # type: ignore[no-any-return]

    def apt_get(self, command: Sequence[str], folder: Path) -> str:
        if "download" in command:
            for word in command[command.index("download") + 1 :]:
                name, _, version = word.partition("=")
                (folder / f"{name}_{version}_amd64.deb").write_bytes(deb(name, version))
        return ""

    def apt_cache(self, command: Sequence[str], folder: Path) -> str:
        assert any(word.startswith("Dir::State=") for word in command), "never this machine's own lists"
        return "\n\n".join(
            f"Package: {name}\nVersion: {version}\nSHA256: {hashlib.sha256(deb(name, version)).hexdigest()}\nSize: 1"
            for name, version in self.mirror.items()
        )

    def dpkg_deb(self, command: Sequence[str], folder: Path) -> str:
        name = command[2].partition("_")[0]
        for file in FILES[name]:
            path = folder / command[3] / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file)
        return ""

    def busybox(self, command: Sequence[str], folder: Path) -> str:
        return "sh\nls\nbusybox\n"

    def ld_linux_x86_64_so_2(self, command: Sequence[str], folder: Path) -> str:
        packages = command[0].removesuffix("/usr/lib64/ld-linux-x86-64.so.2")
        lines = [
            "linux-vdso.so.1 (0x00007f)",
            *self.loads,
            "libc.so.6 => {packages}/usr/lib/x86_64-linux-gnu/libc.so.6 (0x00007f)",
            "/lib64/ld-linux-x86-64.so.2 => {packages}/usr/lib64/ld-linux-x86-64.so.2 (0x00007f)",
        ]
        return "".join(f"\t{line.format(packages=packages)}\n" for line in lines)

    def umoci(self, command: Sequence[str], folder: Path) -> str:
        self.labels += [word for word in command if word.startswith("--config.label=")]
        if command[1] == "init":
            layout = folder / command[3]
            layout.mkdir()
            (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:" + "0" * 64}]}))
        return ""

    def skopeo(self, command: Sequence[str], folder: Path) -> str:
        target = Path(command[-1].split(":")[1])
        target.write_bytes((folder / f"{target.stem}.layer").read_bytes())
        return ""


@pytest.fixture(autouse=True)
def _tools_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: f"/usr/bin/{tool}")


def made(
    folder: Path, tools: FakeTools | None = None, lock: ImageLock = LOCK, said: list[str] | None = None
) -> ImageSet:
    return build_images(
        folder, lock, lambda: ["deb [] mirror trixie main"], tools or FakeTools(), (said or []).append
    )


def test_second_build_runs_no_tool_and_asks_for_no_mirror(tmp_path: Path) -> None:
    tools = FakeTools()
    first = made(tmp_path, tools)
    assert [artifact.name for artifact in first.images] == [image.name for image in IMAGES]
    tools.calls.clear()

    def no_mirror() -> Sequence[str]:
        raise AssertionError

    assert build_images(tmp_path, LOCK, no_mirror, tools) == first
    assert tools.calls == []


@pytest.mark.parametrize("which", ["busybox.tar", "set.tar"])
def test_a_flipped_byte_is_noticed_and_mended(tmp_path: Path, which: str) -> None:
    first = made(tmp_path)
    archive = Path(first.path).with_name(which)
    archive.write_bytes(b"x" + archive.read_bytes()[1:])
    assert made(tmp_path) == first
    with tarfile.open(first.images[0].path) as tar:
        assert tar.getmember("bin/sh").linkname == "busybox"


def test_every_entry_is_roots_and_of_1970(tmp_path: Path) -> None:
    for artifact in made(tmp_path).images:
        with tarfile.open(artifact.path) as tar:
            assert {(entry.mtime, entry.uid, entry.gid) for entry in tar} == {(0, 0, 0)}
            assert ("catatonit" in tar.getnames()) == (artifact.name == "pause")


def test_sysbench_has_what_its_loader_loads_and_nothing_else(tmp_path: Path) -> None:
    (artifact,) = [one for one in made(tmp_path).images if one.name == "sysbench"]
    with tarfile.open(artifact.path) as tar:
        files = {entry.name for entry in tar if entry.isreg()} - {"etc/group", "etc/passwd"}
        assert files == {
            "bin/busybox", "usr/bin/sysbench", "usr/lib64/ld-linux-x86-64.so.2",
            f"{LIBRARIES}/libc.so.6", f"{LIBRARIES}/libm.so.6",
        }  # fmt: skip
        assert (tar.getmember("lib64").linkname, tar.getmember("lib").linkname) == ("usr/lib64", "usr/lib")
        assert tar.getmember("bin/sh").linkname == "busybox"


@pytest.mark.parametrize(
    "line", ["libm.so.6 => not found", "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)"]
)
def test_a_library_of_this_machine_in_place_of_one_that_is_missing_is_refused(
    tmp_path: Path, line: str
) -> None:
    tools = FakeTools()
    tools.loads = [line]
    with pytest.raises(BuildError, match=r"sysbench loads libm.so.6, which none of the images' packages has"):
        made(tmp_path, tools)


@pytest.mark.parametrize("tool", ["apt-get", "apt-cache", "dpkg-deb", "umoci", "skopeo"])
def test_a_failing_tool_leaves_nothing(tmp_path: Path, tool: str) -> None:
    with pytest.raises(BuildError, match=tool):
        made(tmp_path, FakeTools(fails=tool))
    assert list((tmp_path / "images").iterdir()) == []


def test_what_measures_is_held_to_the_lock(tmp_path: Path) -> None:
    with pytest.raises(
        BuildError, match=r"sysbench 1 is locked .* mirror has 2: numbers of the two"
    ) as caught:
        made(tmp_path, FakeTools(sysbench="2"))
    assert caught.value.hint == "Lock what is there now: labctl build --pin images@latest"


def test_a_library_that_the_mirror_moved_on_from_is_taken_said_and_recorded(tmp_path: Path) -> None:
    said: list[str] = []
    tools = FakeTools(libm="2")
    artifact = build_images(tmp_path, LOCK, list, tools, said.append)
    assert "libm 1 is not on the mirror any more: 2 is taken" in "\n".join(said)
    index = json.loads(Path(artifact.path).with_name("index.json").read_text())
    told = {one["name"]: (one["version"], one["locked"]) for one in index["packages"]}
    assert told == {**dict.fromkeys(NAMES, ("1", True)), "libm": ("2", False)}
    assert "--config.label=labctl.not-as-locked=libm" in tools.labels
    sha256 = hashlib.sha256(deb("sysbench", "1")).hexdigest()
    assert f"--config.label=debian.package.sysbench=1 sha256:{sha256}" in tools.labels


def test_the_same_version_with_other_bytes_is_refused(tmp_path: Path) -> None:
    other = replace(package("libm"), sha256={ARCHITECTURE: "a" * 64})
    packages = tuple(other if one.name == "libm" else one for one in LOCK.packages)
    with pytest.raises(BuildError, match=r"libm_1_amd64.deb has sha256"):
        made(tmp_path, lock=replace(LOCK, packages=packages))


def test_another_architecture_has_no_hash_of_what_is_held(tmp_path: Path) -> None:
    packages = tuple(replace(one, sha256={"elsewhere": "a" * 64}) for one in LOCK.packages)
    with pytest.raises(BuildError, match=f"sysbench 1 has no sha256 for {ARCHITECTURE}"):
        made(tmp_path, lock=replace(LOCK, packages=packages))
    free = replace(LOCK, packages=packages, held=frozenset())
    assert len(made(tmp_path, lock=free).images) == len(IMAGES)


def test_a_missing_tool_is_one_sentence_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "umoci" else tool)
    with pytest.raises(BuildError) as caught:
        made(tmp_path)
    assert "umoci is missing" in caught.value.message
    assert caught.value.hint == "Run: sudo apt-get install --no-install-recommends umoci"


def test_vars_file_is_written_only_when_it_says_something_new(tmp_path: Path) -> None:
    artifacts = made(tmp_path)
    path = tmp_path / "state" / "artifacts.yaml"
    write_artifacts(path, artifacts)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write_artifacts(path, artifacts)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    told = yaml.safe_load(path.read_text())["labctl_artifacts"]
    assert told["images"]["pause"]["sha256"] == artifacts.images[1].sha256
    assert sorted(told["images"]["pause"]) == ["digest", "path", "ref", "sha256"]
    assert told["image_set"] == {"key": artifacts.key, "path": artifacts.path, "sha256": artifacts.sha256}


def test_the_set_is_an_artifact_that_tells_what_the_images_are_made_of(tmp_path: Path) -> None:
    artifacts = made(tmp_path)
    with tarfile.open(artifacts.path) as tar:
        stream = tar.extractfile(f"images/{artifacts.key}/artifact.json")
        assert stream
        told = json.load(stream)
        blobs = [name for name in tar.getnames() if "/registry/v2/labctl/layers/blobs/sha256:" in name]
        assert sum(tar.getmember(name).size for name in blobs) > 20 << 20
    assert (told["component"], told["version"], told["key"]) == ("images", "trixie", artifacts.key)
    assert told["files"]["sysbench_1_amd64.deb"] == hashlib.sha256(deb("sysbench", "1")).hexdigest()
    other = made(tmp_path / "other", FakeTools(libm="2"))
    assert other.key != artifacts.key, "hosts with other images are told apart"


# --- the lock's file


def lock_file(folder: Path, text: str) -> Path:
    path = folder / "packages.yaml"
    path.write_text(text)
    return path


def test_a_lock_that_is_written_is_read_again_as_it_was(tmp_path: Path) -> None:
    found = {
        one.name: replace(one, version="2" if one.name == "libm" else "1", sha256={"here": "b" * 64})
        for one in LOCK.packages
    }
    again = load_image_lock(lock_file(tmp_path, lock_text(LOCK, found, "arm64")))
    locked = {one.name: one for one in again.packages}
    assert (again.release, again.held) == (LOCK.release, LOCK.held)
    assert (locked["libm"].version, locked["libm"].sha256) == ("2", {"arm64": "b" * 64})
    assert locked["sysbench"].sha256 == {**package("sysbench").sha256, "arm64": "b" * 64}


def test_the_lock_names_the_place_of_what_is_wrong(tmp_path: Path) -> None:
    path = lock_file(tmp_path, "release: trixie\nheld: [nosuch]\npackages: {a: {version: '1', sha256: {}}}\n")
    with pytest.raises(ConfigError, match="nosuch is none of the packages") as caught:
        load_image_lock(path)
    assert caught.value.line == 2


def test_the_lock_that_is_shipped_holds_sysbench() -> None:
    lock = load_image_lock(Path(__file__).parents[3] / "playbooks/components/images/packages.yaml")
    assert "sysbench" in lock.held
    assert {"busybox-static", "catatonit", "libc6", "sysbench"} <= {one.name for one in lock.packages}
