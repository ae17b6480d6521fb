# SPDX-License-Identifier: Apache-2.0
"""The copy of a journal is the journal: whole lines, no gap, nothing twice, whatever the chunks and the kills."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import ResultError
from orchestrator.runs.journal import JournalCopy

LINES = [json.dumps({"type": "trial", "block": block}).encode() + b"\n" for block in range(5)]
JOURNAL = b"".join(LINES)


@given(st.lists(st.tuples(st.integers(0, len(JOURNAL)), st.integers(0, 80), st.booleans()), max_size=30))
def test_any_chunks_with_any_overlap_and_restart_give_the_journal(
    tmp_path_factory: pytest.TempPathFactory, pulls: list[tuple[int, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("copy") / "hosts" / "a" / "journal.jsonl"
    copy = JournalCopy(path)
    seen: list[object] = []
    for back, length, restart in [*pulls, (0, len(JOURNAL), True), (0, len(JOURNAL), False)]:
        if restart:
            copy.close()
            copy = JournalCopy(path)
        offset = max(0, copy.size - back)
        seen += copy.append(offset, JOURNAL[offset : offset + length])
        copy.forget_tail()
    copy.close()
    assert path.read_bytes() == JOURNAL
    assert seen == [json.loads(line) for line in LINES]


def test_a_chunk_may_end_within_a_line(tmp_path: Path) -> None:
    with JournalCopy(tmp_path / "j") as copy:
        assert copy.append(0, LINES[0] + LINES[1][:5]) == [{"type": "trial", "block": 0}]
        assert (tmp_path / "j").read_bytes() == LINES[0]
        assert copy.append(len(LINES[0]) + 5, LINES[1][5:]) == [{"type": "trial", "block": 1}]
        assert [record["block"] for record in copy.records()] == [0, 1]


def test_a_line_torn_by_a_kill_is_pulled_again(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(LINES[0] + LINES[1][:7])
    with JournalCopy(tmp_path / "j") as copy:
        assert copy.size == len(LINES[0])
        copy.append(copy.size, LINES[1])
    assert (tmp_path / "j").read_bytes() == LINES[0] + LINES[1]


def test_a_gap_or_a_foreign_line_is_refused_and_not_written(tmp_path: Path) -> None:
    with JournalCopy(tmp_path / "j") as copy:
        with pytest.raises(ResultError, match="byte 7"):
            copy.append(7, b"{}\n")
        for foreign in (b"hello\n", b"[1]\n"):
            with pytest.raises(ResultError, match="a line is not"):
                copy.append(0, foreign)
            copy.forget_tail()
    assert (tmp_path / "j").read_bytes() == b""
