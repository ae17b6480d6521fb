# SPDX-License-Identifier: Apache-2.0
"""From journals to what is said across machines: who counts, what stands where in the report."""

from __future__ import annotations

import io
import math
from pathlib import Path
from statistics import fmean

import pytest
from rich.console import Console

from orchestrator.model.verdict import Scope, VerdictKind
from orchestrator.pipeline.report import digested, report
from orchestrator.report.html import render_html
from orchestrator.report.terminal import printed
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run

FOUR = (("h1", "alpha"), ("h2", "alpha"), ("h3", "beta"), ("h4", "gamma"))


def test_machines_are_counted_and_their_hosts_are_one(tmp_path: Path) -> None:
    made = digested(write_run(tmp_path, Wanted(hosts=FOUR)))
    fleet = next(one for one in made.fleet if one.benchmark == LIFECYCLE)
    assert (fleet.machines, fleet.reason, fleet.prediction) == (3, None, None)
    logs = {p.host: math.log(p.ratio or 0) for p in made.pairs if p.metric == "CreateAndRun"}
    mean = fmean([fmean((logs["h1"], logs["h2"])), logs["h3"], logs["h4"]])
    assert fleet.ratio == pytest.approx(math.exp(mean))
    assert fleet.range is not None and fleet.ratio is not None
    assert fleet.range.low <= fleet.ratio <= fleet.range.high


def test_the_fleets_sentences_stand_first_and_say_machines(tmp_path: Path) -> None:
    made = report(write_run(tmp_path, Wanted(hosts=FOUR, blocks={LIFECYCLE: 15})))
    verdicts = made.estimates.verdicts
    assert verdicts[0].scope in (Scope.FLEET, Scope.EACH_MACHINE)
    assert verdicts[0].kind is VerdictKind.DIFFERENT, "crun was made a quarter faster on every machine"
    assert "machines" in verdicts[0].sentence
    assert "faster" in verdicts[0].sentence
    assert sum(v.scope is Scope.HOST for v in verdicts) == len(FOUR)
    console = Console(file=io.StringIO(), width=100, highlight=False, emoji=False, markup=False)
    said = printed(made, console)
    assert said.index("machines") < said.index("On h1")
    assert "rests on 3 of them" in " ".join(said.split())
    assert "3 machines; q" in render_html(made), "what was drawn is machines, not pairs"


def test_two_machines_are_no_fleet(tmp_path: Path) -> None:
    made = digested(write_run(tmp_path, Wanted(hosts=FOUR[:3])))
    assert all(one.ratio is None and one.reason for one in made.fleet)
    assert all(verdict.scope is Scope.HOST for verdict in made.verdicts)


def test_without_a_difference_nothing_is_claimed_of_the_fleet(tmp_path: Path) -> None:
    wanted = Wanted(hosts=FOUR, effect=0.0, blocks={LIFECYCLE: 15})
    across = [v for v in digested(write_run(tmp_path, wanted)).verdicts if v.scope is not Scope.HOST]
    assert across
    assert not [v for v in across if v.kind in (VerdictKind.DIFFERENT, VerdictKind.CONFLICT)]
