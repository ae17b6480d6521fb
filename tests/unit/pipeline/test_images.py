# SPDX-License-Identifier: Apache-2.0
"""Which lock of the container images counts, and where a new one is written: never into what comes with labctl."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.load.image_lock import load_image_lock
from orchestrator.model.artifact import ImageSet
from orchestrator.model.image_lock import ImageLock
from orchestrator.pipeline import images as pipeline
from orchestrator.pipeline.images import image_lock, images, pin_images
from orchestrator.shipped import component_folders, shipped

LOCK = "images/packages.yaml"
SHIPPED = shipped() / "playbooks/components" / LOCK
SET = ImageSet((), "k", "/set.tar", "s")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def newest(lock: ImageLock, *_: object) -> dict[str, object]:
        return {package.name: replace(package, version="99") for package in lock.packages}

    monkeypatch.setattr(pipeline, "newest", newest)
    monkeypatch.setattr(pipeline, "sources", lambda lock: ())
    monkeypatch.setattr(pipeline, "lock_text", lambda lock, found, machine: "new lock\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pin(folders: tuple[Path, ...]) -> Path:
    """Return the lock's file."""
    version, lock = pin_images("x86_64", lambda text: None, folders)
    assert "sysbench 99" in version
    return lock


def test_a_new_lock_is_written_to_the_project_and_then_wins(project: Path) -> None:
    before = SHIPPED.read_bytes()
    assert image_lock(component_folders()) == SHIPPED
    assert pin(component_folders()) == Path("components") / LOCK
    assert (project / "components" / LOCK).read_text() == "new lock\n"
    assert image_lock(component_folders()) == Path("components") / LOCK
    assert SHIPPED.read_bytes() == before


def test_a_folder_that_is_named_keeps_its_lock(project: Path) -> None:
    """`--components playbooks/components`, as a maintainer types it in the repository."""
    shutil.copytree(SHIPPED.parent, project / "theirs/images")
    pin((Path("theirs"), *component_folders()))
    assert (project / "theirs" / LOCK).read_text() == "new lock\n"
    assert not (project / "components").exists()


def test_a_folder_that_is_named_and_has_no_lock_gets_none(project: Path) -> None:
    (project / "theirs").mkdir()
    pin((Path("theirs"), *component_folders()))
    assert list((project / "theirs").iterdir()) == []
    assert (project / "components" / LOCK).is_file()


def test_the_projects_own_lock_is_used_with_a_word(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[ImageLock] = []

    def build_images(cache: Path, lock: ImageLock, sources: object, *, say: object) -> ImageSet:
        locks.append(lock)
        return SET

    monkeypatch.setattr(pipeline, "build_images", build_images)
    messages: list[str] = []
    images(project, messages.append)
    assert (locks, messages) == ([load_image_lock(SHIPPED)], [])
    shutil.copytree(SHIPPED.parent, project / "components/images")
    own = project / "components" / LOCK
    own.write_text(own.read_text().replace("release: trixie", "release: forky"))
    images(project, messages.append)
    assert locks[1].release == "forky"
    assert messages == [f"components/{LOCK} goes before the lock that comes with labctl"]
