# SPDX-License-Identifier: Apache-2.0
"""What a page shows of very many blocks: evenly spread, with every extreme, and it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.model.samples import Series
from orchestrator.pipeline.report import report
from orchestrator.report.html import render_html
from orchestrator.report.thinning import MOST, selection
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run


def one(n: int, peak: int, combination: str = "a/b") -> Series:
    values = np.ones(n)
    values[peak] = 9.0
    blocks = np.arange(n)
    return Series("h", "b", "m", "s", combination, values, blocks, None, np.zeros(n, bool))


def test_up_to_what_a_run_usually_has_all_is_shown() -> None:
    series = one(MOST, 3)
    chosen = selection([series])
    assert chosen.sentence == ""
    assert chosen.of(series).all()


def test_of_more_every_kth_and_each_series_extremes() -> None:
    series = [one(1000, 501), one(1000, 733, "a/c")]
    chosen = selection(series)
    kept = [one.blocks[chosen.of(one)] for one in series]
    assert 501 in kept[0]
    assert 501 not in kept[1]
    assert 733 in kept[1]
    assert all(len(blocks) <= MOST + 2 for blocks in kept)
    assert max(np.diff(kept[0])) <= chosen.step
    assert chosen.sentence.startswith("Of 1000 blocks every 16th is shown")


def test_the_page_of_a_long_run_stays_small_and_says_what_it_shows(tmp_path: Path) -> None:
    drawn: list[dict[str, Any]] = []

    def paint(spec: dict[str, Any]) -> str:
        drawn.append(spec)
        return "<svg></svg>"

    made = report(write_run(tmp_path, Wanted(hosts=(("h1", "m"),), blocks={LIFECYCLE: 300})))
    page = render_html(made, paint)
    assert "Of 301 blocks every 5th is shown, and each series&#39; smallest and largest value" in page
    assert all(len(spec["data"]["values"]) <= 2 * (MOST + 4) for spec in drawn)
    cell = next(c for c in made.estimates.cells if c.metric == "CreateAndRun")
    assert cell.n == 300
