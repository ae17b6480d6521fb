# SPDX-License-Identifier: Apache-2.0
"""The handlers of an inventory: judged by `labctl doctor`, and checked before `labctl provision` reaches a host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host
from orchestrator.pipeline import doctor as pipeline
from orchestrator.pipeline.provision import Request, provision
from orchestrator.pipeline.reach import Selection, select
from orchestrator.provision.doctor import Diagnosis
from orchestrator.ssh import Results

INVENTORY = """\
all:
  hosts:
    plain: {}
    more: {labctl_extra_handlers: {mine: {program: /opt/mine/runc}}}
"""
PLAYBOOK = "- hosts: all\n  gather_facts: false\n  tasks: []\n"


class Nobody:
    """Does not listen to what happens."""

    def emit(self, event: object) -> None:
        pass


def test_doctor_judges_the_handlers_of_components_and_of_each_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "components/own").mkdir(parents=True)
    (tmp_path / "components/own/component.yaml").write_text(
        "source: module\ngo: {module: m, build: {bin/x: m}}\nhandler: {name: runc-1.5, program: bin/x}\n"
    )

    def on_each(
        selection: Selection, work: Callable[[Host, object], Diagnosis], forks: int
    ) -> Results[Diagnosis]:
        return Results({host.name: work(host, None) for host in selection.hosts}, {})

    monkeypatch.setattr(Selection, "on_each", on_each)
    monkeypatch.setattr(pipeline, "gather_facts", lambda connection: {})
    monkeypatch.setattr(pipeline, "refusals", lambda connection: {})
    results = pipeline.doctor(
        select(tmp_path / "inventory.yaml"), tmp_path / "none.yaml", [tmp_path / "components"]
    )
    assert {
        host: [one.oci for one in found.combinations if one.cri == "crio"]
        for host, found in results.succeeded.items()
    } == {"plain": ["runc-1.5"], "more": ["runc-1.5", "mine"]}


def test_a_kind_that_cannot_be_configured_stops_before_a_host_is_reached(tmp_path: Path) -> None:
    inventory, playbook = tmp_path / "inventory.yaml", tmp_path / "playbook.yaml"
    inventory.write_text(INVENTORY.replace("/opt/mine/runc}", "/opt/kata/kata, kind: kata}"))
    playbook.write_text(PLAYBOOK)
    request = Request(inventory, playbook, state=tmp_path / "state", cache=tmp_path / "cache")
    with pytest.raises(ConfigError, match=r"inventory.yaml:4:\d+: .*kata is not a kind of handler") as caught:
        provision(request, Nobody())
    assert caught.value.key == "more.labctl_extra_handlers.mine.kind"
