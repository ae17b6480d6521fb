# SPDX-License-Identifier: Apache-2.0
"""Who is the fastest, from journals: every pair of combinations, on each host and over machines."""

from __future__ import annotations

import dataclasses
import io
from html import escape
from itertools import combinations as two_of
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import wilcoxon

from orchestrator.model.estimates import Estimates, Measure
from orchestrator.model.ranking import Ranking, RankKind
from orchestrator.model.verdict import Scope
from orchestrator.pipeline.report import digested, report
from orchestrator.report.html import render_html
from orchestrator.report.terminal import printed
from orchestrator.results.judging import contest_of
from orchestrator.results.ranking import changed_rankings
from orchestrator.results.table import read_series
from orchestrator.stats.families import holm
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run

ONE = (("h1", "alpha"),)
THREE = (("h1", "alpha"), ("h2", "beta"), ("h3", "gamma"))
HANDLERS = ("runc", "crun", "runsc")
RUNC, CRUN, RUNSC = (f"containerd/{handler}" for handler in HANDLERS)
WANTED = Wanted(hosts=ONE, handlers=HANDLERS, blocks={LIFECYCLE: 12})


def made(tmp_path: Path, **changes: object) -> Estimates:
    return digested(write_run(tmp_path, dataclasses.replace(WANTED, **changes)))  # type: ignore[arg-type]


def only(estimates: Estimates) -> Ranking:
    (ranking,) = estimates.rankings
    return ranking


def test_the_fastest_beats_all_others(tmp_path: Path) -> None:
    ranking = only(made(tmp_path))
    assert (ranking.kind, ranking.scope, ranking.where, ranking.first) == (
        RankKind.FIRST,
        Scope.HOST,
        "h1",
        (CRUN,),
    )
    assert ranking.sentence.startswith(
        f"On h1: {CRUN} is the fastest of 3 in {LIFECYCLE}, CreateAndRun; {RUNC} is next, 1."
    )
    assert {duel.winner for duel in ranking.duels} == {CRUN, RUNC}, (
        "runsc, which is a third slower, wins against none"
    )


def test_one_that_is_as_fast_is_among_the_fastest_too(tmp_path: Path) -> None:
    ranking = only(made(tmp_path, effect=0.0))
    assert (ranking.kind, ranking.first) == (RankKind.AMONG, (RUNC, CRUN))
    assert f"{RUNC} and {CRUN} are among the fastest of 3" in ranking.sentence


def test_each_duel_is_the_paired_test_of_the_two_after_holm_over_all(tmp_path: Path) -> None:
    folder = write_run(tmp_path, dataclasses.replace(WANTED, effect=0.3))
    duels = {(duel.combination, duel.other): duel.evidence for duel in only(digested(folder)).duels}
    values = {s.combination: s.values[~s.warmup] for s in read_series(folder) if s.metric == "CreateAndRun"}
    pairs = [(b, a) for a, b in two_of((RUNC, CRUN, RUNSC), 2)]
    logs = {pair: np.log(values[pair[0]] / values[pair[1]]) for pair in pairs}
    adjusted = holm([wilcoxon(logs[pair], method="exact").pvalue for pair in pairs])
    for pair, p in zip(pairs, adjusted, strict=True):
        assert (duels[pair].units, duels[pair].comparisons) == (12, 3)
        assert duels[pair].adjusted == pytest.approx(p)
        averages = [(a + b) / 2 for i, a in enumerate(logs[pair]) for b in logs[pair][i:]]
        assert duels[pair].ratio == pytest.approx(np.exp(np.median(averages)))


def test_of_two_combinations_the_verdict_says_it(tmp_path: Path) -> None:
    assert made(tmp_path, handlers=("runc", "crun")).rankings == ()


@pytest.mark.parametrize(("blocks", "number"), [(7, 1), (6, 0)])
def test_three_comparisons_need_seven_blocks(tmp_path: Path, blocks: int, number: int) -> None:
    assert len(made(tmp_path, blocks={LIFECYCLE: blocks}).rankings) == number


def test_one_that_gives_no_numbers_takes_no_part(tmp_path: Path) -> None:
    every = tuple(("h1", RUNSC, block) for block in range(13))
    ranking = only(made(tmp_path, fails=every))
    assert (ranking.entered, ranking.absent, ranking.first) == ((RUNC, CRUN), (RUNSC,), (CRUN,))
    assert f"the fastest of 2 in {LIFECYCLE}" in ranking.sentence
    assert ranking.sentence.endswith(f"Not compared: {RUNSC}.")


def test_over_machines_each_counts_once(tmp_path: Path) -> None:
    estimates = made(tmp_path, hosts=(*THREE, ("h4", "gamma")))
    assert [one.scope for one in estimates.rankings] == [Scope.FLEET, *[Scope.HOST] * 4]
    ranking = estimates.rankings[0]
    assert {duel.evidence.units for duel in ranking.duels} == {3}
    assert (ranking.kind, ranking.first, ranking.where) == (RankKind.FIRST, (CRUN,), None)
    assert ranking.sentence.startswith(f"Across 3 machines: {CRUN} is the fastest of 3")


def test_two_machines_rank_nothing_together(tmp_path: Path) -> None:
    assert {one.scope for one in made(tmp_path, hosts=THREE[:2]).rankings} == {Scope.HOST}


def test_it_stands_at_the_head_of_every_report(tmp_path: Path) -> None:
    told = report(
        write_run(tmp_path, dataclasses.replace(WANTED, hosts=THREE, blocks={LIFECYCLE: 12, SCALE: 8}))
    )
    console = Console(file=io.StringIO(), width=100, highlight=False, emoji=False, markup=False)
    text = " ".join(printed(told, console).split())
    fleet, *hosts = (one for one in told.estimates.rankings if one.contest.benchmark == LIFECYCLE)
    assert text.index(fleet.sentence) < text.index(told.estimates.verdicts[0].sentence)
    assert not [one for one in hosts if one.sentence in text], (
        "what holds across machines is not said again of each"
    )
    page = render_html(told)
    assert page.index(escape(fleet.sentence)) < page.index(escape(told.estimates.verdicts[0].sentence))
    assert "Who comes first" in page
    assert f"Every ranking as a table ({len(told.estimates.rankings)})" in page


def test_without_flagged_blocks_another_first_is_told(tmp_path: Path) -> None:
    ranking = only(made(tmp_path))
    other = dataclasses.replace(ranking, kind=RankKind.AMONG, first=(RUNC, CRUN), sentence="both")
    (change,) = changed_rankings([ranking], [other])
    assert (change.host, change.with_all, change.without_flagged) == ("h1", ranking.sentence, "both")
    assert list(changed_rankings([ranking], [dataclasses.replace(ranking, duels=())])) == []


@pytest.mark.parametrize(
    ("unit", "better", "best", "worse"),
    [
        ("s", "lower", "fastest", "slower"),
        ("ms", "lower", "fastest", "slower"),
        ("MB/s", "higher", "highest", "worse"),
        ("MiB", "lower", "smallest", "worse"),
        ("%", "lower", "lowest", "worse"),
        ("s", "higher", "highest", "slower"),
    ],
)
def test_the_word_is_that_of_the_metric(unit: str, better: str, best: str, worse: str) -> None:
    contest = contest_of(Measure("b", "m", unit, better, primary=True, per_item=False, timed=""))
    assert (contest.best, contest.worse) == (best, worse)
