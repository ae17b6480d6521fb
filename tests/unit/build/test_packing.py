# SPDX-License-Identifier: Apache-2.0
"""What a build left in a project's folder: everything that the playbooks install, and no path of this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.build.packing import pack
from orchestrator.load.language import Language
from orchestrator.load.roles import read_vars_file
from orchestrator.model.errors import BuildError

TARGET = "trixie-x86_64"


def entry(folder: Path, name: str, content: str) -> dict[str, Any]:
    path = folder / f"{name}.tar"
    path.write_text(content)
    return {"path": str(path), "sha256": hashlib.sha256(content.encode()).hexdigest(), "key": name}


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The vars file of a build."""
    store = tmp_path / "store"
    store.mkdir()
    told = {
        "prefix": "/opt/labctl",
        "images": {"pause": entry(store, "pause", "three")},
        "image_set": entry(store, "set", "four"),
        "targets": {
            TARGET: {
                "components": {"runc": entry(store, "runc", "one"), "crun": entry(store, "crun", "two")},
                "handlers": {"runc": {"component": "runc"}},
            },
            "bookworm-x86_64": {"components": {"runc": entry(store, "runc", "one")}, "handlers": {}},
        },
    }
    path = tmp_path / "artifacts.yaml"
    path.write_text(yaml.safe_dump({"labctl_artifacts": told}))
    return path


PROJECT_FOLDER = "{{ labctl_project | default(playbook_dir ~ '/..') }}"


def packed(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_vars_file(project / ".labctl/artifacts.yaml", Language())["labctl_artifacts"]
    return found


def test_a_project_may_be_taken_anywhere(left: Path, tmp_path: Path) -> None:
    assert pack(left, tmp_path / "project") == len("onetwothreefour")
    moved = (tmp_path / "project").rename(tmp_path / "elsewhere")
    assert str(tmp_path) not in (moved / ".labctl/artifacts.yaml").read_text()
    told, was = packed(moved), yaml.safe_load(left.read_text())["labctl_artifacts"]
    for found in (told["targets"][TARGET]["components"]["runc"], told["images"]["pause"], told["image_set"]):
        path = Path(found["path"].replace(PROJECT_FOLDER, str(moved)))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == found["sha256"]
    assert {**told["targets"][TARGET]["components"]["crun"], "path": ""} == {
        **was["targets"][TARGET]["components"]["crun"],
        "path": "",
    }
    assert told["targets"][TARGET]["handlers"] == was["targets"][TARGET]["handlers"]


def test_what_is_there_is_not_copied_again_and_what_is_old_goes(left: Path, tmp_path: Path) -> None:
    pack(left, tmp_path)
    before = sorted((tmp_path / ".labctl/artifacts").iterdir())
    assert pack(left, tmp_path) == 0
    told = yaml.safe_load(left.read_text())
    for target in told["labctl_artifacts"]["targets"].values():
        target["components"]["runc"] = entry(tmp_path / "store", "runc", "another")
    left.write_text(yaml.safe_dump(told))
    assert pack(left, tmp_path) == len("another")
    after = sorted((tmp_path / ".labctl/artifacts").iterdir())
    assert len(after) == len(before) == 4
    assert len({*after} - {*before}) == 1


def test_a_spoilt_copy_is_mended(left: Path, tmp_path: Path) -> None:
    pack(left, tmp_path)
    spoilt = next((tmp_path / ".labctl/artifacts").glob("runc-*"))
    spoilt.write_text("cut o")
    assert pack(left, tmp_path) == len("one")
    assert spoilt.read_text() == "one"


def test_nothing_built_is_said(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="nothing was built yet"):
        pack(tmp_path / "artifacts.yaml", tmp_path)


def test_an_artifact_that_is_gone_is_said_and_the_vars_file_stays_away(left: Path, tmp_path: Path) -> None:
    (tmp_path / "store/crun.tar").unlink()
    with pytest.raises(BuildError, match=r"crun\.tar: cannot be packed: No such file"):
        pack(left, tmp_path / "project")
    assert not (tmp_path / "project/.labctl/artifacts.yaml").exists()
