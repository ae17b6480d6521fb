# SPDX-License-Identifier: Apache-2.0
"""Estimates so far as text: a phrase for a line, rows for the live display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.report.numbers import MISSING, Scale, number, ratio, scale_for
from orchestrator.runs.progress import RunView

if TYPE_CHECKING:
    from rich.table import Table


def phrase(so_far: Mapping[str, Any]) -> str:
    """``CreateAndRun so far: containerd/crun 0.755 (0.617–0.867)``; without its parentheses where there is no interval yet."""
    told = []
    for one, value, interval in _texts(so_far):
        told.append(f"{one['combination']} {value}" + (f" ({interval})" if interval != MISSING else ""))
    return f"{so_far['metric']} so far: {', '.join(told)}"


def table(view: RunView, room: int) -> Table | None:
    """A row a host and combination of the benchmark under way, in at most ``room`` lines; None: nothing is known, or no room."""
    from rich.table import Table
    from rich.text import Text

    rows = _rows(view)
    if not rows or room < 3:
        return None
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("host", "estimate so far", "n", "ratio, median", "95 % interval"):
        words = name in ("host", "estimate so far")
        shown.add_column(name, justify="left" if words else "right", no_wrap=True)
    fits = len(rows) if len(rows) < room else room - 2
    for row in rows[:fits]:
        shown.add_row(*row)
    if len(rows) > fits:
        shown.add_row(Text(f"and {len(rows) - fits} more", style="dim"))
    return shown


def _rows(view: RunView) -> list[tuple[str, ...]]:
    return [
        (host.name, f"{one['combination']} {so_far['metric']}", str(one["n"]), value, interval)
        for host in view.hosts.values()
        if not host.over and (so_far := host.so_far.get(host.benchmark))
        for one, value, interval in _texts(so_far)
    ]


def _texts(so_far: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str, str]]:
    """Each estimate with its value and its interval as text."""
    scale = scale_for(so_far["unit"], [one["value"] for one in so_far["of"]])
    return [(one, *_text(one, scale)) for one in so_far["of"]]


def _text(one: Mapping[str, Any], scale: Scale) -> tuple[str, str]:
    def say(value: float) -> str:
        return ratio(value) if one["what"] == "ratio" else number(value, scale)

    unit = "" if one["what"] == "ratio" else f" {scale.unit}"
    interval = MISSING if one["low"] is None else f"{say(one['low'])}–{say(one['high'])}"
    return f"{say(one['value'])}{unit}", interval
