# SPDX-License-Identifier: Apache-2.0
"""The module `stat`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from remote_agent.runner.context import Context
from remote_agent.runner.modules.stat import run

# ansible-core 2.19's keys for a regular file, without what takes a process (mimetype, charset, version, attributes, attr_flags)
KEYS = """
    atime block_size blocks checksum ctime dev device_type executable exists gid gr_name inode isblk ischr isdir isfifo isgid islnk
    isreg issock isuid mode mtime nlink path pw_name readable rgrp roth rusr size uid wgrp woth writeable wusr xgrp xoth xusr
"""


def test_a_file_has_ansible_s_keys(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o4751)
    found = run({"path": str(tmp_path / "f")}, context).result["stat"]
    assert set(found) == set(KEYS.split())
    assert (found["mode"], found["isreg"], found["isuid"], found["wgrp"], found["xoth"]) == (
        "4751",
        True,
        True,
        False,
        True,
    )
    assert found["checksum"] == hashlib.sha1(b"x").hexdigest()


def test_nothing_there_is_no_failure(tmp_path: Path, context: Context) -> None:
    done = run({"path": str(tmp_path / "no")}, context)
    assert not done.changed and done.result == {"stat": {"exists": False}}


def test_a_link_is_itself_unless_followed(tmp_path: Path, context: Context) -> None:
    (tmp_path / "l").symlink_to(tmp_path)
    found = run({"path": str(tmp_path / "l")}, context).result["stat"]
    assert found["islnk"] and found["lnk_target"] == str(tmp_path) and "checksum" not in found
    assert run({"path": str(tmp_path / "l"), "follow": True}, context).result["stat"]["isdir"]


def test_other_checksums_or_none(tmp_path: Path, context: Context) -> None:
    (tmp_path / "f").write_text("x")
    args = {"path": str(tmp_path / "f")}
    assert (
        run({**args, "checksum_algorithm": "sha256"}, context).result["stat"]["checksum"]
        == hashlib.sha256(b"x").hexdigest()
    )
    assert "checksum" not in run({**args, "get_checksum": False}, context).result["stat"]
