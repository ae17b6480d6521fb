# SPDX-License-Identifier: Apache-2.0
"""The floor beside every latency: what a call costs that does nothing, on the same channel, just before."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from orchestrator.report.numbers import number
from orchestrator.report.view import Report

METRIC = "Floor"


def floor(report: Report, benchmark: str, hosts: Sequence[str]) -> str | None:
    """``The floor, a Version call: containerd 0.31 ms, crio 0.35 ms``: the median over hosts and handlers; None: not recorded."""
    measure = next((m for m in report.measures(benchmark) if m.metric == METRIC), None)
    if measure is None:
        return None
    medians: dict[str, list[float]] = {}
    for host in hosts:
        for combination in report.spec.combinations:
            cell = report.cell(host, measure, combination.name)
            if cell is not None and cell.median is not None:
                medians.setdefault(combination.cri, []).append(cell.median)
    if not medians:
        return None
    told = ", ".join(f"{cri} {number(median(values))} {measure.unit}" for cri, values in medians.items())
    return f"The floor, a Version call on the same channel: {told}."
