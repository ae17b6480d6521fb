# SPDX-License-Identifier: Apache-2.0
"""Who is the fastest: all pairs of combinations of each benchmark's primary metric, on each host and over machines. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations as two_of
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.estimates import Change, Measure, Settings
from orchestrator.model.interval import Interval
from orchestrator.model.ranking import Duel, Ranking
from orchestrator.model.verdict import Evidence
from orchestrator.results.judging import contest_of
from orchestrator.results.pairing import paired_logs
from orchestrator.results.task import Task, Without, counted
from orchestrator.stats.fleet import FEWEST, effect, opposite
from orchestrator.stats.paired import signed_rank_estimate, signed_rank_interval, signed_rank_p
from orchestrator.stats.ranking import FEWEST_RANKED, fought, rank_fleet, rank_host

Pairing = tuple[str, str]
"""A combination and the other one."""


@dataclass(frozen=True, slots=True)
class _Faced:
    """The paired differences of two combinations on one host (log scale), and what is estimated from them."""

    differences: NDArray[np.float64]
    evidence: Evidence


Host = Mapping[Pairing, _Faced]


def ranked(task: Task, without: Without | None = None) -> Iterator[Ranking]:
    """All rankings, a benchmark's fleet before its hosts; or, ``without`` some blocks, those of the hosts that have any of them."""
    names = tuple(combination.name for combination in task.spec.combinations)
    if len(names) < FEWEST_RANKED:
        return
    affected = None if without is None else {host for host, _ in without}
    for measure in task.measures:
        if not measure.primary:
            continue
        faced = {
            host.name: _faced(task, measure, host.name, (without or {}).get((host.name, measure.benchmark)))
            for host in task.spec.hosts
            if _has_part(task, measure, host.name) and (affected is None or host.name in affected)
        }
        own = {name: _on(task, measure, name, names, host) for name, host in faced.items()}
        if affected is None and (fleet := _fleet(task, measure, names, faced, own)):
            yield fleet
        yield from (ranking for ranking in own.values() if ranking)


def _has_part(task: Task, measure: Measure, host: str) -> bool:
    """Was the host, which is none of an imported result, to do it?"""
    imported = {one.name for one in task.spec.hosts if one.imported}
    return (host, measure.benchmark) in task.asked and host not in imported


def _faced(task: Task, measure: Measure, host: str, left_out: frozenset[int] | None) -> Host:
    names = [combination.name for combination in task.spec.combinations]
    series = [task.values.get((host, measure.benchmark, measure.metric, name)) for name in names]
    values = [counted(one, left_out or frozenset()) for one in series]
    found: dict[Pairing, _Faced] = {}
    for a, b in two_of(range(len(names)), 2):
        differences = paired_logs(measure, values[a], values[b])
        found[names[b], names[a]] = _Faced(differences, _evidence(differences, task.settings))
    return found


def _evidence(differences: NDArray[np.float64], settings: Settings) -> Evidence:
    """Of one pair alone: its p is not adjusted."""
    n = len(differences)
    if n == 0:
        return Evidence(0, None, None, None, None, 1, settings.margin)
    estimate, (interval, equivalence) = signed_rank_estimate(differences, (0.95, 0.90))
    p = signed_rank_p(differences)
    return Evidence(n, math.exp(estimate), _ratios(interval), _ratios(equivalence), p, 1, settings.margin)


def _on(task: Task, measure: Measure, host: str, names: Sequence[str], faced: Host) -> Ranking | None:
    duels = fought([(*pairing, one.evidence) for pairing, one in faced.items()], task.settings.alpha)
    return rank_host(host, contest_of(measure), names, duels, task.settings.alpha)


def _fleet(
    task: Task,
    measure: Measure,
    names: Sequence[str],
    faced: Mapping[str, Host],
    own: Mapping[str, Ranking | None],
) -> Ranking | None:
    machines: dict[str, list[Host]] = {}
    for host in task.spec.hosts:
        if host.name in faced:
            machines.setdefault(host.machine, []).append(faced[host.name])
    if len(machines) < FEWEST:
        return None
    duels = _over(task.settings, names, list(machines.values()))
    taking_part = max((duel.evidence.units for duel in duels), default=0)
    return rank_fleet(contest_of(measure), names, duels, list(own.values()), taking_part)


def _over(settings: Settings, names: Sequence[str], machines: Sequence[Sequence[Host]]) -> tuple[Duel, ...]:
    """Each pair by Student's t over the machines, one of which is all its hosts together."""
    found: list[tuple[str, str, Evidence]] = []
    disputed = set[Pairing]()
    for a, b in two_of(range(len(names)), 2):
        pairing = (names[b], names[a])
        each = [[host[pairing] for host in hosts if host[pairing].evidence.ratio] for hosts in machines]
        known = [hosts for hosts in each if hosts]
        evidence = _across(settings, known)
        if (
            evidence.adjusted is not None
            and evidence.adjusted < settings.alpha
            and _disputed(settings, known)
        ):
            disputed.add(pairing)
        found.append((*pairing, evidence))
    return fought(found, settings.alpha, FEWEST, disputed)


def _across(settings: Settings, machines: Sequence[Sequence[_Faced]]) -> Evidence:
    logs = [fmean(math.log(host.evidence.ratio or 1.0) for host in hosts) for hosts in machines]
    if len(logs) < FEWEST:
        return Evidence(len(logs), None, None, None, None, 1, settings.margin)
    one = effect(logs)
    intervals = _ratios(one.interval), _ratios(one.equivalence)
    return Evidence(len(logs), math.exp(one.mean), *intervals, one.p, 1, settings.margin)


def _disputed(settings: Settings, machines: Sequence[Sequence[_Faced]]) -> bool:
    """Do two machines claim opposite directions?"""
    level = 1 - settings.alpha / len(machines)
    pooled = (np.concatenate([host.differences for host in hosts]) for hosts in machines)
    return opposite([signed_rank_interval(one, level) for one in pooled])


def changed_rankings(rankings: Sequence[Ranking], clean: Sequence[Ranking]) -> Iterator[Change]:
    """Hosts' rankings that would have another first without the flagged blocks."""
    before = {(one.where, one.contest): one for one in rankings}
    for other in clean:
        one = before.get((other.where, other.contest))
        if one is not None and (one.kind, one.first) != (other.kind, other.first):
            yield Change(other.where or "", one.sentence, other.sentence)


def _ratios(interval: Interval | None) -> Interval | None:
    return interval and Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
