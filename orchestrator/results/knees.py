# SPDX-License-Identifier: Apache-2.0
"""From which pod on each further one gets dearer: the knees of the curves over pods in the order of their starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from orchestrator.model.estimates import CurveKnee, CurvePoint, Measure
from orchestrator.stats.knee import knee

ORDERED = "pod"
"""Items of other kinds (calls, cycles) have no size that grows from one to the next."""


def knees(measures: Sequence[Measure], curves: Sequence[CurvePoint]) -> Iterator[CurveKnee]:
    """One for each curve over pods, also where it has none: then with the reason."""
    wanted = {(m.benchmark, m.metric) for m in measures if m.per_item and m.item == ORDERED}
    found: dict[tuple[str, str, str, str], list[CurvePoint]] = {}
    for point in curves:
        if (point.benchmark, point.metric) in wanted:
            key = point.host, point.benchmark, point.metric, point.combination
            found.setdefault(key, []).append(point)
    for key, points in found.items():
        x = np.array([float(point.item) for point in points])
        bend = knee(x, np.array([point.median for point in points]))
        if isinstance(bend, str):
            yield CurveKnee(*key, item=None, level=None, before=None, after=None, reason=bend)
        else:
            yield CurveKnee(*key, round(bend.at), bend.level, bend.before, bend.after, reason=None)
