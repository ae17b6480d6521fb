# SPDX-License-Identifier: Apache-2.0
"""How long a run will take, by what earlier runs of the same benchmarks on this controller took; never by a guess.

A benchmark is the same if its name and its parameters are. Of each combination the median of its trials with their clean-up
counts, from the newest run that has it, on the host itself or, if it was never benched, on any other. The leak audits and
what lies between trials are not in the journals' times, so a run takes a little longer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from orchestrator.model.errors import ResultError
from orchestrator.model.run import BenchmarkPlan, RunSpec
from orchestrator.model.stopping import FIRST
from orchestrator.results.store import RunFolder, RunStore

MOST_RUNS = 50
"""So many of the newest runs are looked through."""
Seconds = dict[tuple[str, str], float]
"""Benchmark and combination to seconds a trial."""
Known = dict[tuple[str, str], tuple[float, str]]
"""The same, and the run that says so."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Seconds: ``least`` and ``most``; most is None where no run has told of all. ``sources``: the runs that they come from.

    ``unknown``: benchmarks that no earlier run has executed with all of these combinations.
    """

    least: float
    most: float | None
    sources: tuple[str, ...]
    unknown: tuple[str, ...]


def expected(spec: RunSpec, store: RunStore) -> Expected:
    """Hosts of one machine work one after another, machines at the same time."""
    found = _known(spec, store)
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    for host in spec.hosts:
        low, high = _host(spec, found[host.name])
        lows[host.turns_on] = lows.get(host.turns_on, 0.0) + low
        highs[host.turns_on] = highs.get(host.turns_on, 0.0) + high
    unknown = tuple(
        plan.name
        for plan in spec.benchmarks
        if any(_block(spec, plan, known) is None for known in found.values())
    )
    sources = {run for known in found.values() for _, run in known.values()}
    most = None if unknown else max(highs.values())
    return Expected(max(lows.values()), most, tuple(sorted(sources, reverse=True)), unknown)


def _host(spec: RunSpec, known: Known) -> tuple[float, float]:
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


def _block(spec: RunSpec, plan: BenchmarkPlan, known: Known) -> float | None:
    """Seconds of one block; None: a combination of it was never executed."""
    each = [known.get((plan.name, item.name)) for item in spec.combinations]
    have = [one[0] for one in each if one is not None]
    return sum(have) if len(have) == len(each) else None


def _bounds(plan: BenchmarkPlan, block: float, budget: float | None) -> tuple[float, float]:
    """With a budget nothing is promised below one block; without, a target needs FIRST at least."""
    most = (plan.warmup + plan.blocks) * block
    if plan.precision is None:
        return most, most
    if plan.budget is not None:
        return min(block, most), min(plan.budget, most)
    return (plan.warmup + FIRST) * block if budget is None else block, most


def _known(spec: RunSpec, store: RunStore) -> dict[str, Known]:
    """Of each host what a trial takes: by its own newest run, else by anybody's."""
    own: dict[str, Known] = {host.name: {} for host in spec.hosts}
    others: Known = {}
    wanted = {(plan.name, item.name) for plan in spec.benchmarks for item in spec.combinations}
    for run, host, seconds in _earlier(spec, store):
        for key in wanted & seconds.keys():
            others.setdefault(key, (seconds[key], run))
            own.get(host, others).setdefault(key, (seconds[key], run))
        if all(wanted <= one.keys() for one in own.values()):
            break
    return {name: {**others, **known} for name, known in own.items()}


def _earlier(spec: RunSpec, store: RunStore) -> Iterator[tuple[str, str, Seconds]]:
    """Run, host and what its trials took, newest run first; what cannot be read is passed over."""
    for name in store.ids()[:MOST_RUNS]:
        folder = RunFolder(store.root / name)
        try:
            earlier = folder.read_spec()
        except ResultError:
            continue
        same = _same(spec.benchmarks, earlier.benchmarks)
        for host in earlier.hosts if same else ():
            yield name, host.name, _trials(folder.journal(host.name), same)


def _same(ours: Sequence[BenchmarkPlan], theirs: Sequence[BenchmarkPlan]) -> frozenset[str]:
    known: Mapping[str, BenchmarkPlan] = {plan.name: plan for plan in theirs}
    return frozenset(
        plan.name
        for plan in ours
        if plan.name in known and dict(plan.params) == dict(known[plan.name].params)
    )


def _trials(journal: Path, benchmarks: frozenset[str]) -> Seconds:
    """Medians, also of trials that failed (they take their time as well), warm-up left out."""
    took: dict[tuple[str, str], list[float]] = {}
    try:
        with journal.open(encoding="utf-8") as lines:
            for line in lines:
                if '"trial"' not in line or not (trial := _parse(line)):
                    continue
                if trial["benchmark"] in benchmarks and not trial["warmup"]:
                    seconds = (trial["elapsed_ns"] + trial["cleanup_ns"]) / 1e9
                    took.setdefault((trial["benchmark"], trial["combination"]), []).append(seconds)
    except (OSError, UnicodeDecodeError, KeyError, TypeError):
        return {}
    return {key: median(found) for key, found in took.items()}


def _parse(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("type") == "trial" else None
