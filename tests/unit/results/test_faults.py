# SPDX-License-Identifier: Apache-2.0
"""A journal with faults in it: what was torn is in no number, and the report says what happened to which host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import ResultError
from orchestrator.pipeline.report import digest
from orchestrator.results import estimates as store
from orchestrator.results import merge
from orchestrator.results.store import RunFolder
from orchestrator.results.table import read_series
from tests.fixtures.replay import numbers, undisturbed
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_journal, write_run

Records = list[dict[str, Any]]
WANTED = Wanted(blocks={LIFECYCLE: 7})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path, WANTED)


def rewrite(folder: Path, host: str, change: Callable[[Records], Records]) -> None:
    lines = RunFolder(folder).journal(host).read_text().splitlines()
    write_journal(folder, host, change([json.loads(line) for line in lines]))


def torn(records: Records, nth: int, reason: str, restarted: bool) -> Records:
    """The trial of that number was torn once, and is the second attempt now; the agent was started again before it."""
    index = [i for i, record in enumerate(records) if record["type"] == "trial"][nth]
    started, trial = records[index - 1], records[index]
    again = {**records[0], "resumed": True}
    story = [started, again, {**started, "type": "torn", "reason": reason}]
    behind = [{**started, "attempt": 2}, {**trial, "attempt": 2}, *records[index + 1 :]]
    if restarted:  # the clock begins anew
        behind = [{**record, "start_ns": record["start_ns"] - 10**12} if "start_ns" in record else record
                  for record in behind]  # fmt: skip
    return [*records[: index - 1], *story, *behind]


@pytest.mark.parametrize("restarted", [False, True], ids=["agent", "host"])
def test_what_was_torn_is_in_no_number(folder: Path, tmp_path: Path, restarted: bool) -> None:
    digest(folder)
    clean = store.load(folder)
    before = [
        (series.metric, series.values.tolist(), series.blocks.tolist()) for series in read_series(folder)
    ]
    rewrite(folder, "h1", lambda records: torn(records, 5, "The agent ended in it.", restarted))
    digest(folder)
    assert [
        (series.metric, series.values.tolist(), series.blocks.tolist()) for series in read_series(folder)
    ] == before, "in the journal's order, also where its clock began anew"
    found = store.load(folder)
    assert numbers(found) == numbers(clean)
    replayed = undisturbed(folder, tmp_path / "replay")
    digest(replayed)
    assert numbers(store.load(replayed)) == numbers(found)
    assert found.hosts[0].redone == {"The agent ended in it.": 1}
    assert [notice.message for notice in found.notices if "torn" in notice.message] == [
        "1 attempt was torn and redone. The agent ended in it."
    ]


def test_a_host_that_was_lost_is_named_with_what_it_lacks(folder: Path) -> None:
    def lost(records: Records) -> Records:
        third = next(
            i for i, record in enumerate(records) if record["type"] == "block" and record["block"] == 3
        )
        return records[: third + 2]

    rewrite(folder, "h2", lost)
    digest(folder)
    found = store.load(folder)
    (notice,) = [notice for notice in found.notices if "has not ended" in notice.message]
    assert notice.host == "h2"
    assert notice.message == f"The run has not ended here: it has 3 of 8 blocks of {LIFECYCLE}."
    assert {cell.n for cell in found.cells if cell.host == "h1"} == {7}
    assert {cell.n for cell in found.cells if cell.host == "h2"} == {2}, "without its warm-up block"


def test_a_full_disk_is_said_in_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(merge, "aside", full)
    with pytest.raises(ResultError, match=r"samples\.parquet .* cannot be written: .*No space left"):
        digest(folder)
