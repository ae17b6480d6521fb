# SPDX-License-Identifier: Apache-2.0
"""The module `unarchive`."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.modules.unarchive import run


def tar(path: Path, *members: tuple[str, str, Any], mode: str = "w:gz") -> Path:
    """Members are (name, kind, content or target); kind is file, dir, sym, hard or fifo."""
    types = {
        "file": tarfile.REGTYPE,
        "dir": tarfile.DIRTYPE,
        "sym": tarfile.SYMTYPE,
        "hard": tarfile.LNKTYPE,
        "fifo": tarfile.FIFOTYPE,
    }
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime = types[kind], 0o755, 1_700_000_000
            if kind in ("sym", "hard"):
                info.linkname = content
            info.size = len(content) if kind == "file" else 0
            archive.addfile(info, io.BytesIO(content) if kind == "file" else None)
    return path


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "dest").mkdir()
    return tmp_path / "dest"


TREE = (
    ("t/", "dir", None),
    ("t/bin/tool", "file", b"#!/bin/sh\n"),
    ("t/current", "sym", "bin/tool"),
    ("t/same", "hard", "t/bin/tool"),
)


@pytest.mark.parametrize(
    ("mode", "handler"), [("w", "TarArchive"), ("w:gz", "TgzArchive"), ("w:xz", "TarXzArchive")]
)
def test_a_tree_is_unpacked_once(
    tmp_path: Path, dest: Path, context: Context, mode: str, handler: str
) -> None:
    args = {"src": str(tar(tmp_path / "a", *TREE, mode=mode)), "dest": str(dest), "remote_src": True}
    assert run(args, replace(context, check=True)).changed and not any(dest.iterdir())
    done = run(args, context)
    assert done.changed and done.result["handler"] == handler
    assert done.result.keys() >= {"dest", "src", "uid", "gid", "owner", "group", "mode", "state", "size"}
    assert (dest / "t/current").read_bytes() == b"#!/bin/sh\n" and (dest / "t/same").samefile(
        dest / "t/bin/tool"
    )
    assert (dest / "t/bin/tool").stat().st_mode & 0o777 == 0o755 and (
        dest / "t/bin/tool"
    ).stat().st_mtime == 1_700_000_000
    assert not run(args, context).changed


def test_what_was_spoilt_on_the_host_is_named(tmp_path: Path, dest: Path, context: Context) -> None:
    archive = tar(tmp_path / "a", ("t/", "dir", None), ("t/one", "file", b"1"), ("t/two", "file", b"2"))
    args = {"src": str(archive), "dest": str(dest)}
    (dest / "t").mkdir()
    assert run(args, context).msg == f"unpacked into {dest}"
    (dest / "t/one").write_bytes(b"x")
    predicted = run(args, replace(context, check=True))
    assert predicted.msg == "t/one was not as in the archive: would be mended"
    (dest / "t/two").unlink()
    done = run(args, context)
    assert done.msg == "t/one was not as in the archive, t/two was missing: mended"
    assert (dest / "t/one").read_bytes() == b"1" and run(args, context).msg == ""
    (dest / "t/one").chmod(0o600)
    assert run(args, context).msg == "t/one was not as in the archive: mended"


def test_what_a_killed_unpack_left_beside_a_file_goes(tmp_path: Path, dest: Path, context: Context) -> None:
    args = {
        "src": str(tar(tmp_path / "a", ("t/one", "file", b"1"), ("t/two", "file", b"2"))),
        "dest": str(dest),
    }
    (dest / "t").mkdir()
    (dest / "t/one").write_bytes(b"1")
    (dest / "t/.two.labctl-x1").write_bytes(b"half")
    run(args, context)
    assert sorted(path.name for path in (dest / "t").iterdir()) == ["one", "two"]


def test_many_spoilt_files_are_counted(tmp_path: Path, dest: Path, context: Context) -> None:
    files = [(f"f{number}", "file", b"1") for number in range(8)]
    args = {"src": str(tar(tmp_path / "a", *files)), "dest": str(dest)}
    run(args, context)
    for number in range(1, 8):
        (dest / f"f{number}").write_bytes(b"x")
    assert run(args, context).msg == "f1, f2, f3, f4, f5 and 2 more were not as in the archive: mended"


def test_only_what_differs_is_written(tmp_path: Path, dest: Path, context: Context) -> None:
    args = {"src": str(tar(tmp_path / "a", ("one", "file", b"1"), ("two", "file", b"2"))), "dest": str(dest)}
    run(args, context)
    inode = (dest / "one").stat().st_ino
    (dest / "two").write_bytes(b"x")
    done = run(args, replace(context, diff=True))
    assert done.changed and done.diff == f"+{dest}/two\n"
    assert (dest / "two").read_bytes() == b"2" and (dest / "one").stat().st_ino == inode
    (dest / "one").chmod(0o600)
    assert run(args, context).changed and (dest / "one").stat().st_mode & 0o777 == 0o755


def test_strip_components(tmp_path: Path, dest: Path, context: Context) -> None:
    for options in (["--strip-components=1"], ["--strip-components", "1"]):
        run({"src": str(tar(tmp_path / "a", *TREE)), "dest": str(dest), "extra_opts": options}, context)
    assert sorted(path.name for path in dest.iterdir()) == ["bin", "current", "same"]
    with pytest.raises(ModuleFailure, match="'--overwrite' is not supported"):
        run({"src": str(tmp_path / "a"), "dest": str(dest), "extra_opts": ["--overwrite"]}, context)


def test_creates_spares_even_the_blob(dest: Path, context: Context, blobs: Any) -> None:
    (dest / "made").touch()
    done = run(
        {"src": blobs.add(b"never looked at"), "dest": str(dest), "creates": str(dest / "made")}, context
    )
    assert done.skipped and not done.changed and blobs.asked == []


def test_what_creates_names_comes_last(tmp_path: Path, dest: Path, context: Context) -> None:
    """An unpacking that breaks off must not look finished."""
    (dest / "in-the-way").mkdir()
    archive = tar(tmp_path / "a", ("first", "file", b"1"), ("in-the-way", "file", b"2"))
    args = {"src": str(archive), "dest": str(dest), "creates": str(dest / "first")}
    with pytest.raises(ModuleFailure, match="remove the folder first"):
        run(args, context)
    assert not (dest / "first").exists()
    (dest / "in-the-way").rmdir()
    assert run(args, context).changed and (dest / "first").exists()


def test_a_blob(tmp_path: Path, dest: Path, context: Context, blobs: Any) -> None:
    src = blobs.add(tar(tmp_path / "a", *TREE).read_bytes())
    assert run({"src": src, "dest": str(dest)}, context).changed
    assert not run({"src": src, "dest": str(dest)}, context).changed


def test_mode_for_all_members(tmp_path: Path, dest: Path, context: Context) -> None:
    args = {
        "src": str(tar(tmp_path / "a", ("d/", "dir", None), ("d/f", "file", b"x"))),
        "dest": str(dest),
        "mode": "u=rwX,go=",
    }
    run(args, context)
    assert (dest / "d").stat().st_mode & 0o777 == 0o700 and (dest / "d/f").stat().st_mode & 0o777 == 0o700
    assert not run(args, context).changed


def test_zip(tmp_path: Path, dest: Path, context: Context) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("d/tool")
        info.external_attr = 0o755 << 16
        archive.writestr(info, "x")
        archive.writestr("plain", "y")
    args = {"src": str(tmp_path / "a.zip"), "dest": str(dest)}
    assert run(args, context).result["handler"] == "ZipArchive"
    assert (dest / "d/tool").stat().st_mode & 0o777 == 0o755 and (dest / "plain").read_text() == "y"
    assert not run(args, context).changed


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", "file", b"x")],
        [("a/../../evil", "file", b"x")],
        [("/evil", "file", b"x")],
        [("out", "sym", ".."), ("out/evil", "file", b"x")],
        [("out", "sym", "/"), ("out/evil", "file", b"x")],
        [("a/up", "sym", "../.."), ("a/up/evil", "file", b"x")],
        [("out", "sym", "../secret"), ("got", "hard", "out/x")],
        [("got", "hard", "../secret")],
        [("pipe", "fifo", None)],
    ],
)
def test_members_that_leave_are_refused_before_anything_is_written(
    tmp_path: Path, dest: Path, context: Context, members: Any
) -> None:
    archive = tar(tmp_path / "a", ("harmless", "file", b"x"), *members)
    with pytest.raises(ModuleFailure, match=r"leaves|device or pipe"):
        run({"src": str(archive), "dest": str(dest)}, context)
    assert not any(dest.iterdir()) and not (tmp_path / "evil").exists()


def test_a_link_on_disk_is_no_way_out_either(tmp_path: Path, dest: Path, context: Context) -> None:
    (tmp_path / "other").mkdir()
    (dest / "out").symlink_to(tmp_path / "other")
    with pytest.raises(ModuleFailure, match="leaves"):
        run({"src": str(tar(tmp_path / "a", ("out/evil", "file", b"x"))), "dest": str(dest)}, context)
    assert not any((tmp_path / "other").iterdir())


def test_what_is_not_there_or_broken(tmp_path: Path, dest: Path, context: Context) -> None:
    with pytest.raises(ModuleFailure, match="does not exist"):
        run({"src": str(tmp_path / "no"), "dest": str(dest)}, context)
    torn = tar(tmp_path / "a", ("f", "file", b"x" * 100_000), mode="w")
    torn.write_bytes(torn.read_bytes()[:5_000])
    with pytest.raises(ModuleFailure, match="not a whole archive"):
        run({"src": str(torn), "dest": str(dest)}, context)
    with pytest.raises(ModuleFailure, match="no folder"):
        run({"src": str(torn), "dest": str(tmp_path / "missing")}, context)


def test_an_address_is_downloaded_by_the_host_and_unpacked_once(
    tmp_path: Path, dest: Path, context: Context
) -> None:
    archive = tar(tmp_path / "a.tgz", *TREE)
    args = {"src": archive.as_uri(), "dest": str(dest), "remote_src": True}
    before = set(Path(tempfile.gettempdir()).glob("labctl-unarchive-*"))
    assert run(args, replace(context, check=True)).changed and not any(dest.iterdir())
    done = run(args, context)
    assert done.changed and (dest / "t/bin/tool").is_file() and done.result["handler"] == "TgzArchive"
    assert not run(args, context).changed
    assert set(Path(tempfile.gettempdir()).glob("labctl-unarchive-*")) == before


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:1/a.tgz", "could not be fetched"),
        ("ftp://127.0.0.1/a.tgz", "begins with none of http, https, file"),
        ("file:///no/such/a.tgz", "could not be fetched"),
    ],
)
def test_an_address_that_gives_nothing_fails_with_its_reason(
    dest: Path, context: Context, address: str, says: str
) -> None:
    with pytest.raises(ModuleFailure, match=says):
        run({"src": address, "dest": str(dest), "remote_src": True}, context)
    assert not any(dest.iterdir())
