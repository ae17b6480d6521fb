# SPDX-License-Identifier: Apache-2.0
"""Sixty hosts, six combinations, some forty metrics: the page stays small, whole and usable."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from orchestrator.pipeline.report import report, write_html
from tests.browser.conftest import Open
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run

HOSTS = tuple((f"node{index:02}", f"machine{index:02}") for index in range(60))
HANDLERS = ("runc", "crun", "runsc", "kata", "youki", "runc-mine")
BLOCKS = {LIFECYCLE: 7, **{f"scalability.runtime.{pods}": 7 for pods in range(2, 9)}}
LARGEST = 5_000_000


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted = Wanted(hosts=HOSTS, handlers=HANDLERS, blocks=BLOCKS, effect=0.8)
    run = write_run(tmp_path_factory.mktemp("crowd"), wanted)
    return write_html(report(run), run / "report.html")


def test_it_is_small_and_every_cell_is_in_it(crowd: Path) -> None:
    text = crowd.read_text()
    estimates = json.loads((crowd.parent / "estimates.json").read_text())
    metrics = {(measure["benchmark"], measure["metric"]) for measure in estimates["measures"]}
    assert len(metrics) >= 39
    assert len(text.encode()) < LARGEST
    assert text.count("data-row=") == len(BLOCKS) * (len(HOSTS) + 1)
    scalar = [measure for measure in estimates["measures"] if not measure["per_item"]]
    rows = re.findall(r'<th scope="row"[^>]*>node\d\d</th>', text)
    assert len(rows) >= len(HOSTS) * (2 * len(scalar) + len(BLOCKS)), "medians, statistics, and the matrix"


def test_it_can_be_used(opened: Open, crowd: Path) -> None:
    found = opened(crowd)
    assert found.page.locator("tr[data-host='all machines']").count() == len(BLOCKS)
    assert Axe().run(found.page).violations_count == 0
    found.page.locator("#choices select[name=baseline]").select_option(label="containerd/crun")
    assert "baseline" in found.page.locator("tr[data-row] >> nth=0").locator("td").nth(1).inner_text()
    assert found.complaints == []
