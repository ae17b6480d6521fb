# SPDX-License-Identifier: Apache-2.0
"""Ansible's precedence, one layer taken away after the other; what came from a host is never a template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.load.inventory import load_inventory
from orchestrator.load.language import Language, Pending, TemplateFailed
from orchestrator.load.playbook import load_playbook
from orchestrator.provision.scope import PENDING, Scope, Variables

LAYERS = (
    "extra",
    "live",
    "task",
    "role_vars",
    "entry",
    "vars_files",
    "play",
    "facts",
    "inventory",
    "defaults",
    "other_defaults",
)
"""The strongest first. Of a role's entry and the other role's vars the order is Ansible's: vars/main over the entry."""


def scope_with(
    folder: Path,
    layers: tuple[str, ...],
    facts: Mapping[str, Any] | None = None,
    live: Mapping[str, Any] | None = None,
) -> Scope:
    """The scope of a task of role r, where each of ``layers`` sets x to its own name."""

    def line(layer: str, indent: str = "") -> str:
        return f"{indent}x: {layer}\n" if layer in layers else f"{indent}y: 0\n"

    files = {
        "site.yaml": "- hosts: all\n  vars:\n" + line("play", "    ")
        + "  roles:\n    - {role: r, vars: {" + line("entry").strip() + "}}\n    - other\n",
        "roles/r/defaults/main.yaml": line("defaults"),
        "roles/r/vars/main.yaml": line("role_vars"),
        "roles/r/tasks/main.yaml": "- debug: {msg: '{{ x }}'}\n  vars:\n" + line("task", "    "),
        "roles/other/defaults/main.yaml": line("other_defaults"),
        "inventory.yaml": "all: {hosts: {h: {" + line("inventory").strip() + "}}}\n",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    language, inventory = Language({}), load_inventory(folder / "inventory.yaml")
    (play,) = load_playbook(folder / "site.yaml", language).plays
    gathered = {**(facts or {}), **({"ansible_x": 0, "x": "facts"} if "facts" in layers else {})}
    extra = {"x": "extra"} if "extra" in layers else {}
    variables = Variables(language, inventory, inventory.host("h"), extra, check=False)
    variables.learn(gathered)
    variables.live.update({**(live or {}), **({"x": "live"} if "live" in layers else {})})
    files_vars = [{"x": "vars_files"}] if "vars_files" in layers else []
    return variables.for_play(play, files_vars).scope(play.tasks[0])


@pytest.mark.parametrize("strongest", [layer for layer in LAYERS if layer != "facts"])
def test_precedence(tmp_path: Path, strongest: str) -> None:
    present = tuple(layer for layer in LAYERS[LAYERS.index(strongest) :] if layer != "facts")
    assert scope_with(tmp_path, present).render("{{ x }}") == strongest


def test_facts_have_ansibles_names(tmp_path: Path) -> None:
    scope = scope_with(tmp_path, (), {"distribution": "Debian", "labctl": {"cap_sys_resource": False}})
    assert scope.render("{{ ansible_distribution }} {{ ansible_facts.distribution }}") == "Debian Debian"
    assert scope.render("{{ not ansible_facts.labctl.cap_sys_resource }}") is True


def test_magic_names(tmp_path: Path) -> None:
    scope = scope_with(tmp_path, ())
    assert scope.render("{{ inventory_hostname }} {{ role_name }}") == "h r"
    assert scope.render("{{ role_path }} {{ playbook_dir }}") == f"{tmp_path}/roles/r {tmp_path}"
    assert scope.render("{{ inventory_dir }} {{ group_names }}") == f"{tmp_path} ['ungrouped']"


def test_labctl_passes_the_projects_folder_and_everything_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "{{ x }}"
    project.mkdir()
    monkeypatch.chdir(project)
    template = "{{ labctl_project | default(playbook_dir ~ '/..') }}"
    assert scope_with(tmp_path, ()).render(template) == str(project), "a folder's name is no template"
    assert scope_with(tmp_path, ()).render("{{ hostvars['h'].labctl_project }}") == str(project)
    assert scope_with(tmp_path, (), {}, {"labctl_project": "/mine"}).render(template) == "/mine"


@pytest.mark.parametrize("layer", ["facts", "live"])
def test_what_came_from_a_host_is_no_template(tmp_path: Path, layer: str) -> None:
    evil = "{{ lookup('env', 'HOME') }}"
    facts, live = ({"evil": evil}, {}) if layer == "facts" else ({}, {"ansible_evil": evil})
    assert scope_with(tmp_path, (), facts, live).render("{{ ansible_evil }}") == evil


def test_a_result_on_its_way_is_waited_for_only_where_it_is_looked_at(tmp_path: Path) -> None:
    scope = scope_with(tmp_path, ()).with_layer({"r": PENDING})
    assert scope.render("{{ x | default('no') }}") == "no"
    with pytest.raises(Pending) as caught:
        scope.render({"deep": ["{{ (r | default({})).rc }}"]})
    assert caught.value.name == "r"
    with pytest.raises(Pending):
        scope.render("{{ r is defined }}")


def test_a_variable_in_a_variable_keeps_its_type(tmp_path: Path) -> None:
    scope = scope_with(tmp_path, ("play",))
    assert scope.with_layer({"n": [1]}).render({"a": "{{ n }}", "b": "{{ x }}-{{ n[0] }}"}) == {
        "a": [1],
        "b": "play-1",
    }
    with pytest.raises(TemplateFailed, match="'nosuch' is undefined"):
        scope.render("{{ nosuch }}")


def test_a_variable_without_a_value_fails_only_where_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yaml").write_text('broken: "{{ nosuch }}"\n')
    scope = scope_with(tmp_path, ())
    assert (
        scope.render("{{ 'a' if true else broken }} {{ broken | default('b') }} {{ broken is defined }}")
        == "a b False"
    )
    with pytest.raises(TemplateFailed, match="'nosuch' is undefined"):
        scope.render("{{ broken }}")
