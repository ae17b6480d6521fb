# SPDX-License-Identifier: Apache-2.0
"""From samples to estimates: which values count, what pairs with what, what is said."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from orchestrator.model.errors import ResultError
from orchestrator.model.estimates import Estimates
from orchestrator.model.samples import Series
from orchestrator.model.verdict import Scope, VerdictKind
from orchestrator.results import estimates as store
from orchestrator.results.analysis import Merged, estimate
from orchestrator.results.merge import merge
from orchestrator.results.store import RunFolder
from orchestrator.results.table import read_counts, read_series
from orchestrator.stats.families import benjamini_hochberg
from orchestrator.stats.fleet import effect
from remote_agent.contract.benchmark import Benchmark, Better
from tests.fixtures.synthetic import CATALOGUE, LIFECYCLE, SCALE, Wanted, write_run

PRIMARY = ("CreateAndRun", "TotalTime")


def analysed(folder: Path, catalogue: Mapping[str, Benchmark] = CATALOGUE) -> Estimates:
    spec = RunFolder(folder).read_spec()
    told = merge(folder, spec)
    merged = Merged(read_series(folder), read_counts(folder), told.hosts, {}, told.blocks)
    return estimate(spec, merged, catalogue)


def series(folder: Path, host: str, metric: str, combination: str) -> Series:
    return next(
        s for s in read_series(folder) if (s.host, s.metric, s.combination) == (host, metric, combination)
    )


def test_cells_and_pairs_leave_out_warm_up_and_blocks_that_lack_a_side(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Wanted(fails=(("h1", "containerd/crun", 3),)))
    made = analysed(folder)
    crun = series(folder, "h1", "CreateAndRun", "containerd/crun")
    wanted = ("h1", "CreateAndRun", "containerd/crun")
    cell = next(c for c in made.cells if (c.host, c.metric, c.combination) == wanted)
    assert (cell.asked, cell.n) == (10, 9)
    assert cell.median == pytest.approx(float(np.median(crun.values[1:])))
    pair = next(p for p in made.pairs if (p.host, p.metric) == ("h1", "CreateAndRun"))
    assert pair.pairs == 9
    runc = series(folder, "h1", "CreateAndRun", "containerd/runc")
    base = dict(zip(runc.blocks, runc.values, strict=True))
    logs = [
        np.log(value / base[block]) for block, value in zip(crun.blocks[1:], crun.values[1:], strict=True)
    ]
    walsh = [(a + b) / 2 for i, a in enumerate(logs) for b in logs[i:]]
    assert pair.ratio == pytest.approx(float(np.exp(np.median(walsh))))


def test_one_family_covers_every_host_and_nothing_but_primary_metrics(tmp_path: Path) -> None:
    made = analysed(write_run(tmp_path))
    claims = [p for p in made.pairs if p.metric in PRIMARY]
    assert made.family.size == len(claims) == 4
    assert [p.adjusted for p in claims] == pytest.approx(benjamini_hochberg([p.p or 1.0 for p in claims]))
    assert {(v.where, v.subject.metric) for v in made.verdicts} == {
        (host, metric) for host in ("h1", "h2") for metric in PRIMARY
    }
    assert {v.kind for v in made.verdicts} == {VerdictKind.DIFFERENT}
    assert {v.evidence.comparisons for v in made.verdicts} == {4}
    assert made.family_sentence.startswith("Of the differences that are claimed here, at most 1 in 20")


def test_claims_and_exploration_are_two_families_of_the_whole_report(tmp_path: Path) -> None:
    wanted = Wanted(
        hosts=(("h1", "alpha"), ("h2", "beta")),
        handlers=("runc", "crun", "runsc"),
        effect=0.02,
        blocks={LIFECYCLE: 8, SCALE: 8},
    )
    made = analysed(write_run(tmp_path, wanted))
    for pairs in (
        [p for p in made.pairs if p.metric in PRIMARY],
        [p for p in made.pairs if p.metric not in PRIMARY],
    ):
        raw = [p.p for p in pairs if p.p is not None]
        assert len(raw) == len(pairs) > 2
        assert [p.adjusted for p in pairs] == pytest.approx(benjamini_hochberg(raw))


def test_what_is_said_across_machines_stands_in_the_same_family(tmp_path: Path) -> None:
    hosts = tuple((f"h{number}", f"m{number}") for number in range(1, 4))
    made = analysed(write_run(tmp_path, Wanted(hosts=hosts, blocks={LIFECYCLE: 10})))
    across = [v for v in made.verdicts if v.scope is Scope.FLEET]
    own = [p.p or 1.0 for p in made.pairs if p.metric in PRIMARY]
    assert made.family.size == len(own) + len(across) == 4
    (fleet,) = across
    effect_p = effect([math.log(p.ratio or 1.0) for p in made.pairs if p.metric in PRIMARY]).p
    assert fleet.evidence.adjusted == pytest.approx(benjamini_hochberg([*own, effect_p])[-1])


def test_a_claims_interval_is_wider_than_the_tables_and_of_the_familys_level(tmp_path: Path) -> None:
    made = analysed(write_run(tmp_path, Wanted(handlers=("runc", "crun", "runsc"), blocks={LIFECYCLE: 12})))
    assert made.family.discoveries < made.family.size or made.family.level == pytest.approx(0.95)
    claimed = [v.evidence for v in made.verdicts if v.kind is VerdictKind.DIFFERENT]
    assert claimed
    for evidence in claimed:
        assert evidence.claim is not None
        assert evidence.interval is not None
        assert evidence.claim.level == made.family.level
        assert evidence.claim.low <= evidence.interval.low
        assert evidence.claim.high >= evidence.interval.high
        assert evidence.claim.low > 1 or evidence.claim.high < 1
    assert all(v.evidence.claim is None for v in made.verdicts if (v.evidence.adjusted or 1) >= 0.05)


def test_a_change_and_its_reverse_tie(tmp_path: Path) -> None:
    """12 blocks from 10 to 11 ms and 12 from 11 to 10 ms say nothing: ln(11/10) and -ln(10/11) differ by one bit."""
    folder = write_run(tmp_path, Wanted(hosts=(("h1", "alpha"),), blocks={LIFECYCLE: 24}))
    path = RunFolder(folder).journal("h1")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        if record["type"] == "trial":
            first = (record["combination"] == "containerd/runc") == (record["block"] % 2 == 0)
            for sample in record["samples"]:
                sample["value"] = 0.010 if first else 0.011
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    pair = next(p for p in analysed(folder).pairs if p.metric == "CreateAndRun")
    assert (pair.pairs, pair.ratio, pair.p) == (24, 1.0, 1.0)


def test_equal_runtimes_are_not_told_apart(tmp_path: Path) -> None:
    made = analysed(write_run(tmp_path, Wanted(effect=0.0, blocks={LIFECYCLE: 40, SCALE: 40})))
    assert {v.kind for v in made.verdicts} <= {VerdictKind.EQUIVALENT, VerdictKind.UNDECIDED}
    assert VerdictKind.EQUIVALENT in {v.kind for v in made.verdicts}


def test_five_blocks_show_a_range_and_claim_nothing(tmp_path: Path) -> None:
    made = analysed(write_run(tmp_path, Wanted(blocks={LIFECYCLE: 5, SCALE: 5})))
    assert {v.kind for v in made.verdicts} == {VerdictKind.UNCLAIMED}
    cell = made.cells[0]
    assert cell.interval is None
    assert cell.reason == "5 of the 6 values that an interval needs"
    assert cell.secondary is not None
    assert cell.secondary.minimum < cell.secondary.maximum


def test_higher_is_better_turns_the_ratio_round(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    lifecycle = CATALOGUE[LIFECYCLE]
    turned = tuple(dataclasses.replace(metric, better=Better.HIGHER) for metric in lifecycle.metrics)
    higher = analysed(folder, {LIFECYCLE: dataclasses.replace(lifecycle, metrics=turned)}).pairs[0].ratio
    lower = analysed(folder).pairs[0].ratio
    assert higher is not None
    assert lower is not None
    assert higher == pytest.approx(1 / lower)


def test_a_combination_that_always_failed_stays_in_the_family_with_its_reason(tmp_path: Path) -> None:
    every = tuple(
        ("h1", name, block) for name in ("containerd/crun", "containerd/runc") for block in range(11)
    )
    made = analysed(write_run(tmp_path, Wanted(hosts=(("h1", "alpha"),), fails=every)))
    assert made.family.size == 2
    cell = next(c for c in made.cells if c.metric == "CreateAndRun")
    assert (cell.n, cell.median) == (0, None)
    assert cell.reason == "no counted trial succeeded: StartContainer: deadline exceeded (synthetic)"
    assert {v.subject.benchmark: v.kind for v in made.verdicts}[LIFECYCLE] is VerdictKind.UNCLAIMED
    assert any("11 of 11 trials of containerd/crun" in n.message for n in made.notices)


def test_the_curve_is_the_median_by_pod(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    wanted = ("h2", "PodStart", "containerd/runc")
    points = [p for p in analysed(folder).curves if (p.host, p.metric, p.combination) == wanted]
    assert [p.item for p in points] == [0, 1, 2, 3, 4]
    starts = series(folder, "h2", "PodStart", "containerd/runc")
    assert starts.items is not None
    rows = zip(starts.values, starts.items, starts.warmup, strict=True)
    third = [value for value, item, warm in rows if item == 3 and not warm]
    assert points[3].median == pytest.approx(float(np.median(third)))
    assert points[3].interval is not None
    assert points[3].n == 6


def test_machines_are_counted_and_named(tmp_path: Path) -> None:
    made = analysed(write_run(tmp_path))
    assert made.fleet_sentence.startswith("No fleet claim: 2 hosts on 1 machine")
    assert {f.reason for f in made.fleet} == {made.fleet_sentence}
    assert any("h1 and h2 share the machine alpha" in n.message for n in made.notices)


def test_unlike_and_changed_hosts_are_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    path = RunFolder(folder).journal("h2")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    records[1]["facts"]["kernel"]["release"] = "6.1.0-other"
    records[1]["facts"]["memory"]["available_kb"] = 7
    records[-2]["facts"]["adapters"] = {"runc": "ab" * 32}
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    messages = [n.message for n in analysed(folder).notices]
    assert "The hosts are not alike: kernel.release." in messages
    (changed,) = (message for message in messages if message.startswith("The host changed"))
    assert changed == (
        "The host changed during the run: adapters.runc; kernel.release (6.1.0-other, then 6.12.0-synthetic)."
    )


def test_noise_and_settings_are_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    quiet = [n.message for n in analysed(folder).notices]
    path = RunFolder(folder).journal("h1")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    records[1]["facts"]["cpu"]["governor"] = "powersave"
    records[1]["facts"]["kernel"]["clocksource"] = "hpet"
    for record in records:
        if record["type"] == "block_ended":
            record["noise"] = {
                "steal_s": 0.2,
                "cpu_s": 4.0,
                "throttled": 1,
                "loadavg": {"before": [1.5, 1, 1]},
            }
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    told = {n.message for n in analysed(folder).notices if n.host == "h1"} - set(quiet)
    assert told >= {
        "The CPU governor is powersave.",
        "The clock source is hpet.",
        "5.0 % of the CPU time was stolen by other guests of the machine.",
        "The CPUs were throttled 18 times.",
        "The load was 1.5 on 2 CPUs before the first block.",
    }


def test_estimates_come_back_as_they_were_written(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    made = analysed(folder)
    store.save(folder, made)
    assert store.load(folder) == made


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ('{"schema": 0}', "schema 0"),
        ('{"schema": 5}', "values are not"),
        ("[]", "not JSON as"),
    ],
)
def test_other_estimates_are_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / store.NAME).write_text(content)
    with pytest.raises(ResultError, match=words):
        store.load(tmp_path)
    assert store.sources(tmp_path) is None
