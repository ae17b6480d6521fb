# SPDX-License-Identifier: Apache-2.0
"""The journal survives a kill at any byte, and readers see whole synced lines only."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from remote_agent.agent.journal import Journal, OffsetError
from remote_agent.contract.journal import record


def _filled(path: Path, lines: int = 5) -> Journal:
    journal = Journal(path)
    for number in range(lines):
        journal.append(record("note", message="x" * number))
    return journal


def test_cut_at_any_byte_it_keeps_every_whole_line_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    _filled(path).close()
    content = path.read_bytes()
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        journal = Journal(path)
        whole = content[: content.rfind(b"\n", 0, cut) + 1]
        assert path.read_bytes() == whole
        assert journal.torn == cut - len(whole)
        assert journal.size == len(whole)
        journal.append(record("note", message="after"))
        assert [json.loads(line)["type"] for line in path.read_bytes().splitlines()].count(
            "note"
        ) == whole.count(b"\n") + 1
        journal.close()


def test_a_last_line_that_is_no_record_is_cut_off_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    _filled(path, 2).close()
    good = path.read_bytes()
    path.write_bytes(good + b"\0\0\0\0\n")
    assert Journal(path).torn == 5
    assert path.read_bytes() == good


def test_reads_end_with_a_line_and_join_to_the_whole(tmp_path: Path) -> None:
    journal = _filled(tmp_path / "journal.jsonl", 40)
    joined = b""
    while data := journal.read(len(joined), limit=64):
        assert data.endswith(b"\n")
        joined += data
    assert joined == journal.path.read_bytes()
    assert len(joined) == journal.size


def test_bytes_that_are_not_synced_are_not_served(tmp_path: Path) -> None:
    journal = _filled(tmp_path / "journal.jsonl")
    size = journal.size
    with journal.path.open("ab") as file:
        file.write(b'{"v":1,"type":"no')
    assert len(journal.read(0)) == size
    assert journal.read(size) == b""


@pytest.mark.parametrize("offset", [-1, 3, 10_000])
def test_an_offset_where_no_line_begins_is_refused(tmp_path: Path, offset: int) -> None:
    journal = _filled(tmp_path / "journal.jsonl")
    with pytest.raises(OffsetError):
        journal.read(offset)


def test_what_is_no_number_is_never_journalled(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append(record("trial", value=float("nan")))
    assert journal.size == 0


@pytest.mark.parametrize("fits", [0, 1, 30])
def test_an_append_that_fails_leaves_nothing_and_may_be_done_again(
    tmp_path: Path, disk: Any, fits: int
) -> None:
    journal = _filled(tmp_path / "journal.jsonl", 3)
    before = journal.path.read_bytes()
    disk.room = fits
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            journal.append(record("note", message="too much for the disk"))
        assert journal.path.read_bytes() == before
    disk.room = None
    journal.append(record("note", message="again"))
    assert [json.loads(line)["message"] for line in journal.path.read_bytes().splitlines()[3:]] == ["again"]
    assert journal.size == journal.path.stat().st_size


def test_what_cannot_be_taken_back_at_once_is_never_served_and_is_before_the_next_append(
    tmp_path: Path, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = _filled(tmp_path / "journal.jsonl", 3)
    before = journal.path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    disk.room = 30
    with monkeypatch.context() as patch:
        patch.setattr("remote_agent.agent.journal.os.truncate", refuse)
        with pytest.raises(OSError, match="No space"):
            journal.append(record("note", message="too much for the disk"))
    assert len(journal.path.read_bytes()) == len(before) + 30
    assert journal.read(len(before)) == b""
    disk.room = None
    journal.append(record("note", message="again"))
    assert [json.loads(line)["message"] for line in journal.path.read_bytes().splitlines()[3:]] == ["again"]
