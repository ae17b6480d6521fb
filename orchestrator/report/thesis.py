# SPDX-License-Identifier: Apache-2.0
"""The published numbers of the thesis beside a run, as context and never as a claim.

L. Espe: Performance evaluation of container runtimes, TU Munich 2019: medians of 10 or 20 runs on one machine of that
time, with the runtimes of that time (thesis.csv).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from orchestrator.model.run import Profile
from orchestrator.model.units import conversion
from orchestrator.report.numbers import MISSING, number, scale_for
from orchestrator.report.view import Report, Table

CAVEAT = (
    "Published in 2019 on other hardware with other versions, and sampled without random blocks: context, not a comparison. "
    "No claim is made from it."
)
COMBINATIONS = ("containerd/runc", "containerd/runsc", "crio/runc", "crio/runsc")


@cache
def published() -> tuple[Mapping[str, str], ...]:
    """The rows as they were published; an empty value was not published."""
    text = (files("orchestrator.report") / "thesis.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def thesis_table(report: Report, benchmark: str) -> Table | None:
    """The thesis' values of this benchmark's metrics, and this run's medians a host; None where it has none.

    None also where the work was not the thesis': in another profile, or with a parameter of the work's size set apart.
    """
    rows = tuple(_rows(report, benchmark)) if _of_its_size(report, benchmark) else ()
    if not rows:
        return None
    head = (
        "metric",
        "combination",
        "thesis, 2019",
        *(f"{host}, this run" for host in report.hosts_of(benchmark)),
    )
    return Table("The thesis' numbers for context.", head, rows, headers=2, notes=(CAVEAT,))


def _of_its_size(report: Report, benchmark: str) -> bool:
    known = report.catalogue.get(benchmark)
    plan = next(plan for plan in report.spec.benchmarks if plan.name == benchmark)
    sizes = known.quick if known else {}
    changed = known is not None and any(
        plan.params.get(key, known.params[key]) != known.params[key] for key in sizes
    )
    return report.spec.profile is Profile.THESIS and not changed


def _rows(report: Report, benchmark: str) -> Iterator[tuple[str, ...]]:
    for row in published():
        measure = next((m for m in report.measures(benchmark) if m.metric == row["metric"]), None)
        factor = conversion(row["unit"], measure.unit) if measure else None
        if row["benchmark"] != benchmark or measure is None or factor is None:
            continue
        known = [name for name in COMBINATIONS if row[name]]
        scale = scale_for(measure.unit, [factor * float(row[name]) for name in known])
        for name in dict.fromkeys((*known, *report.combinations)):
            then = f"{number(factor * float(row[name]), scale)} {scale.unit}" if row.get(name) else MISSING
            cells = [report.cell(host, measure, name) for host in report.hosts_of(benchmark)]
            now = [
                f"{number(c.median, scale)} {scale.unit}" if c and c.median is not None else MISSING
                for c in cells
            ]
            yield (row["metric"], name, then, *now)
