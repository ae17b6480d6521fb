# SPDX-License-Identifier: Apache-2.0
"""Pictures as Vega-Lite specs: plain dicts.

base      what all share: sizes, colours, shapes, panels a host
forest    every comparison
samples   one metric's samples, how they lie and in the order of time
medians   of a benchmark's parts, and along its items
"""

from orchestrator.report.charts.forest import forest
from orchestrator.report.charts.medians import across, breakdown, curve
from orchestrator.report.charts.samples import course, course_in_spans, strip

__all__ = ["across", "breakdown", "course", "course_in_spans", "curve", "forest", "strip"]
