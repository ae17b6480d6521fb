# SPDX-License-Identifier: Apache-2.0
"""What the wheel and the sdist hold."""

from __future__ import annotations

import email
import tarfile
import zipfile
from pathlib import Path

import pytest

from remote_agent.gen.runtime.v1 import cri_pb2
from tests.install.installed import REPOSITORY, Distribution, build_wheel

SHIPPED = ("playbooks", "suites", "inventories")
PACKAGES = ("orchestrator", "remote_agent")


def content_of(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files_below(folder: str) -> dict[str, bytes]:
    """Those of the repository, by their paths in it, without Python's caches."""
    return {
        str(path.relative_to(REPOSITORY)): path.read_bytes()
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("folder", SHIPPED)
def test_the_wheel_has_what_stands_at_the_top_of_the_repository(
    distribution: Distribution, folder: str
) -> None:
    content = content_of(distribution.wheel)
    prefix = "orchestrator/shipped_files/"
    shipped = {name.removeprefix(prefix): data for name, data in content.items() if name.startswith(prefix)}
    here = files_below(folder)
    assert len(here) >= 2
    assert {name: data for name, data in shipped.items() if name.startswith(f"{folder}/")} == here


def test_the_wheel_has_both_packages_whole_and_nothing_else(distribution: Distribution) -> None:
    content = content_of(distribution.wheel)
    code = {name: data for package in PACKAGES for name, data in files_below(package).items()}
    assert {path.suffix for path in map(Path, code)} >= {".py", ".j2", ".css", ".js", ".csv", ".pyi"}
    assert str(Path(cri_pb2.__file__).relative_to(REPOSITORY)) in code, "what the agent imports is generated"
    beside = {name for name in content if not name.startswith(("orchestrator/shipped_files/", "labctl-"))}
    assert {name: content[name] for name in beside} == code


def test_the_metadata_says_what_it_is(distribution: Distribution) -> None:
    content = content_of(distribution.wheel)
    (name,) = (name for name in content if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(content[name])
    assert (metadata["Name"], metadata["License-Expression"]) == ("labctl", "Apache-2.0")
    assert "pipx install labctl" in str(metadata.get_payload())
    assert any(need.startswith("pip>=") for need in metadata.get_all("Requires-Dist", []))
    assert any(name.endswith("/licenses/LICENSE") for name in content)
    entry = next(data for name, data in content.items() if name.endswith("/entry_points.txt"))
    assert b"labctl = orchestrator.cli.main:main" in entry


def test_the_sdist_gives_the_same_wheel(distribution: Distribution, tmp_path: Path) -> None:
    with tarfile.open(distribution.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    assert {"LICENSE", "README.md", "pyproject.toml"} <= {path.name for path in source.iterdir()}
    again = build_wheel(source, tmp_path / "again")
    assert content_of(again) == content_of(distribution.wheel)
