# SPDX-License-Identifier: Apache-2.0
"""The project's folder as playbooks see it: whose artifacts they install."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.pipeline.provision import Request, provision
from orchestrator.provision.events import Event

HOSTS = "all: {hosts: {h: {ansible_ssh_private_key_file: /nowhere/key}}}"


class Sink:
    """Events that nobody reads."""

    def emit(self, event: Event) -> None:
        pass


def play(project: Path, monkeypatch: pytest.MonkeyPatch, **extra: Any) -> list[Callable[..., Any] | None]:
    """Provision a host that is not there; what was built before that."""
    built: list[Any] = []
    monkeypatch.setattr(
        "orchestrator.pipeline.artifacts.build_artifacts", lambda asked, *rest: built.append(asked)
    )
    monkeypatch.chdir(project)
    (project / "hosts.yaml").write_text(HOSTS)
    provision(Request(project / "hosts.yaml", extra_vars=extra, state=project / ".labctl"), Sink())
    return built


def test_the_shipped_playbook_installs_what_a_build_leaves_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert play(tmp_path, monkeypatch) == [None]


@pytest.mark.parametrize("variable", ["labctl_project", "labctl_artifacts_file", "labctl_artifacts"])
def test_artifacts_of_another_place_are_not_built_here(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert play(tmp_path, monkeypatch, **{variable: "/elsewhere"}) == []
