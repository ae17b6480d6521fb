# SPDX-License-Identifier: Apache-2.0
"""One metric in two units: converted where several sources meet, or refused with all that it is about."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from orchestrator.model.errors import ResultError, UsageError
from orchestrator.model.units import UNITS, conversion
from orchestrator.pipeline.compare import Wanted as Asked
from orchestrator.pipeline.compare import compare_runs
from orchestrator.pipeline.report import report
from orchestrator.report.view import Report
from orchestrator.results.exports.units import unit_of
from orchestrator.results.table import read_series
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run
from tests.fixtures.twins import BLOCKS, HOST, in_unit, rewrite_trials, twins

WANTED = Wanted(hosts=HOST, blocks={LIFECYCLE: 6, SCALE: 6}, id="run-1", seed=1)
LATER = Wanted(hosts=HOST, blocks={LIFECYCLE: 6, SCALE: 6}, id="run-2", seed=2)


@pytest.mark.parametrize(
    ("unit", "into", "factor"),
    [
        ("ms", "s", 1e-3),
        ("s", "ms", 1e3),
        ("ns", "us", 1e-3),
        ("µs", "us", 1.0),
        ("MiB", "KiB", 1024.0),
        ("MB/s", "MiB/s", 1e6 / 2**20),
        ("processes", "processes", 1.0),
        ("processes", "s", None),
        ("s", "MiB", None),
        ("MB", "MB/s", None),
        ("%", "", None),
    ],
)
def test_what_converts_into_what(unit: str, into: str, factor: float | None) -> None:
    assert conversion(unit, into) == (None if factor is None else pytest.approx(factor))


def test_other_tools_are_told_every_unit_of_the_one_table() -> None:
    for name, unit in UNITS.items():
        other = unit_of(name)
        assert (other.factor, bool(other.metrics)) == (unit.factor, True)
        peers = [peer for peer in UNITS if UNITS[peer].dimension is unit.dimension]
        assert {unit_of(peer).bench for peer in peers} == {other.bench}


def adding(sample: dict[str, object], trial: dict[str, Any]) -> dict[str, Any]:
    return {**trial, "samples": [*trial["samples"], sample]}


def medians(joined: Report) -> dict[tuple[str, str, str, str], float | None]:
    return {(c.host, c.benchmark, c.metric, c.combination): c.median for c in joined.estimates.cells}


def test_joined_runs_are_in_the_first_ones_unit(tmp_path: Path) -> None:
    plain = report(write_run(tmp_path / "s", WANTED), write_run(tmp_path / "s", LATER))
    first, second = write_run(tmp_path / "ms", WANTED), write_run(tmp_path / "ms", LATER)
    in_unit(second, "ms", 1e3)
    joined = report(first, second)
    assert {measure.unit for measure in joined.estimates.measures} == {"s"}
    assert medians(joined) == pytest.approx(medians(plain))
    assert [pair.ratio for pair in joined.estimates.pairs] == pytest.approx(
        [pair.ratio for pair in plain.estimates.pairs]
    )
    for series, wanted in zip(joined.series, plain.series, strict=True):
        assert (series.metric, series.unit) == (wanted.metric, "s"), "also where there is a value an item"
        assert series.blocks.tolist() == wanted.blocks.tolist(), "rows keep their order"
        np.testing.assert_allclose(series.values, wanted.values)
    in_unit(first, "us", 1e6)
    assert {measure.unit for measure in report(first, second).estimates.measures} == {"us"}


def test_hosts_of_one_run_are_in_one_unit_too(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Wanted(blocks={LIFECYCLE: 6}))
    in_unit(folder, "ms", 1e3, host="h2")
    found = report(folder)
    assert {series.unit for series in found.series} == {"s"}
    assert max(series.values.max() for series in found.series) < 2


def test_a_unit_that_does_not_convert_is_refused_with_both_runs(tmp_path: Path) -> None:
    first, second = write_run(tmp_path, WANTED), write_run(tmp_path, LATER)
    in_unit(second, "MiB", 1.0)
    words = rf"^{LIFECYCLE}: \w+ is in s in run run-1 \(h1\) and in MiB in run run-2 \(h1\), and neither unit converts"
    with pytest.raises(UsageError, match=words):
        report(first, second)


def test_within_one_run_it_is_a_fault_of_the_result(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Wanted(blocks={LIFECYCLE: 6}))
    in_unit(folder, "furlongs", 1.0, host="h2")
    with pytest.raises(
        ResultError, match=r"in run synthetic-1 \(h1\) and in furlongs in run synthetic-1 \(h2\)"
    ):
        report(folder)


def test_a_name_that_a_host_chose_is_no_sql(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Wanted(blocks={LIFECYCLE: 2}))
    name = "it's' OR TRUE --"
    for host, unit, value in (("h1", "s", 1.0), ("h2", "ms", 2.0)):
        sample = {"metric": name, "value": value, "unit": unit, "item": None}
        rewrite_trials(folder, partial(adding, sample), host=host)
    report(folder)
    assert {(s.host, *s.values) for s in read_series(folder) if s.metric == name} == {
        ("h1", 1.0, 1.0, 1.0),
        ("h2", 0.002, 0.002, 0.002),
    }
    with duckdb.connect() as database:
        others = (
            f"SELECT count(*) FROM '{folder / 'samples.parquet'}' WHERE metric <> 'Floor' AND value = 0.002"
        )
        assert database.execute(others).fetchone() == (6,)


@pytest.mark.parametrize("control", ["auto", "none"])
def test_two_runs_are_compared_in_as_unit(tmp_path: Path, control: str) -> None:
    a, b = twins(tmp_path, wanted=Wanted(hosts=HOST, blocks=BLOCKS))
    plain = compare_runs(a, b, Asked(control=control))
    in_unit(b, "ms", 1e3)
    found = compare_runs(a, b, Asked(control=control))
    assert {change.unit for change in found.changes} == {"s"}
    assert len(found.changes) == len(plain.changes)
    for change, wanted in zip(found.changes, plain.changes, strict=True):
        assert change.ratio == pytest.approx(wanted.ratio)
        assert change.median_b == pytest.approx(wanted.median_b)
    turned = compare_runs(b, a, Asked(control=control))
    assert {change.unit for change in turned.changes} == {"ms"}


def test_runs_whose_units_do_not_convert_are_not_compared(tmp_path: Path) -> None:
    a, b = twins(tmp_path, wanted=Wanted(hosts=HOST, blocks=BLOCKS))
    in_unit(b, "%", 1.0)
    words = rf"{LIFECYCLE}: \w+ is in s in run a-run and in % in run b-run, and neither unit converts"
    with pytest.raises(UsageError, match=words):
        compare_runs(a, b, Asked())
