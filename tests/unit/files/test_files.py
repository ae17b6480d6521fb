# SPDX-License-Identifier: Apache-2.0
"""Writing aside: the old file or the new one, with its mode from the first byte, and nothing left beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from orchestrator.files import aside, cache_folder, sha256_of, write_text


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def test_writes_replace_whole_files_with_their_mode(tmp_path: Path) -> None:
    path = tmp_path / "x/y"
    write_text(path, "one", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    write_text(path, "zwölf", 0o644)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == ("zwölf".encode(), 0o644)
    assert _names(path.parent) == ["y"]


def test_what_is_private_is_so_before_it_is_written(tmp_path: Path) -> None:
    with aside(tmp_path / "secret", 0o600) as beside:
        assert beside.stat().st_mode & 0o777 == 0o600
        assert not (tmp_path / "secret").exists()


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), aside(path) as beside:
        beside.write_text("half")
        raise ZeroDivisionError
    assert (path.read_text(), _names(tmp_path)) == ("old", ["file"])


def test_two_writers_of_one_file_do_not_share_what_is_aside(tmp_path: Path) -> None:
    with aside(tmp_path / "file") as first, aside(tmp_path / "file") as second:
        first.write_text("first")
        second.write_text("second")
    assert ((tmp_path / "file").read_text(), _names(tmp_path)) == ("first", ["file"])


def test_the_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x00bytes")
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"\x00bytes").hexdigest()


def test_the_cache_follows_xdg() -> None:
    home = Path.home() / ".cache/labctl"
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/labctl")
    assert [cache_folder({"XDG_CACHE_HOME": "relative"}), cache_folder({})] == [home, home]
