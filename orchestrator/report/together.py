# SPDX-License-Identifier: Apache-2.0
"""Very many hosts as one: what figures show where a panel a host would be sixty panels. Each host is still in the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from orchestrator.model.estimates import Cell, CurvePoint
from orchestrator.model.interval import Interval
from orchestrator.model.samples import Series
from orchestrator.report.view import Report

T = TypeVar("T")


class Views:
    """A report, and the ways in which very many hosts are shown; each is made once, when it is asked for first."""

    def __init__(self, report: Report) -> None:
        self.report = report

    @cached_property
    def together(self) -> Report:
        return together(self.report)

    @cached_property
    def relative(self) -> Report:
        return relative(self.report)


QUARTILES = 0.5
"""What lies between the quartiles, as an interval's level."""


def together(report: Report) -> Report:
    """One host that stands for all: a cell's median is that of the hosts' medians, its interval their quartiles.

    A sample is the median of a host, its block the host's place.
    """
    name = name_of(report)
    cells = [
        _cell(name, group)
        for group in _grouped(report.estimates.cells, lambda c: (c.benchmark, c.metric, c.combination))
    ]
    curves = [
        _point(name, group)
        for group in _grouped(
            report.estimates.curves, lambda p: (p.benchmark, p.metric, p.combination, p.item)
        )
    ]
    estimates = replace(report.estimates, cells=tuple(cells), curves=tuple(curves), knees=(), stops=())
    series = tuple(_medians(name, report, group) for group in _series(report))
    return _with(report, name, estimates=estimates, series=series)


def relative(report: Report) -> Report:
    """One host that has the blocks of all, each value as a ratio to its own host's median: for the course over time."""
    name = name_of(report)
    return _with(report, name, series=tuple(_pooled(name, group) for group in _series(report)))


def name_of(report: Report) -> str:
    return f"all {len(report.hosts)} hosts"


def _with(report: Report, name: str, **changes: object) -> Report:
    spec = replace(report.spec, hosts=(replace(report.spec.hosts[0], name=name),))
    return Report(
        spec=spec,
        **{  # type: ignore[arg-type]
            "estimates": report.estimates,
            "series": report.series,
            "catalogue": report.catalogue,
            **changes,
        },
    )


def _grouped(items: Iterable[T], key: Callable[[T], object]) -> list[list[T]]:
    groups: defaultdict[object, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def _series(report: Report) -> list[list[Series]]:
    scalar = [one for one in report.series if one.items is None and (~one.warmup).any()]
    return _grouped(scalar, lambda one: (one.benchmark, one.metric, one.combination))


def _cell(name: str, group: Sequence[Cell]) -> Cell:
    medians = np.array([cell.median for cell in group if cell.median is not None])
    if not len(medians):
        return replace(group[0], host=name, asked=len(group), n=0)
    return replace(
        group[0],
        host=name,
        asked=len(group),
        n=len(medians),
        median=float(np.median(medians)),
        interval=_quartiles(medians),
        secondary=None,
        reason=None,
    )


def _point(name: str, group: Sequence[CurvePoint]) -> CurvePoint:
    medians = np.array([point.median for point in group])
    return replace(
        group[0], host=name, n=len(group), median=float(np.median(medians)), interval=_quartiles(medians)
    )


def _quartiles(values: np.ndarray) -> Interval:
    low, high = np.quantile(values, (0.25, 0.75)).tolist()
    return Interval(low, high, QUARTILES)


def _medians(name: str, report: Report, group: Sequence[Series]) -> Series:
    values = np.array([float(np.median(one.values[~one.warmup])) for one in group])
    places = np.array([report.hosts.index(one.host) for one in group], dtype=np.int64)
    return replace(group[0], host=name, values=values, blocks=places, warmup=np.zeros(len(group), dtype=bool))


def _pooled(name: str, group: Sequence[Series]) -> Series:
    medians = [float(np.median(one.values[~one.warmup])) or 1.0 for one in group]
    return replace(
        group[0],
        host=name,
        unit="",
        values=np.concatenate([one.values / median for one, median in zip(group, medians, strict=True)]),
        blocks=np.concatenate([one.blocks for one in group]),
        warmup=np.concatenate([one.warmup for one in group]),
    )
