# SPDX-License-Identifier: Apache-2.0
"""The floor stands beside every latency, and nowhere where it was not recorded."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from orchestrator.pipeline.report import report
from orchestrator.report.floor import floor
from orchestrator.report.html import render_html
from orchestrator.report.terminal import printed
from orchestrator.results.store import RunFolder
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run


def _with_floor(folder: Path) -> Path:
    """Each trial of the lifecycle's has a floor of 0.3 ms on h1 and of 0.5 ms elsewhere."""
    run = RunFolder(folder)
    for host in run.read_spec().hosts:
        lines = [json.loads(line) for line in run.journal(host.name).read_text().splitlines()]
        for line in lines:
            if line["type"] == "trial" and line["benchmark"] == LIFECYCLE and line["status"] == "ok":
                value = 0.3 if host.name == "h1" else 0.5
                line["samples"].append({"metric": "Floor", "value": value, "unit": "ms", "item": None})
        run.journal(host.name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_it_is_told_by_cri_runtime_of_the_hosts_that_are_meant(tmp_path: Path) -> None:
    made = report(_with_floor(write_run(tmp_path, Wanted())))
    assert floor(made, LIFECYCLE, ["h1"]) == (
        "The floor, a Version call on the same channel: containerd 0.300 ms."
    )
    assert floor(made, LIFECYCLE, made.hosts[1:]) == (
        "The floor, a Version call on the same channel: containerd 0.500 ms."
    )
    assert floor(made, SCALE, made.hosts) is None, "nothing was recorded there"


def test_terminal_and_page_show_it(tmp_path: Path) -> None:
    made = report(_with_floor(write_run(tmp_path, Wanted())))
    console = Console(file=io.StringIO(), width=80, highlight=False, emoji=False, markup=False)
    assert "The floor, a Version call on the same channel: containerd 0.300 ms." in printed(made, console)
    assert "The floor, a Version call" in render_html(made)
