# SPDX-License-Identifier: Apache-2.0
"""The modules `copy` and `template`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.modules import template
from remote_agent.runner.modules.copy import run

KEYS = {"dest", "src", "checksum", "md5sum", "state", "mode", "owner", "group", "uid", "gid", "size"}


def test_content_is_written_once(tmp_path: Path, context: Context) -> None:
    args = {"content": "one\n", "dest": str(tmp_path / "f"), "mode": "0600"}
    assert run(args, replace(context, check=True)).changed and not (tmp_path / "f").exists()
    done = run(args, context)
    assert done.changed and done.result.keys() >= KEYS
    assert done.result["checksum"] == hashlib.sha1(b"one\n").hexdigest() and done.result["mode"] == "0600"
    again = run(args, context)
    assert not again.changed and again.result["checksum"] == done.result["checksum"]
    assert [path.name for path in tmp_path.iterdir() if path.name != "blobs"] == ["f"]


def test_mode_alone_is_a_change_that_keeps_the_inode(tmp_path: Path, context: Context) -> None:
    args = {"content": "one\n", "dest": str(tmp_path / "f"), "mode": "0600"}
    run(args, context)
    inode = (tmp_path / "f").stat().st_ino
    assert run({**args, "mode": "0640"}, context).changed
    assert (tmp_path / "f").stat().st_ino == inode


def test_an_existing_file_keeps_its_mode(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").write_text("old")
    (tmp_path / "f").chmod(0o4710)
    run({"content": "new", "dest": str(tmp_path / "f")}, context)
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o4710


def test_a_structure_becomes_json(tmp_path: Path, context: Context) -> None:
    run({"content": {"cniVersion": "1.0.0"}, "dest": str(tmp_path / "f")}, context)
    assert (tmp_path / "f").read_text() == '{"cniVersion": "1.0.0"}'


def test_a_blob_is_asked_for_only_where_it_differs(tmp_path: Path, context: Context, blobs: Any) -> None:
    args = {"src": blobs.add(b"binary\0"), "dest": str(tmp_path / "f")}
    assert run(args, replace(context, check=True)).changed and blobs.asked == []
    assert run(args, context).changed and len(blobs.asked) == 1
    assert (tmp_path / "f").read_bytes() == b"binary\0"
    assert not run(args, context).changed and len(blobs.asked) == 1
    (tmp_path / "f").write_bytes(b"tamper\0")
    assert run(args, context).changed, "same size, other bytes"


def test_a_folder_as_dest_takes_the_source_s_name(tmp_path: Path, context: Context, blobs: Any) -> None:
    args = {"src": blobs.add(b"x"), "_original_basename": "tool", "dest": f"{tmp_path}/new/bin/"}
    assert run(args, context).result["dest"] == str(tmp_path / "new/bin/tool")
    assert not run(args, context).changed
    with pytest.raises(ModuleFailure, match="is a folder"):
        run({"content": "x", "dest": str(tmp_path)}, context)


def test_a_missing_folder_is_a_failure_that_check_does_not_predict(tmp_path: Path, context: Context) -> None:
    args = {"content": "x", "dest": str(tmp_path / "no/f")}
    with pytest.raises(ModuleFailure, match="does not exist"):
        run(args, context)
    assert run(args, replace(context, check=True)).changed


def test_a_file_on_the_host_with_its_mode(tmp_path: Path, context: Context) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o711)
    args = {"src": str(tmp_path / "a"), "remote_src": True, "dest": str(tmp_path / "b"), "mode": "preserve"}
    assert run(args, context).result["mode"] == "0711"
    assert not run(args, context).changed


def test_force_no_keeps_what_is_there(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").write_text("mine")
    done = run({"content": "yours", "dest": str(tmp_path / "f"), "force": False}, context)
    assert not done.changed and (tmp_path / "f").read_text() == "mine"


def test_backup_keeps_the_old_content(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").write_text("old")
    done = run({"content": "new", "dest": str(tmp_path / "f"), "backup": True}, context)
    assert Path(done.result["backup_file"]).read_text() == "old"


def test_what_does_not_validate_is_not_put_in_place(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").write_text("old\n")
    args = {"dest": str(tmp_path / "f"), "validate": "grep -q good %s"}
    with pytest.raises(ModuleFailure, match="failed to validate") as raised:
        run({**args, "content": "bad\n"}, context)
    assert raised.value.result["exit_status"] == 1
    assert (tmp_path / "f").read_text() == "old\n"
    assert run({**args, "content": "good\n"}, context).changed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "f"]


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path: Path, context: Context) -> None:
    (tmp_path / "target").write_text("x")
    (tmp_path / "l").symlink_to("target")
    args = {"content": "x", "dest": str(tmp_path / "l")}
    assert run(args, context).changed and not (tmp_path / "l").is_symlink()
    assert (tmp_path / "target").read_text() == "x"


def test_diff_is_unified_and_binary_is_only_counted(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").write_text("a\nb\n")
    seeing = replace(context, diff=True, check=True)
    diff = run({"content": "a\nc\n", "dest": str(tmp_path / "f")}, seeing).diff
    assert diff is not None and "-b\n+c\n" in diff and " a\n" in diff
    (tmp_path / "f").write_bytes(b"\0")
    assert "binary" in str(run({"content": "a\nc\n", "dest": str(tmp_path / "f")}, seeing).diff)


def test_template_is_a_copy_under_its_own_name(tmp_path: Path, context: Context) -> None:
    args = {"content": "x", "dest": str(tmp_path), "_original_basename": "site.conf"}
    assert template.run(args, context).result["dest"] == str(tmp_path / "site.conf")
    assert not template.run(args, context).changed
