# SPDX-License-Identifier: Apache-2.0
"""How long a run will take, by what trials took before; never by a guess.

Of each host and combination the newest earlier run counts (`orchestrator.pipeline.trial_history`); where there is none, the
typical duration on the machine that labctl's own come from (`orchestrator.pipeline.typical_durations`). The leak audits
and what lies between trials are in neither, so a run takes a little longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.run import BenchmarkPlan, RunSpec
from orchestrator.model.stopping import FIRST
from orchestrator.pipeline.trial_history import Key, TrialTime, earlier_times
from orchestrator.pipeline.typical_durations import TypicalDurations
from orchestrator.results.store import RunStore


@dataclass(frozen=True, slots=True)
class Expected:
    """Seconds: ``least`` and ``most``; most is None where something is ``unknown``. ``sources``: the earlier runs that count.

    ``typical``: the benchmarks for which, on some host, a typical duration on ``machine`` stands in for a combination that no
    earlier run has executed. ``unknown``: those for which there is none either. ``machine`` is "" without ``typical``.
    """

    least: float
    most: float | None
    sources: tuple[str, ...]
    unknown: tuple[str, ...]
    typical: tuple[str, ...] = ()
    machine: str = ""


def expected(spec: RunSpec, store: RunStore, typical: TypicalDurations | None = None) -> Expected:
    """Hosts of one machine work one after another, machines at the same time."""
    stand_in = _typical_times(spec, typical)
    times = {host: {**stand_in, **earlier} for host, earlier in earlier_times(spec, store).items()}
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    for host in spec.hosts:
        low, high = _host(spec, times[host.name])
        lows[host.turns_on] = lows.get(host.turns_on, 0.0) + low
        highs[host.turns_on] = highs.get(host.turns_on, 0.0) + high
    unknown = tuple(
        plan.name
        for plan in spec.benchmarks
        if any(_block(spec, plan, known) is None for known in times.values())
    )
    used = [(key[0], time.run) for known in times.values() for key, time in known.items()]
    assumed = {name for name, run in used if run is None}
    return Expected(
        least=max(lows.values()),
        most=None if unknown else max(highs.values()),
        sources=tuple(sorted({run for _, run in used if run is not None}, reverse=True)),
        unknown=unknown,
        typical=tuple(plan.name for plan in spec.benchmarks if plan.name in assumed),
        machine=str(typical.machine) if typical is not None and assumed else "",
    )


def _typical_times(spec: RunSpec, typical: TypicalDurations | None) -> dict[Key, TrialTime]:
    if typical is None:
        return {}
    each = {
        (plan.name, item.name): typical.seconds(plan, item.name)
        for plan in spec.benchmarks
        for item in spec.combinations
    }
    return {key: TrialTime(seconds, None) for key, seconds in each.items() if seconds is not None}


def _host(spec: RunSpec, known: Mapping[Key, TrialTime]) -> tuple[float, float]:
    """The least and the most, of what is known."""
    low = high = shared = 0.0
    for plan in spec.benchmarks:
        block = _block(spec, plan, known)
        if block is None:
            continue
        least, most = _bounds(plan, block, spec.budget)
        low += least
        if plan.precision is not None and plan.budget is None:
            shared += most
        else:
            high += most
    return low, high + min(shared, spec.budget if spec.budget is not None else shared)


def _block(spec: RunSpec, plan: BenchmarkPlan, known: Mapping[Key, TrialTime]) -> float | None:
    """Seconds of one block; None: of one of its combinations nothing is known."""
    times = [known.get((plan.name, item.name)) for item in spec.combinations]
    seconds = [time.seconds for time in times if time is not None]
    return sum(seconds) if len(seconds) == len(times) else None


def _bounds(plan: BenchmarkPlan, block: float, budget: float | None) -> tuple[float, float]:
    """With a budget nothing is promised below one block; without, a target needs FIRST at least."""
    most = (plan.warmup + plan.blocks) * block
    if plan.precision is None:
        return most, most
    if plan.budget is not None:
        return min(block, most), min(plan.budget, most)
    return (plan.warmup + FIRST) * block if budget is None else block, most
