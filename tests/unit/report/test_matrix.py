# SPDX-License-Identifier: Apache-2.0
"""The matrix shows what the estimates say, and its numbers turn round as ratios do."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from orchestrator.model.choices import Ratio, Row
from orchestrator.pipeline.report import report
from orchestrator.report.matrix import EVERYWHERE, kind_of, matrices, numbers_for_script
from orchestrator.report.view import MANY, Report
from orchestrator.results.choices import rows
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run

MACHINES = (("h1", "alpha"), ("h2", "alpha"), ("h3", "beta"), ("h4", "gamma"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    wanted = Wanted(hosts=MACHINES, handlers=("runc", "crun", "runsc"), blocks={LIFECYCLE: 20, SCALE: 20})
    return report(write_run(tmp_path_factory.mktemp("matrix"), wanted))


def _row(made: Report, benchmark: str, host: str | None) -> Row:
    return next(row for row in made.rows if (row.benchmark, row.host) == (benchmark, host))


def test_against_the_runs_baseline_it_is_what_was_estimated(made: Report) -> None:
    for pair in made.estimates.pairs:
        if made.primary(pair.benchmark).metric != pair.metric:  # type: ignore[union-attr]
            continue
        names = [combination.name for combination in made.spec.combinations]
        row = _row(made, pair.benchmark, pair.host)
        found = row.ratio(names.index(pair.combination), names.index(made.spec.baseline))
        assert found is not None
        assert pair.interval is not None
        assert (found.value, found.low, found.high) == pytest.approx(
            (pair.ratio, pair.interval.low, pair.interval.high)
        )


def test_over_machines_it_is_the_fleets_and_hosts_of_one_count_once(made: Report) -> None:
    for fleet in made.estimates.fleet:
        names = [combination.name for combination in made.spec.combinations]
        found = _row(made, fleet.benchmark, None).ratio(names.index(fleet.combination), 0)
        assert found is not None
        assert fleet.interval is not None
        assert (found.value, found.low, found.high) == pytest.approx(
            (fleet.ratio, fleet.interval.low, fleet.interval.high)
        )


def test_each_way_round_is_the_others_inverse(made: Report) -> None:
    for row in made.rows:
        for a, b in permutations(range(3), 2):
            here, there = row.ratio(a, b), row.ratio(b, a)
            assert here is not None
            assert there is not None
            assert here.value * there.value == pytest.approx(1)
            assert here.low is not None
            assert there.high is not None
            assert here.low * there.high == pytest.approx(1)


def test_the_statistics_are_the_cells(made: Report) -> None:
    row = _row(made, LIFECYCLE, "h3")
    cell = made.cell("h3", made.primary(LIFECYCLE), "containerd/crun")  # type: ignore[arg-type]
    assert cell is not None
    assert cell.secondary is not None
    more = cell.secondary
    assert row.statistics[1] == (more.minimum, cell.median, more.mean, more.p95, more.maximum)
    every = _row(made, LIFECYCLE, None).statistics[1]
    medians = [_row(made, LIFECYCLE, host).statistics[1][1] for host, _ in MACHINES]  # type: ignore[index]
    alpha = math.sqrt(medians[0] * medians[1])  # type: ignore[operator]
    assert every is not None
    assert every[1] == pytest.approx((alpha * medians[2] * medians[3]) ** (1 / 3))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("ratio", "kind"),
    [
        (Ratio(1.2, 1.1, 1.3), "worse"),
        (Ratio(1.2, 1.0, 1.3), "unsure"),
        (Ratio(0.8, 0.7, 0.9), "better"),
        (Ratio(0.8, 0.7, 1.0), "unsure"),
        (Ratio(1.0, 0.96, 1.04), "same"),
        (Ratio(1.0, 0.96, 1.051), "unsure"),
        (Ratio(1.0, 0.952, 1.04), "unsure"),
        (Ratio(3.0, None, None), "unsure"),
    ],
)
def test_what_a_cell_is_depends_on_its_interval_alone(ratio: Ratio, kind: str) -> None:
    assert kind_of(ratio, 0.05) == kind


def test_a_few_hosts_stand_in_one_matrix_and_very_many_behind_the_fleet(made: Report) -> None:
    (one,) = matrices(made)
    assert [line.host for line in one.lines] == ["h1", "h2", "h3", "h4", EVERYWHERE] * 2
    hosts = tuple(replace(made.spec.hosts[0], name=f"h{n}") for n in range(MANY + 1))
    crowd = replace(made, spec=replace(made.spec, hosts=hosts))
    together, apart = matrices(crowd)
    assert {line.host for line in together.lines} == {EVERYWHERE}
    assert EVERYWHERE not in {line.host for line in apart.lines}


def test_bold_is_what_a_verdict_says(made: Report) -> None:
    claims = {
        (v.subject.benchmark, v.subject.combination, v.where or EVERYWHERE)
        for v in made.estimates.verdicts
        if v.kind == "different"
    }
    (one,) = matrices(made)
    bold = {
        (line.benchmark, name, line.host)
        for line in one.lines
        for name, cell in zip(one.head, line.cells, strict=True)
        if cell.claimed
    }
    assert bold == claims
    assert bold


def test_the_scripts_numbers_cannot_end_the_script(made: Report) -> None:
    combinations = tuple(replace(one, cri="</script>") for one in made.spec.combinations)
    text = numbers_for_script(replace(made, spec=replace(made.spec, combinations=combinations)))
    assert "<" not in text
    assert json.loads(text)["combinations"][0] == f"</script>/{combinations[0].handler}"


def test_what_a_ranking_has_compared_is_taken_from_it(tmp_path: Path) -> None:
    """The same numbers as without it, each pair once: of thousands of blocks a comparison costs its time."""
    wanted = Wanted(
        handlers=("runc", "crun", "runsc"), blocks={LIFECYCLE: 9}, fails=(("h1", "containerd/crun", 3),)
    )
    made = report(write_run(tmp_path, wanted))
    assert {ranking.where for ranking in made.estimates.rankings} == {"h1", "h2"}
    anew = rows(made.spec, replace(made.estimates, rankings=()), made.series)
    for row, other in zip(made.rows, anew, strict=True):
        assert row.ratios.keys() == other.ratios.keys() == {(0, 1), (0, 2), (1, 2)}
        for pair, ratio in row.ratios.items():
            again = other.ratios[pair]
            assert (ratio.value, ratio.low, ratio.high) == pytest.approx((again.value, again.low, again.high))
