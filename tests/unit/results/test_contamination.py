# SPDX-License-Identifier: Apache-2.0
"""Which blocks are flagged, and why; and that a claim rests on all of them while the other view stands beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.estimates import Contaminant, Estimates
from orchestrator.model.samples import BlockRecord, HostRecord
from orchestrator.model.verdict import VerdictKind
from orchestrator.pipeline.report import digested, report
from orchestrator.report.html import render_html
from orchestrator.results.contamination import flagged_blocks
from orchestrator.results.store import RunFolder
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run

QUIET: Mapping[str, Any] = {
    "steal_s": 0.0,
    "cpu_s": 20.0,
    "idle_s": 12.0,
    "throttled": 0,
    "clock_step_s": 0.0,
    "psi_cpu_some_s": 1.0,
    "psi_memory_some_s": 0.0,
    "psi_io_some_s": None,
}
ONE_HOST = Wanted(hosts=(("h1", "alpha"),), blocks={LIFECYCLE: 12})


def host(**fields: Any) -> HostRecord:
    facts = {"cpu": {"count": 2}}
    return HostRecord("h1", "m", "a", 1, "complete", {}, facts, {}, {}, None, (), **fields)


def reasons(noise: Mapping[str, Any] | None, *, warmup: bool = False, redone: int = 0) -> list[Contaminant]:
    """Against a block with that noise, beside ten quiet ones (one of them warm-up)."""
    quiet = [
        BlockRecord("r", "h1", "b", n, n, n == 0, {**QUIET, "idle_s": 12.0 + 0.1 * n}) for n in range(10)
    ]
    blocks = [*quiet, BlockRecord("r", "h1", "b", 10, 10, warmup, noise, redone)]
    flagged = flagged_blocks(blocks, [host()])
    assert all(block.block == 10 for block in flagged)
    return [reason.kind for block in flagged for reason in block.reasons]


@pytest.mark.parametrize(
    ("noise", "kinds"),
    [
        ({}, []),
        ({"steal_s": 0.2}, []),
        ({"steal_s": 0.21}, [Contaminant.STEAL]),
        ({"steal_s": 0.01, "cpu_s": 0.5, "psi_cpu_some_s": 0.0}, []),  # one tick may be rounding
        ({"throttled": 1}, [Contaminant.THROTTLING]),
        ({"throttled": None}, []),
        ({"idle_s": 9.0}, []),  # 3.5 s more than usual, of the 4 that are allowed
        ({"idle_s": 7.0}, [Contaminant.FOREIGN_CPU]),
        ({"psi_cpu_some_s": 2.9}, []),  # of 10 s: 29 %, usually 10 %
        ({"psi_cpu_some_s": 3.2}, [Contaminant.CPU_PRESSURE]),
        ({"psi_memory_some_s": 2.5}, [Contaminant.MEMORY_PRESSURE]),
        ({"psi_io_some_s": 9.0}, []),  # the others do not tell it, so nothing is usual
        ({"clock_step_s": -0.5}, [Contaminant.CLOCK]),
        ({"clock_step_s": 0.05}, []),
        ({"missing": {"block": "the agent was started again in this block"}}, [Contaminant.INTERRUPTED]),
    ],
)
def test_a_block_is_flagged_by_its_own_counters(noise: Mapping[str, Any], kinds: list[Contaminant]) -> None:
    assert reasons({**QUIET, **noise}) == kinds


def test_a_redone_trial_and_a_block_without_an_end_are_flagged_and_warm_up_is_not_held_to_the_others() -> (
    None
):
    assert reasons(dict(QUIET), redone=2) == [Contaminant.REDONE]
    assert reasons(None) == [Contaminant.INTERRUPTED]
    assert reasons({**QUIET, "idle_s": 1.0}, warmup=True) == []


def test_a_benchmark_whose_blocks_are_unlike_by_nature_is_not_flagged_for_it() -> None:
    idle = (2.0, 18.0, 4.0, 16.0, 6.0, 14.0, 8.0, 12.0)
    blocks = [BlockRecord("r", "h1", "b", n, n, False, {**QUIET, "idle_s": s}) for n, s in enumerate(idle)]
    assert flagged_blocks(blocks, [host()]) == ()


def test_nothing_is_usual_among_fewer_than_six_blocks() -> None:
    noises = [{**QUIET, "idle_s": 12.0}] * 4 + [{**QUIET, "idle_s": 0.0}]
    blocks = [BlockRecord("r", "h1", "b", n, n, False, noise) for n, noise in enumerate(noises)]
    assert flagged_blocks(blocks, [host()]) == ()


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None], name: str = "h1") -> Path:
    path = RunFolder(folder).journal(name)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        change(record)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def steal_from(*blocks: int) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        if record["type"] == "block_ended" and record["block"] in blocks:
            record["noise"]["steal_s"] = 1.0

    return change


def made(folder: Path) -> tuple[Estimates, dict[str, Any]]:
    estimates = digested(folder)
    return estimates, json.loads((folder / "estimates.json").read_text())


def test_both_views_are_kept_and_claims_rest_on_all_blocks(tmp_path: Path) -> None:
    folder = rewritten(write_run(tmp_path, ONE_HOST), steal_from(0, 3, 5))
    estimates, on_disk = made(folder)
    other = estimates.contamination
    assert other is not None
    assert [(b.block, b.warmup, [r.kind for r in b.reasons]) for b in other.flagged] == [
        (n, n == 0, [Contaminant.STEAL]) for n in (0, 3, 5)
    ]
    assert other.counted == 12
    whole = next(p for p in estimates.pairs if p.metric == "CreateAndRun")
    clean = next(p for p in other.pairs if p.metric == "CreateAndRun")
    assert (whole.pairs, clean.pairs) == (12, 10)
    assert whole.ratio != clean.ratio
    assert estimates.verdicts[0].evidence.units == 12
    assert {c.n for c in other.cells} == {10}
    assert other.changes == ()
    assert len(on_disk["contamination"]["flagged"]) == 3
    told = next(n for n in estimates.notices if "contaminated" in n.message)
    assert told.message == "2 blocks are flagged as contaminated: steal in 2."
    assert "no finding would be another" in told.hint


def test_a_verdict_that_rests_on_flagged_blocks_is_told_with_both_sentences(tmp_path: Path) -> None:
    blocks = (2, 4, 6, 8, 9, 10, 11)  # six pairs are left to claim with, less one: nothing can be claimed
    folder = rewritten(write_run(tmp_path, ONE_HOST), steal_from(*blocks))
    estimates, _ = made(folder)
    other = estimates.contamination
    assert other is not None
    assert [v.kind for v in estimates.verdicts] == [VerdictKind.DIFFERENT]
    assert [v.kind for v in other.verdicts] == [VerdictKind.UNCLAIMED]
    (change,) = other.changes
    assert change.with_all == estimates.verdicts[0].sentence
    assert "5 of the 6 pairs that an interval needs" in change.without_flagged
    page = render_html(report(folder), lambda spec: lambda: "<svg></svg>")
    assert "7 of 12 counted blocks are flagged" in page
    assert "5 of the 6 pairs that an interval needs" in page
    assert "25.0 % of the CPU time was stolen by other guests" in page


def test_a_trial_that_was_done_again_flags_its_block(tmp_path: Path) -> None:
    def again(record: dict[str, Any]) -> None:
        if record["type"] == "trial" and record["block"] == 4 and record["position"] == 1:
            record["attempt"] = 2

    estimates, _ = made(rewritten(write_run(tmp_path, ONE_HOST), again))
    assert estimates.contamination is not None
    (block,) = estimates.contamination.flagged
    assert (block.block, [r.sentence for r in block.reasons]) == (4, ["a trial was begun more than once"])


def test_a_clean_run_has_one_view(tmp_path: Path) -> None:
    folder = write_run(tmp_path, ONE_HOST)
    assert made(folder)[0].contamination is None
    assert "Contaminated blocks" not in render_html(report(folder), lambda spec: lambda: "<svg></svg>")


def test_metrics_that_no_benchmark_declares_are_estimated_as_they_were_recorded(tmp_path: Path) -> None:
    def beside(record: dict[str, Any]) -> None:
        if record["type"] == "trial" and record["status"] == "ok":
            record["samples"].append({"metric": "OtherPSS", "value": 6e7, "unit": "bytes", "item": None})
            record["samples"].append({"metric": "Floor", "value": 0.0, "unit": "s", "item": None})

    estimates, _ = made(rewritten(write_run(tmp_path, ONE_HOST), beside))
    measure = next(m for m in estimates.measures if m.metric == "OtherPSS")
    assert (measure.unit, measure.primary, measure.timed) == ("bytes", False, "")
    cells = [c for c in estimates.cells if c.metric == "OtherPSS"]
    assert {(c.n, c.median) for c in cells} == {(12, 6e7)}
    floor = next(p for p in estimates.pairs if p.metric == "Floor")
    assert floor.reason == "a value of zero or below has no ratio"
