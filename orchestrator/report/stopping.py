# SPDX-License-Identifier: Apache-2.0
"""How many blocks were counted, and why no more, in words."""

from __future__ import annotations

from orchestrator.model.run import BenchmarkPlan
from orchestrator.model.stopping import FIRST, StopReason
from orchestrator.report.numbers import number
from orchestrator.report.view import Report


def counted(report: Report, benchmark: str, host: str) -> str:
    """Of one benchmark on one host: ``25 blocks, then every interval was within 3 % (2.6 %)``."""
    plan = next(plan for plan in report.spec.benchmarks if plan.name == benchmark)
    for stop in report.estimates.stops:
        if (stop.host, stop.benchmark) == (host, benchmark):
            return ended(stop.reason, stop.blocks, stop.reached, plan)
    return f"{_blocks(plan.blocks)} asked for"


def counted_everywhere(report: Report, benchmark: str) -> str:
    """The same of all hosts: once where it is the same on each."""
    told = {host: counted(report, benchmark, host) for host in report.hosts_of(benchmark)}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{host}: {words}" for host, words in told.items())


def ended(reason: StopReason | None, blocks: int, reached: float | None, plan: BenchmarkPlan) -> str:
    """``reached``: the widest interval's half-width, a share."""
    have = _blocks(blocks)
    asked = f"{100 * (plan.precision or 0):g} %"
    within = "intervals within " + _percent(reached) if reached is not None else "too few for intervals"
    if reason is StopReason.BUDGET and blocks < FIRST:
        within = f"before the {FIRST} at which is looked first"
    match reason:
        case StopReason.FIXED:
            return f"{have} counted, as asked"
        case StopReason.PRECISION:
            return f"{have} counted, then every interval was within {asked} ({_percent(reached)})"
        case StopReason.BUDGET:
            return f"{have} counted, then the time budget was used ({within}, {asked} asked for)"
        case StopReason.MAXIMUM:
            return f"{have} counted, the most there may be ({within}, {asked} asked for)"
        case StopReason.UNMEASURED:
            return f"{have} counted, and no combination gave a value to judge"
        case None:
            return f"{have} counted; the run ended before there were enough"


def _blocks(count: int) -> str:
    return f"{count} block{'s' if count != 1 else ''}"


def _percent(part: float | None) -> str:
    return "no interval" if part is None else f"{number(100 * part)} %"
