# SPDX-License-Identifier: Apache-2.0
"""The module `file`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.modules.file import run

PATH_KEYS = {"state", "mode", "owner", "group", "uid", "gid", "size"}


def twice(args: dict[str, Any], context: Context) -> list[bool]:
    """Predicted, done, done again."""
    return [run(args, replace(context, check=check)).changed for check in (True, False, False)]


def test_directory_with_its_parents(tmp_path: Path, context: Context) -> None:
    args = {"path": str(tmp_path / "a/b"), "state": "directory", "mode": "0750"}
    assert run(args, replace(context, check=True)).changed
    assert not (tmp_path / "a").exists()
    done = run(args, context)
    assert done.changed and done.result["path"] == args["path"] and done.result["mode"] == "0750"
    assert done.result.keys() >= PATH_KEYS
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o750, "Ansible gives it to every folder that it makes"
    assert not run(args, context).changed


def test_recurse_reaches_everything_below(tmp_path: Path, context: Context) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/f").write_text("x")
    args = {"path": str(tmp_path / "d"), "state": "directory", "mode": "u=rwX,go=", "recurse": True}
    assert twice(args, context) == [True, True, False]
    assert (tmp_path / "d/e").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "d/e/f").stat().st_mode & 0o777 == 0o600


def test_directory_where_a_file_is(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(ModuleFailure, match="already exists as a file"):
        run({"path": str(tmp_path / "f"), "state": "directory"}, context)


def test_absent_takes_whole_folders(tmp_path: Path, context: Context) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    args = {"path": str(tmp_path / "d"), "state": "absent"}
    assert run(args, replace(context, check=True)).changed and (tmp_path / "d/e").exists()
    done = run(args, context)
    assert done.changed and done.result == {"path": args["path"], "state": "absent"}
    assert not (tmp_path / "d").exists()
    assert not run(args, context).changed


def test_absent_takes_the_link_and_not_its_target(tmp_path: Path, context: Context) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("d")
    run({"path": str(tmp_path / "l"), "state": "absent"}, context)
    assert (tmp_path / "d").is_dir() and not (tmp_path / "l").is_symlink()


def test_link_is_made_and_turned(tmp_path: Path, context: Context) -> None:
    for name in ("one", "two"):
        (tmp_path / name).touch()
    link = tmp_path / "l"
    for name in ("one", "two"):
        args = {"path": str(link), "src": str(tmp_path / name), "state": "link"}
        assert twice(args, context) == [True, True, False]
        assert link.readlink() == tmp_path / name
    assert run(args, context).result["src"] == str(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "l", "one", "two"]


def test_link_to_nothing_and_over_a_file_need_force(tmp_path: Path, context: Context) -> None:
    args = {"path": str(tmp_path / "l"), "src": "nowhere", "state": "link"}
    with pytest.raises(ModuleFailure, match="force=true"):
        run(args, context)
    (tmp_path / "l").write_text("a file")
    with pytest.raises(ModuleFailure, match="force=true"):
        run({**args, "src": str(tmp_path)}, context)
    assert run({**args, "force": True}, context).changed
    assert (tmp_path / "l").is_symlink()


def test_link_never_replaces_a_full_folder(tmp_path: Path, context: Context) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    with pytest.raises(ModuleFailure, match="not empty"):
        run({"path": str(tmp_path / "d"), "src": "x", "state": "link", "force": True}, context)


def test_hard_link(tmp_path: Path, context: Context) -> None:
    (tmp_path / "one").touch()
    args = {"path": str(tmp_path / "h"), "src": str(tmp_path / "one"), "state": "hard"}
    assert twice(args, context) == [True, True, False]
    assert (tmp_path / "h").samefile(tmp_path / "one")


def test_file_changes_what_is_there_and_makes_nothing(tmp_path: Path, context: Context) -> None:
    args = {"path": str(tmp_path / "f"), "state": "file", "mode": "0600"}
    with pytest.raises(ModuleFailure, match="is absent"):
        run(args, context)
    (tmp_path / "f").touch(0o644)
    assert twice(args, context) == [True, True, False]


def test_touch_is_always_a_change(tmp_path: Path, context: Context) -> None:
    args = {"path": str(tmp_path / "f"), "state": "touch", "mode": "0600"}
    assert run(args, replace(context, check=True)).changed and not (tmp_path / "f").exists()
    assert run(args, context).result["dest"] == args["path"]
    assert run(args, context).changed


def test_diff_names_what_changes(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").touch(0o644)
    done = run({"path": str(tmp_path / "f"), "mode": "0600"}, replace(context, diff=True))
    assert done.diff is not None and "-mode: 0644\n+mode: 0600\n" in done.diff
