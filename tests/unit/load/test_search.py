# SPDX-License-Identifier: Apache-2.0
"""Where files are looked for. tests/peers/local holds the same to ansible-core."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.load.search import find_file
from orchestrator.model.errors import ConfigError
from orchestrator.model.playbook import Role


def write(top: Path, **files: str) -> None:
    for name, text in files.items():
        path = top / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".yml").write_text(text)


def names(folder: Path) -> list[str]:
    (play,) = load_playbook(folder / "site.yml", Language()).plays
    return [task.name for task in play.tasks]


def test_an_import_of_a_role_falls_back_to_the_role_s_tasks(tmp_path: Path) -> None:
    write(
        tmp_path,
        site="- {hosts: all, roles: [r]}",
        roles__r__tasks__main="- import_tasks: sub/a.yml",
        roles__r__tasks__sub__a="- import_tasks: common.yml\n- import_tasks: near.yml",
        roles__r__tasks__common="- {name: common, debug: {}}",
        roles__r__tasks__near="- {name: far, debug: {}}",
        roles__r__tasks__sub__near="- {name: near, debug: {}}",
    )
    assert names(tmp_path) == ["common", "near"]


def test_an_import_of_a_play_is_looked_for_beside_the_importing_file_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        site="- {hosts: all, tasks: [{import_tasks: sub/a.yml}]}",
        sub__a="- import_tasks: b.yml\n- import_tasks: c.yml",
        sub__b="- {name: in sub, debug: {}}",
        b="- {name: beside the play, debug: {}}",
        c="- {name: only beside the play, debug: {}}",
    )
    assert names(tmp_path) == ["in sub", "only beside the play"]


def test_an_import_that_is_nowhere_names_all_places(tmp_path: Path) -> None:
    write(
        tmp_path,
        site="- {hosts: all, roles: [r]}",
        roles__r__tasks__main="- import_tasks: sub/a.yml",
        roles__r__tasks__sub__a="- import_tasks: nosuch.yml",
    )
    with pytest.raises(ConfigError, match=r"there is no file 'nosuch.yml'") as caught:
        load_playbook(tmp_path / "site.yml", Language())
    assert caught.value.file == tmp_path / "roles/r/tasks/sub/a.yml"
    for place in ("roles/r/tasks/sub/nosuch.yml", "roles/r/tasks/nosuch.yml", "tasks/nosuch.yml"):
        assert str(tmp_path / place) in str(caught.value.hint)


def test_a_task_s_file_is_looked_for_in_its_role_beside_it_and_beside_the_play(tmp_path: Path) -> None:
    role, task = Role("r", tmp_path / "roles/r"), tmp_path / "roles/r/tasks/sub/a.yml"
    places = ["files/f", "roles/r/tasks/sub/f", "roles/r/tasks/sub/files/f", "roles/r/f", "roles/r/files/f"]
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
        assert find_file("files", "f", role, tmp_path, task) == tmp_path / place
    assert find_file("files", "nosuch", role, tmp_path, task) is None


def test_a_home_and_a_variable_are_replaced_in_whole_paths_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PLACE", tmp_path.name)
    (tmp_path / "f").touch()
    assert find_file("files", "~/f", None, Path("/nosuch")) == tmp_path / "f"
    assert find_file("files", f"{tmp_path.parent}/$PLACE/f", None, Path("/nosuch")) == tmp_path / "f"
    assert find_file("files", "$HOME/f", None, Path("/nosuch")) is None
