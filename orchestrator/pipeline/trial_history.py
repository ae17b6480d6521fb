# SPDX-License-Identifier: Apache-2.0
"""How long trials took in earlier runs of the same benchmarks, out of the journals on this controller.

A benchmark is the same if its name and its parameters are. The leak audits and what lies between trials are not in the
journals' times.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from orchestrator.model.errors import ResultError
from orchestrator.model.run import BenchmarkPlan, RunSpec
from orchestrator.results.store import RunFolder, RunStore

MOST_RUNS = 50
"""So many of the newest runs are looked through."""
Key = tuple[str, str]
"""Benchmark and combination."""


@dataclass(frozen=True, slots=True)
class TrialTime:
    """What a trial takes with its clean-up, and the ``run`` in which it did; None: it is a typical duration."""

    seconds: float
    run: str | None


def earlier_times(spec: RunSpec, store: RunStore) -> dict[str, dict[Key, TrialTime]]:
    """Return each host's times: from the newest run that has the trial on the host itself, else on any other."""
    own: dict[str, dict[Key, TrialTime]] = {host.name: {} for host in spec.hosts}
    others: dict[Key, TrialTime] = {}
    needed = {(plan.name, item.name) for plan in spec.benchmarks for item in spec.combinations}
    for run, host, medians in _earlier(spec, store):
        for key in needed & medians.keys():
            time = TrialTime(medians[key], run)
            others.setdefault(key, time)
            own.get(host, others).setdefault(key, time)
        if all(needed <= times.keys() for times in own.values()):
            break
    return {name: {**others, **times} for name, times in own.items()}


def trial_seconds(
    journal: Path, benchmarks: Collection[str], statuses: Collection[str]
) -> dict[Key, list[float]]:
    """Return the seconds of each trial with its clean-up, warm-up left out. A line that is no trial is passed over.

    Raises OSError, UnicodeDecodeError; KeyError and TypeError where a trial is not this schema's.
    """
    seconds: dict[Key, list[float]] = {}
    with journal.open(encoding="utf-8") as lines:
        for line in lines:
            if '"trial"' not in line or not (trial := _parse(line)):
                continue
            if trial["benchmark"] in benchmarks and not trial["warmup"] and trial["status"] in statuses:
                took = (trial["elapsed_ns"] + trial["cleanup_ns"]) / 1e9
                seconds.setdefault((trial["benchmark"], trial["combination"]), []).append(took)
    return seconds


def _earlier(spec: RunSpec, store: RunStore) -> Iterator[tuple[str, str, dict[Key, float]]]:
    """Run, host and the medians of its trials, newest run first; what cannot be read is passed over."""
    for name in store.ids()[:MOST_RUNS]:
        folder = RunFolder(store.root / name)
        try:
            earlier = folder.read_spec()
        except ResultError:
            continue
        same = _same(spec.benchmarks, earlier.benchmarks)
        for host in earlier.hosts if same else ():
            yield name, host.name, _medians(folder.journal(host.name), same)


def _same(plans: Sequence[BenchmarkPlan], earlier: Sequence[BenchmarkPlan]) -> frozenset[str]:
    params = {plan.name: dict(plan.params) for plan in earlier}
    return frozenset(plan.name for plan in plans if params.get(plan.name) == dict(plan.params))


def _medians(journal: Path, benchmarks: frozenset[str]) -> dict[Key, float]:
    """Trials that failed count: they take their time as well."""
    try:
        seconds = trial_seconds(journal, benchmarks, ("ok", "failed", "unsupported"))
    except (OSError, UnicodeDecodeError, KeyError, TypeError):
        return {}
    return {key: median(each) for key, each in seconds.items()}


def _parse(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("type") == "trial" else None
