# SPDX-License-Identifier: Apache-2.0
"""Very many hosts in a terminal: a row a combination for all of them, and where each one's are."""

from __future__ import annotations

from orchestrator.model.estimates import Fleet, Measure
from orchestrator.report.numbers import MISSING, Scale, number, ratio, ratios
from orchestrator.report.tables import scale_of
from orchestrator.report.together import together
from orchestrator.report.view import Report, Table

HEAD = ("", "hosts", "median", "ratio", "95 % interval")


def crowd_tables(report: Report) -> tuple[Table, ...]:
    """One a benchmark: the median of the hosts' medians, and the fleet's ratio to the baseline."""
    one = together(report)
    fleet = {(each.benchmark, each.combination): each for each in report.estimates.fleet}
    found = []
    for plan in report.spec.benchmarks:
        measure = report.primary(plan.name)
        if measure is not None:
            scale = scale_of(report, measure)
            rows = tuple(
                _row(one, measure, scale, name, fleet.get((plan.name, name))) for name in report.combinations
            )
            caption = f"{plan.name}: {measure.metric} [{scale.unit}]"
            found.append(Table(caption, HEAD, rows))
    return tuple(found)


def left_out(report: Report) -> str:
    """What is not shown here, and where it is."""
    return (
        f"The median is that of the hosts' medians; the ratio is the fleet's. Each of the "
        f"{len(report.hosts)} hosts has its own numbers and findings, which are left out here: the HTML report has them, and "
        "`labctl report --json`."
    )


def _row(
    one: Report, measure: Measure, scale: Scale, combination: str, fleet: Fleet | None
) -> tuple[str, ...]:
    cell = one.cell(one.hosts[0], measure, combination)
    known = cell.n if cell is not None and cell.median is not None else 0
    head = (combination, str(known), number(cell.median, scale) if cell is not None else MISSING)
    if combination == one.spec.baseline:
        return (*head, "1 (baseline)", "")
    if fleet is None:
        return (*head, MISSING, MISSING)
    return (*head, ratio(fleet.ratio), ratios(fleet.interval))
