# SPDX-License-Identifier: Apache-2.0
"""The primary family of a report: one correction over every host's comparisons and those across machines. Pure.

All claims of a report stand in one family, so that what the report says of its false discoveries holds for all that a reader sees.
What is compared of secondary metrics is exploration, and a family of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.model.estimates import Family, Pair
from orchestrator.results.across import Compared
from orchestrator.results.task import Task
from orchestrator.stats.families import benjamini_hochberg, discoveries

FleetKey = tuple[str, str]
"""Benchmark and combination."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """``pairs`` with their adjusted p; ``fleet``: that of each comparison across machines, None where it has no estimate."""

    pairs: tuple[Pair, ...]
    fleet: Mapping[FleetKey, float | None]
    family: Family


def corrected(task: Task, pairs: Sequence[Pair], across: Sequence[Compared]) -> Corrected:
    """Benjamini-Hochberg over the primary family; a comparison without a p counts as one with p = 1."""
    judged, imported = task.primary, task.imported
    primary = [
        index
        for index, pair in enumerate(pairs)
        if (pair.benchmark, pair.metric) in judged and pair.host not in imported
    ]
    p_values = [pairs[index].p for index in primary]
    of_fleet = [one.effect.p if one.effect else None for one in across]
    found = discoveries([*p_values, *of_fleet], task.settings.alpha)
    adjusted = dict(zip(primary, found.adjusted, strict=False))
    others = [index for index in range(len(pairs)) if index not in adjusted]
    explored = benjamini_hochberg([1.0 if (p := pairs[index].p) is None else p for index in others])
    adjusted.update(zip(others, explored, strict=True))
    keys = [(one.measure.benchmark, one.combination) for one in across]
    return Corrected(
        pairs=tuple(_adjusted(pair, adjusted[index]) for index, pair in enumerate(pairs)),
        fleet=dict(zip(keys, found.adjusted[len(primary) :], strict=True)),
        family=found.family,
    )


def _adjusted(pair: Pair, value: float | None) -> Pair:
    return replace(pair, adjusted=None if pair.p is None else value)
