# SPDX-License-Identifier: Apache-2.0
"""Handlers of an inventory: checked where they are written, before a host is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.component import declared_handlers
from orchestrator.load.handlers import HostHandler, extra_handlers
from orchestrator.load.inventory import load_inventory
from orchestrator.model.component import Handler
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host
from orchestrator.pipeline.doctor import handlers_of


def host(folder: Path, text: str) -> Host:
    path = folder / "inventory.yaml"
    path.write_text(f"all:\n  hosts: {{h: {{}}}}\n  vars:\n    labctl_extra_handlers: {text}\n")
    return load_inventory(path).host("h")


def test_they_are_beside_those_of_components(tmp_path: Path) -> None:
    (tmp_path / "components/mine").mkdir(parents=True)
    (tmp_path / "components/mine/component.yaml").write_text(
        "source: module\nhandler: {name: runc-1.5, program: bin/x}\n"
    )
    there = host(tmp_path, '{other: {program: /opt/x}, gvisor: {program: "{{ x }}", kind: runsc}}')
    assert handlers_of(there, declared_handlers([tmp_path / "components"])) == (
        HostHandler("runc-1.5", "runc", "mine"),
        HostHandler("other", "runc"),
        HostHandler("gvisor", "runsc"),
    )
    assert extra_handlers(there)["other"] == Handler("other", "/opt/x", "runc")
    assert extra_handlers(host(tmp_path, "{}")) == {}
    assert extra_handlers(host(tmp_path, '"{{ elsewhere }}"')) == {}


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (
            "{k: {program: /opt/k, kind: kata}}",
            ".k.kind",
            "kata is not a kind of handler that labctl can configure",
        ),
        ("{Bad: {program: /opt/k}}", ".Bad", "small letters, digits, dots and dashes"),
        ("{k: {program: k}}", ".k.program", "absolute path"),
        ("{k: {kind: runc}}", ".k.program", "absolute path"),
        ("{k: /opt/k}", ".k", "must be a mapping"),
        ("{k: {program: /opt/k, options: {}}}", ".k.options", "is not a key of a handler"),
        ("[k]", "", "must be a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(
    tmp_path: Path, text: str, key: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        extra_handlers(host(tmp_path, text))
    error = caught.value
    assert (error.file, error.line) == (tmp_path / "inventory.yaml", 4)
    assert error.key == f"h.labctl_extra_handlers{key}"
    assert message in error.message
    assert "labctl_extra_handlers: {mine:" in (error.hint or "")
