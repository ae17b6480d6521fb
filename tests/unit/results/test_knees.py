# SPDX-License-Identifier: Apache-2.0
"""Every curve over pods has a knee or a reason; other curves have neither. The report says and draws it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.model.estimates import CurvePoint, Measure
from orchestrator.pipeline.report import report
from orchestrator.report import charts
from orchestrator.report.numbers import Scale
from orchestrator.report.tables import curve_table
from orchestrator.results.knees import knees
from tests.fixtures.synthetic import SCALE, write_run

PODS = Measure("scalability.runtime.40", "PodStart", "s", "lower", False, True, "")
CALLS = replace(PODS, metric="Each", item="call")
TOTAL = replace(PODS, metric="TotalTime", per_item=False)


def curve(metric: str, combination: str, bend: int | None) -> list[CurvePoint]:
    rise = [0.0 if bend is None else 0.01 * max(0, item - bend) for item in range(40)]
    return [
        CurvePoint("h1", PODS.benchmark, metric, combination, item, 6, 0.1 + more, None)
        for item, more in enumerate(rise)
    ]


def test_each_curve_over_pods_has_a_knee_or_a_reason() -> None:
    curves = [*curve("PodStart", "a/x", 25), *curve("PodStart", "a/y", None), *curve("Each", "a/x", 25)]
    bent, straight = knees([PODS, CALLS, TOTAL], curves)
    assert (bent.host, bent.metric, bent.combination, bent.item) == ("h1", "PodStart", "a/x", 25)
    assert bent.reason is None
    assert bent.level is not None and abs(bent.level - 0.1) < 1e-9
    assert bent.after is not None and abs(bent.after - 0.01) < 1e-9
    assert (straight.combination, straight.item) == ("a/y", None)
    assert straight.reason == "a straight line describes it as well"


def test_the_report_says_where_the_knee_is_or_why_there_is_none(tmp_path: Path) -> None:
    told = report(write_run(tmp_path))
    measure = next(m for m in told.measures(SCALE) if m.metric == "PodStart")
    assert (
        "h1, containerd/runc: no knee (5 of the 10 points that a knee needs)."
        in curve_table(told, measure).notes
    )
    first = replace(told.knees(measure)[0], item=2, level=0.1, before=0.0005, after=0.002, reason=None)
    bent = replace(told, estimates=replace(told.estimates, knees=(first,)))
    (note,) = (note for note in curve_table(bent, measure).notes if "knee" in note)
    assert note == (
        f"{first.host}, {first.combination}: a knee at pod 3: up to it +0.500 ms with every further pod, behind it +2.00 ms."
    )
    rows = charts.curve(bent, measure, Scale(1e3, "ms"))["data"]["values"]
    ringed = [(row["host"], row["combination"], row["item"]) for row in rows if row["knee"]]
    assert ringed == [(first.host, first.combination, 3)]
