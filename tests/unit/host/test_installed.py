# SPDX-License-Identifier: Apache-2.0
"""What /opt/labctl says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from remote_agent.host.installed import installed

RUNC = {"schema": 1, "component": "runc", "version": "1.5.2", "source": "module", "key": "6e35", "files": {"bin/runc": "e57c"}}  # fmt: skip


def artifact(root: Path, component: str, key: str, text: str) -> Path:
    folder = root / "opt/labctl" / component / key
    folder.mkdir(parents=True)
    (folder / "artifact.json").write_text(text)
    return folder


def test_a_bare_host_has_nothing(tmp_path: Path) -> None:
    assert installed(str(tmp_path)) == {"components": {}, "adapters": []}


def test_what_current_names_is_installed_and_nothing_else(tmp_path: Path) -> None:
    artifact(tmp_path, "runc", "6e35", json.dumps(RUNC))
    artifact(tmp_path, "runc", "0ld0", json.dumps({**RUNC, "version": "1.4.0"}))
    artifact(tmp_path, "crun", "5c3f", json.dumps({**RUNC, "component": "crun"}))
    (tmp_path / "opt/labctl/runc/current").symlink_to("6e35")
    (tmp_path / "opt/labctl/agent/abc").mkdir(parents=True)
    (tmp_path / "opt/labctl/agent/current").symlink_to("abc")
    expected = {"version": "1.5.2", "source": "module", "key": "6e35", "files": {"bin/runc": "e57c"}}
    assert installed(str(tmp_path))["components"] == {"runc": expected}


def test_a_torn_description_is_not_an_installation(tmp_path: Path) -> None:
    for name, text in {"torn": "{", "list": "[]"}.items():
        artifact(tmp_path, name, "k", text)
        (tmp_path / "opt/labctl" / name / "current").symlink_to("k")
    assert installed(str(tmp_path))["components"] == {}


def test_adapters_are_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "opt/labctl/adapters").mkdir(parents=True)
    (tmp_path / "opt/labctl/adapters/containerd-shim-runsc-v1").touch()
    assert installed(str(tmp_path))["adapters"] == ["containerd-shim-runsc-v1"]
