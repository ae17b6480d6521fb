# SPDX-License-Identifier: Apache-2.0
"""Where the spread lies: over several hosts and runs, and in the reports that have more than one."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from orchestrator.pipeline.report import digested, report
from orchestrator.report.html import render_html
from orchestrator.report.spread import shares, spread_in_short, spread_table
from orchestrator.report.terminal import printed
from orchestrator.results.table import read_series
from orchestrator.stats.variance import components
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run

TWO = Wanted(hosts=(("h1", "alpha"), ("h2", "beta")), blocks={LIFECYCLE: 8})
LATER = replace(TWO, id="synthetic-2", seed=8, blocks={LIFECYCLE: 6})


def test_hosts_and_runs_are_told_apart_where_there_are_several(tmp_path: Path) -> None:
    folders = [write_run(tmp_path, wanted) for wanted in (TWO, LATER)]
    split = next(one for one in digested(*folders).variances if one.combination == "containerd/runc")
    assert (split.benchmark, split.metric, split.hosts, split.runs, split.values) == (
        LIFECYCLE,
        "CreateAndRun",
        2,
        4,
        28,
    )
    values = []
    for host in ("h1", "h2"):
        each = []
        for folder in folders:
            digested(folder)
            (found,) = (
                one
                for one in read_series(folder)
                if (one.host, one.metric, one.combination) == (host, "CreateAndRun", "containerd/runc")
            )
            each.append(np.log(found.values[~found.warmup]))
        values.append(each)
    wanted = components(values)
    assert wanted is not None
    found_parts = (split.between_hosts, split.between_runs, split.within)
    assert found_parts == pytest.approx((wanted.hosts, wanted.runs, wanted.within))
    assert split.zeroed == wanted.zeroed


def test_one_run_of_several_hosts_has_no_part_between_runs(tmp_path: Path) -> None:
    splits = digested(write_run(tmp_path, TWO)).variances
    assert {one.between_runs for one in splits} == {None}
    assert {(one.hosts, one.runs, one.values) for one in splits} == {(2, 2, 16)}
    assert all(one.between_hosts is not None for one in splits)


def test_one_run_of_one_host_has_nothing_to_split_and_shows_nothing(tmp_path: Path) -> None:
    made = report(write_run(tmp_path, replace(TWO, hosts=(("h1", "alpha"),))))
    assert made.estimates.variances == ()
    assert spread_table(made) is None
    assert spread_in_short(made) is None
    assert "Where the spread lies" not in render_html(made)


def test_every_report_of_more_shows_it(tmp_path: Path) -> None:
    made = report(*[write_run(tmp_path, wanted) for wanted in (TWO, LATER)])
    console = Console(file=io.StringIO(), width=100, highlight=False, emoji=False, markup=False)
    text = printed(made, console)
    table, short = spread_table(made), spread_in_short(made)
    assert table is not None
    assert short is not None
    assert len(table.rows) == 2, "a row a combination"
    assert short.rows[0][1:] == shares(made.estimates.variances)
    assert all(cell in text for cell in short.rows[0])
    assert 'id="spread"' in render_html(made)


def test_shares_add_up_and_what_was_set_to_zero_is_marked(tmp_path: Path) -> None:
    split = digested(write_run(tmp_path, TWO)).variances[0]
    told = replace(split, between_hosts=0.03, between_runs=0.01, within=0.06, zeroed=())
    assert [text.split(" (")[0] for text in shares([told])] == ["30 %", "10 %", "60 %"]
    assert shares([told])[0] == "30 % (18.9 %)", "exp(sqrt(0.03)) - 1"
    zero = replace(told, between_hosts=0.0, between_runs=None, zeroed=("hosts",))
    assert shares([zero])[:2] == ("0 *", "-")
    assert shares([told, zero])[0].endswith(" *"), "of one of the two"
