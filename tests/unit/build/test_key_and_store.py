# SPDX-License-Identifier: Apache-2.0
"""An artifact's key changes with everything that could change its bits; the store has it whole, or says what is wrong."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.build.artifacts import entries_of, read_artifacts, targets_built, write_artifacts
from orchestrator.build.key import inputs_of, key_of
from orchestrator.build.snapshot import take
from orchestrator.build.store import Spoilt, Store
from orchestrator.files import sha256_of
from orchestrator.model.artifact import (
    Artifact,
    ImageArtifact,
    ImageSet,
    MissingComponent,
    Target,
    TargetArtifacts,
)
from orchestrator.model.component import Component, GoBuild, GoTarget, Handler, Source, Toolchain
from orchestrator.model.errors import BuildError
from tests.unit.build.trees import git_tree

GO = GoBuild("example.org/runc", (GoTarget("example.org/runc", "bin/runc"),), tags=("seccomp",), cgo=True)
TOOLCHAIN = Toolchain("1.26.8", {"linux-amd64": "a" * 64})
TARGET = Target("x86_64", "trixie")


@pytest.fixture
def component(tmp_path: Path) -> Component:
    folder = tmp_path / "components/runc"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("require example.org/runc v1.5.2\n")
    (folder / "go.sum").write_text("example.org/runc v1.5.2 h1:abc=\n")
    return Component(
        "runc", folder, Source.MODULE, "1.5.2", go=GO, needs=("gcc",), handler=Handler("runc", "bin/runc")
    )


def key(component: Component, toolchain: Toolchain = TOOLCHAIN, target: Target = TARGET) -> str:
    return key_of(inputs_of(component, toolchain, target, None))


CHANGES: dict[str, Callable[[Component], Component]] = {
    "a tag": lambda one: replace(one, go=replace(GO, tags=("seccomp", "more"))),
    "the linker's flags": lambda one: replace(one, go=replace(GO, ldflags="-s")),
    "cgo": lambda one: replace(one, go=replace(GO, cgo=False)),
    "the version": lambda one: replace(one, version="1.5.3"),
    "a Debian package": lambda one: replace(one, needs=("gcc", "libseccomp-dev")),
    "another program": lambda one: replace(
        one, go=replace(GO, targets=(*GO.targets, GoTarget("p", "bin/p")))
    ),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_may_change_the_bits_changes_the_key(component: Component, change: str) -> None:
    assert key(CHANGES[change](component)) != key(component)


def test_so_do_the_toolchain_the_target_and_the_lock(component: Component) -> None:
    keys = {
        key(component),
        key(component, replace(TOOLCHAIN, version="1.26.9")),
        key(component, target=Target("aarch64", "trixie")),
        key(component, target=Target("x86_64", "bookworm")),
    }
    (component.folder / "go.sum").write_text("example.org/runc v1.5.2 h1:abd=\n")
    assert len(keys | {key(component)}) == 5


def test_words_about_it_do_not(component: Component) -> None:
    assert key(replace(component, summary="Another", optional=True, handler=None)) == key(component)
    pure = replace(component, go=replace(GO, cgo=False))
    assert key(pure, target=Target("x86_64", "bookworm")) == key(pure), "without C the release says nothing"


def test_a_checkout_is_its_files(component: Component, tmp_path: Path) -> None:
    tree = git_tree(tmp_path / "tree", {"go.mod": "module example.org/runc\n\ngo 1.26\n", "main.go": "one\n"})
    mine = replace(component, source=Source.CHECKOUT, checkout=tree)

    def inputs() -> dict[str, Any]:
        take(tree, tmp_path / "tree.tar")
        return inputs_of(mine, TOOLCHAIN, TARGET, tmp_path / "tree.tar")

    first = inputs()
    keys = [key_of(first)]
    for name, content in (("main.go", "two\n"), ("new.go", "new\n"), ("vendor/modules.txt", "")):
        before = (tree / name).read_text() if (tree / name).exists() else None
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(content)
        keys.append(key_of(inputs()))
        if name.startswith("vendor"):
            assert inputs()["flags"][0] == "-mod=vendor"
        if before is None:
            (tree / name).unlink()
        else:
            (tree / name).write_text(before)
        assert inputs() == first, "reverted, it is the artifact of before"
    assert first["flags"][0] == "-mod=readonly"
    assert len(set(keys)) == 4


def built(folder: Path, content: str = "#!/bin/sh\n") -> Path:
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin/runc").write_text(content)
    return folder


def put(store: Store, component: Component, out: Path) -> Artifact:
    return store.put(component, key(component), "x86_64", out, {"commands": ["go build"]})


def test_what_was_put_is_found_and_unpacks_to_its_own_folder(component: Component, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert store.find(component, key(component)) is None
    made = put(store, component, built(tmp_path / "out"))
    assert store.find(component, made.key) == made
    assert made.programs == {"runc": "/opt/labctl/runc/current/bin/runc"}
    assert store.provenance(made)["commands"] == ["go build"]
    with tarfile.open(made.path) as packed:
        entries = {entry.name: entry for entry in packed}
    program = entries[f"runc/{made.key}/bin/runc"]
    assert (program.mode, program.uid, program.mtime) == (0o755, 0, 0)
    assert f"runc/{made.key}/artifact.json" in entries


def test_the_same_files_are_the_same_bytes(component: Component, tmp_path: Path) -> None:
    first = put(Store(tmp_path / "one"), component, built(tmp_path / "out"))
    again = put(Store(tmp_path / "two"), component, built(tmp_path / "again"))
    assert first.sha256 == again.sha256


def test_a_flipped_byte_is_seen_and_a_new_artifact_takes_its_place(
    component: Component, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    made = put(store, component, built(tmp_path / "out"))
    tar = bytearray(Path(made.path).read_bytes())
    tar[600] ^= 1
    Path(made.path).write_bytes(tar)
    found = store.find(component, made.key)
    assert isinstance(found, Spoilt)
    assert "is not what was built" in found.what
    put(store, component, built(tmp_path / "out"))
    assert store.find(component, made.key) == made
    assert sha256_of(Path(made.path)) == made.sha256


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_provenance_that_cannot_be_read_is_spoilt_too(
    component: Component, tmp_path: Path, text: str
) -> None:
    store = Store(tmp_path / "store")
    made = put(store, component, built(tmp_path / "out"))
    Path(made.path).with_name("provenance.json").write_text(text)
    assert isinstance(store.find(component, made.key), Spoilt)


def test_a_build_that_left_nothing_is_not_taken_in(component: Component, tmp_path: Path) -> None:
    store, out = Store(tmp_path / "store"), tmp_path / "out"
    (out / "bin").mkdir(parents=True)
    (out / "bin/other").write_text("x")
    with pytest.raises(BuildError, match="left no bin/runc"):
        put(store, component, out)
    assert store.find(component, key(component)) is None
    assert not list((tmp_path / "store").glob("*/*"))


def test_what_a_killed_build_left_aside_is_swept(component: Component, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made = put(store, component, built(tmp_path / "out"))
    half = tmp_path / f"store/runc/.{made.key}.0a0b"
    half.mkdir()
    store.sweep()
    assert not half.exists()
    assert store.find(component, made.key) == made


def test_the_vars_file_says_it_to_roles(component: Component, tmp_path: Path) -> None:
    made = put(Store(tmp_path / "store"), component, built(tmp_path / "out"))
    image = ImageArtifact("pause", "localhost/labctl/pause:1", "/x/pause.tar", "b" * 64, "sha256:" + "c" * 64)
    path = tmp_path / "artifacts.yaml"
    images = ImageSet((image,), "k", "/x/set.tar", "d" * 64)
    missing = MissingComponent("crun", "It is too old.", "crun")
    write_artifacts(path, images, [TargetArtifacts(TARGET, (made,), (missing,))])
    told = read_artifacts(path)
    of_target = entries_of(told, TARGET)
    assert of_target["missing"] == {"crun": {"reason": "It is too old.", "handler": "crun"}}
    assert of_target["handlers"] == {
        "runc": {"component": "runc", "kind": "runc", "program": "/opt/labctl/runc/current/bin/runc"}
    }
    assert of_target["components"]["runc"]["sha256"] == made.sha256
    assert told["images"]["pause"]["ref"] == "localhost/labctl/pause:1"
    written = path.stat().st_mtime_ns
    write_artifacts(path, images)
    assert path.stat().st_mtime_ns == written, "nothing new, so nothing is written"
    assert json.loads(json.dumps(read_artifacts(path))) == told


def test_a_build_for_one_release_leaves_what_another_has(component: Component, tmp_path: Path) -> None:
    made = put(Store(tmp_path / "store"), component, built(tmp_path / "out"))
    path, older = tmp_path / "artifacts.yaml", Target("x86_64", "bookworm")
    images = ImageSet((), "k", "/x/set.tar", "d" * 64)
    write_artifacts(path, images, [TargetArtifacts(older, (made,))])
    write_artifacts(path, images, [TargetArtifacts(TARGET, ())])
    assert set(targets_built(path)) == {older, TARGET}
    assert "runc" in entries_of(read_artifacts(path), older)["components"]
    assert entries_of(read_artifacts(path), TARGET)["components"] == {}
    assert entries_of(read_artifacts(path), Target("aarch64", "trixie")) == {}
