# SPDX-License-Identifier: Apache-2.0
"""Plays, roles and imports as flat lists of tasks that have joined what they inherit."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.playbook import Play


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    write(
        tmp_path,
        {
            "site.yaml": "- import_playbook: plays/web.yaml\n  tags: outer\n  when: a == 1\n",
            "plays/web.yaml": """\
- name: Web
  hosts: [web, db]
  become: true
  tags: play
  environment: {LANG: C}
  pre_tasks:
    - command: before
  roles:
    - {role: server, tags: [one, two], when: b == 2, vars: {port: 80, colour: red}}
  tasks:
    - import_tasks: more.yaml
      when: c == 3
      tags: more
      vars: {d: 4}
  post_tasks:
    - ansible.builtin.command: after
""",
            "plays/more.yaml": "- name: inside\n  command: echo {{ d }}\n  args: {creates: /x}\n  when: [e == 5, true]\n",
            "plays/roles/server/tasks/main.yml": "- apt: {pkg: nginx}\n  notify: [reload, everything]\n",
            "plays/roles/server/handlers/main.yaml": "- name: reload\n  command: x\n- name: y\n  command: y\n  listen: everything\n",
            "plays/roles/server/defaults/main.yaml": "port: 8080\n",
            "plays/roles/server/vars/main.yaml": "colour: blue\n",
        },
    )
    (found,) = load_playbook(tmp_path / "site.yaml", Language()).plays
    return found


def test_sections_keep_ansibles_order(play: Play) -> None:
    assert [[task.title for task in section] for section in play.sections] == [
        ["command"],
        ["server : apt", "inside"],
        ["command"],
    ]
    assert [handler.title for handler in play.handlers] == ["server : reload", "server : y"]


def test_conditions_and_tags_are_joined_from_the_outside(play: Play) -> None:
    role_task, imported = play.sections[1]
    assert [condition.value for condition in role_task.when] == ["a == 1", "b == 2"]
    assert role_task.tags == {"outer", "play", "one", "two"}
    assert [condition.value for condition in imported.when] == ["a == 1", "c == 3", "e == 5", True]
    assert imported.tags == {"outer", "play", "more"}
    assert imported.vars == {"d": 4}


def test_arguments_have_canonical_names(play: Play) -> None:
    role_task, imported = play.sections[1]
    assert role_task.args == {"name": "nginx"}
    assert imported.args == {"cmd": "echo {{ d }}", "creates": "/x"}
    assert imported.environment == {"LANG": "C"}


def test_a_role_has_its_own_vars_its_defaults_and_what_its_entry_gives_it(play: Play) -> None:
    assert play.roles[0].vars == {"colour": "blue"}
    assert play.roles[0].given == {"port": 80, "colour": "red"}
    assert play.roles[0].defaults == {"port": 8080}


def roles_of(folder: Path, entries: str, meta: str = "") -> int:
    """How many times the role ``r`` is carried out."""
    write(
        folder,
        {"roles/r/tasks/main.yaml": "- command: x\n", "site.yaml": f"- hosts: all\n  roles: {entries}\n"},
    )
    if meta:
        write(folder, {"roles/r/meta/main.yaml": meta})
    (found,) = load_playbook(folder / "site.yaml", Language()).plays
    assert len(found.sections[1]) == len(found.roles)
    return len(found.roles)


@pytest.mark.parametrize(
    ("entries", "times"),
    [
        ("[r, r]", 1),
        ("[r, {role: r}, {role: r, become: false}]", 1),
        ("[r, {role: r, vars: {a: 1}}, {role: r, vars: {a: 2}}, {role: r, vars: {a: 1}}]", 3),
        ("[r, {role: r, when: x}, {role: r, tags: [t]}]", 3),
    ],
)
def test_a_role_that_is_asked_for_twice_alike_is_done_once(tmp_path: Path, entries: str, times: int) -> None:
    assert roles_of(tmp_path, entries) == times


def test_a_role_that_allows_duplicates_is_done_each_time(tmp_path: Path) -> None:
    assert roles_of(tmp_path, "[r, r]", "allow_duplicates: true\n") == 2


def test_play_knows_where_it_is_written(play: Play, tmp_path: Path) -> None:
    assert play.directory == tmp_path / "plays"
    assert play.hosts.value == "web,db"
    assert play.become
    task = play.sections[1][1]
    assert (task.origin.file, task.place("when").line, task.place("command.creates").line) == (
        tmp_path / "plays/more.yaml",
        4,
        3,
    )
