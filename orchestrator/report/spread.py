# SPDX-License-Identifier: Apache-2.0
"""Where the spread of the values lies, as tables: between hosts, between runs of a host, within a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from orchestrator.model.estimates import VarianceSplit
from orchestrator.report.numbers import MISSING, number
from orchestrator.report.view import Report, Table

HEAD = ("between hosts", "between runs", "within a run")
SHARES = (
    "A share is that of the variance of the logarithms; in parentheses the standard deviation that it comes to, as a share of the "
    "value. A nested analysis of variance, by the method of moments: it describes, and nothing is claimed from it."
)
SHORT = "Shares of the variance of the logarithms, and in parentheses the standard deviation. No claim rests on them."
ONE_RUN = (
    f"A {MISSING} stands where hosts have one run each: what lies between runs is in what lies between hosts."
)
ONE_HOST = f"A {MISSING} stands between hosts where there is one host."
ZEROED = "What has a * was estimated below 0, as chance will have it where there is little, and set to 0."
ONE_ZEROED = "What has a * was estimated below 0 for one combination at least, and set to 0."


def spread_table(report: Report) -> Table | None:
    """A row a benchmark and combination; None where there is one run of one host."""
    splits = report.estimates.variances
    if not splits:
        return None
    rows = tuple((one.benchmark, one.combination, str(one.values), *shares([one])) for one in splits)
    head = ("benchmark", "combination", "values", *HEAD)
    return Table("Where the spread lies.", head, rows, headers=2, notes=_notes(splits, SHARES, ZEROED))


def spread_in_short(report: Report) -> Table | None:
    """A row a benchmark: the mean of its combinations' variances."""
    splits = report.estimates.variances
    if not splits:
        return None
    grouped: dict[str, list[VarianceSplit]] = {}
    for one in splits:
        grouped.setdefault(one.benchmark, []).append(one)
    rows = tuple((name, *shares(found)) for name, found in grouped.items())
    caption = "Where the spread lies: between hosts, between runs, within a run (the combinations' mean)."
    return Table(caption, ("", "hosts", "runs", "within"), rows, notes=_notes(splits, SHORT, ONE_ZEROED))


def shares(splits: Sequence[VarianceSplit]) -> tuple[str, str, str]:
    """The three parts as texts: ``62 % (5.2 %)``."""
    hosts = _mean(splits, lambda one: one.between_hosts)
    runs = _mean(splits, lambda one: one.between_runs)
    within = fmean(one.within for one in splits)
    total = sum(part for part in (hosts, runs, within) if part is not None)
    zeroed = {name for one in splits for name in one.zeroed}
    return (
        _share(hosts, total, zeroed="hosts" in zeroed),
        _share(runs, total, zeroed="runs" in zeroed),
        _share(within, total, zeroed=False),
    )


def _mean(splits: Sequence[VarianceSplit], part: Callable[[VarianceSplit], float | None]) -> float | None:
    """None where it is known of none."""
    known = [value for one in splits if (value := part(one)) is not None]
    return fmean(known) if known else None


def _share(part: float | None, total: float, *, zeroed: bool) -> str:
    if part is None:
        return MISSING
    mark = " *" if zeroed else ""
    if part == 0:
        return f"0{mark}"
    share = 100 * part / total
    return f"{share:.{0 if share >= 10 else 1}f} % ({number(100 * math.expm1(math.sqrt(part)))} %){mark}"


def _notes(splits: Sequence[VarianceSplit], shares: str, zeroed: str) -> tuple[str, ...]:
    found = (
        (True, shares),
        (any(one.between_runs is None for one in splits), ONE_RUN),
        (any(one.between_hosts is None for one in splits), ONE_HOST),
        (any(one.zeroed for one in splits), zeroed),
    )
    return tuple(note for holds, note in found if holds)
