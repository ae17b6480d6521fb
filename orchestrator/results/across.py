# SPDX-License-Identifier: Apache-2.0
"""What may be said across machines: estimates and verdicts of the fleet (STATISTICS.md, "Many comparisons"). Pure.

H counts machines. Hosts that share one are one: its log-ratio is the mean of its hosts' Hodges-Lehmann log-ratios, and its
differences are theirs together. A machine's own claim holds where that of each of its hosts does. The t-tests stand in the family of
the report (`orchestrator.results.discoveries`); Welch's tests are a family of their own, with Holm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from orchestrator.model.estimates import Family, Fleet, Measure, Pair
from orchestrator.model.interval import Interval
from orchestrator.model.run import RunSpec
from orchestrator.model.verdict import Evidence, Scope, Subject, Verdict, VerdictKind
from orchestrator.results.pairing import log_ratios
from orchestrator.results.task import Task
from orchestrator.results.touchstone import NO_BLOCKS
from orchestrator.stats.families import holm
from orchestrator.stats.fleet import FEWEST, Effect, effect, inconsistency, opposite, unequal_p
from orchestrator.stats.paired import signed_rank_interval
from orchestrator.stats.planning import Sample, more_units
from orchestrator.stats.sentences import listed, no_fleet_claim
from orchestrator.stats.verdict import judge_fleet, varies


@dataclass(frozen=True, slots=True)
class Compared:
    """A combination against the baseline in one benchmark's primary metric, machine by machine, as far as each has a ratio.

    ``differences`` are the paired ones of each machine, ``own`` its interval at level 1 - alpha/H, on the log scale.
    """

    measure: Measure
    combination: str
    logs: Mapping[str, float]
    differences: tuple[NDArray[np.float64], ...]
    own: tuple[Interval | None, ...]
    effect: Effect | None

    @property
    def range(self) -> Interval | None:
        """The least and the largest machine's ratio; it has no level."""
        values = self.logs.values()
        return Interval(math.exp(min(values)), math.exp(max(values)), 1.0) if values else None


def compared(task: Task, pairs: Sequence[Pair]) -> tuple[Compared, ...]:
    """Every comparison of the declared family, () where the run has fewer than three machines."""
    if machines(task.spec) < FEWEST:
        return ()
    return tuple(
        _compared(task, measure, combination.name, pairs)
        for measure in task.measures
        if measure.primary
        for combination in task.spec.combinations
        if combination.name != task.spec.baseline
    )


def _compared(task: Task, measure: Measure, combination: str, pairs: Sequence[Pair]) -> Compared:
    hosts: dict[str, list[str]] = {}
    ratios = {
        pair.host: pair.ratio
        for pair in pairs
        if (pair.benchmark, pair.metric, pair.combination) == (measure.benchmark, measure.metric, combination)
    }
    for host in task.spec.hosts:
        if ratios.get(host.name) is not None and not host.imported:
            hosts.setdefault(host.machine, []).append(host.name)
    logs = {
        machine: fmean(math.log(ratios[name] or 1.0) for name in names) for machine, names in hosts.items()
    }
    differences = tuple(
        np.concatenate([log_ratios(task, name, measure, combination) for name in names])
        for names in hosts.values()
    )
    level = 1 - task.settings.alpha / max(len(logs), 1)
    own = tuple(signed_rank_interval(one, level) for one in differences)
    found = effect(list(logs.values())) if len(logs) >= FEWEST else None
    return Compared(measure, combination, logs, differences, own, found)


def fleet_estimates(task: Task, found: Sequence[Compared]) -> Iterator[Fleet]:
    """One of each comparison; where there is no ratio, why."""
    known = {(one.measure.benchmark, one.combination): one for one in found}
    for measure in task.measures:
        for combination in task.spec.combinations if measure.primary else ():
            if combination.name != task.spec.baseline:
                one = known.get((measure.benchmark, combination.name))
                yield _fleet(task.spec, measure, combination.name, one)


def _fleet(spec: RunSpec, measure: Measure, combination: str, one: Compared | None) -> Fleet:
    where = (measure.benchmark, measure.metric, combination)
    if one is None:
        reason = fleet_sentence(spec, ())
        return Fleet(*where, machines(spec), None, None, None, reason)
    if one.effect is None:
        without = (
            f" ({listed(lacking)} {'has' if len(lacking) == 1 else 'have'} none)"
            if (lacking := _missing(spec, one))
            else ""
        )
        reason = (
            f"{len(one.logs)} of {machines(spec)} machines have a ratio{without}, and a fleet needs {FEWEST}"
        )
        return Fleet(
            *where, len(one.logs), None, None, None, reason, range=one.range, missing=_missing(spec, one)
        )
    return Fleet(
        *where,
        machines=len(one.logs),
        ratio=math.exp(one.effect.mean),
        interval=_ratios(one.effect.interval),
        prediction=_ratios(one.effect.prediction),
        reason=None,
        deviation=one.effect.deviation,
        inconsistency=inconsistency(one.differences),
        range=one.range,
        missing=_missing(spec, one),
    )


def _missing(spec: RunSpec, one: Compared) -> tuple[str, ...]:
    """The run's machines that have no ratio of it, in the order of its hosts."""
    return tuple(name for name in _machines(spec) if name not in one.logs)


def fleet_verdicts(
    task: Task,
    estimated: Sequence[tuple[Compared, float | None]],
    family: Family,
    verdicts: Sequence[Verdict],
    words: Mapping[str, tuple[str, str]],
) -> Iterator[Verdict]:
    """Of each comparison what may be said of the fleet, and behind it whether the size depends on the machine.

    ``estimated``: the comparisons with their adjusted p; those without an effect are passed over. ``verdicts`` are the hosts'.
    ``words``: of a benchmark, those for a ratio below and above 1.
    """
    known = [(one, q) for one, q in estimated if one.effect is not None]
    unequal = [unequal_p(one.differences) for one, _ in known]
    varying = holm([1.0 if p is None else p for p in unequal])
    for (one, q), welch in zip(known, varying, strict=True):
        subject = Subject(
            one.measure.benchmark,
            one.measure.metric,
            one.combination,
            task.spec.baseline,
            *words[one.measure.benchmark],
        )
        evidence = _evidence(task, one, q, family)
        assert one.range is not None
        yield judge_fleet(
            subject,
            evidence,
            one.range,
            _agreeing(one),
            conflict=opposite(one.own),
            each=_each(task, one, verdicts),
            alpha=task.settings.alpha,
        )
        if welch < task.settings.alpha:
            yield varies(subject, evidence, one.range)


def _evidence(task: Task, one: Compared, adjusted: float | None, family: Family) -> Evidence:
    assert one.effect is not None
    return fleet_evidence(one.effect, adjusted, family, task.settings.margin, _missing(task.spec, one))


def fleet_evidence(
    found: Effect, adjusted: float | None, family: Family, margin: float, missing: Sequence[str] = ()
) -> Evidence:
    """The numbers behind what is said across machines."""
    claimed = family.level is not None and adjusted is not None and adjusted < family.rate
    return Evidence(
        units=found.machines,
        ratio=math.exp(found.mean),
        interval=_ratios(found.interval),
        equivalence=_ratios(found.equivalence),
        adjusted=adjusted,
        comparisons=family.size,
        margin=margin,
        claim=_ratios(found.at(family.level)) if claimed and family.level is not None else None,
        more=more_units(
            Sample(found.machines, found.mean, found.error, found.p, agree=False, exact=False), family, margin
        ),
        missing=tuple(missing),
    )


def _agreeing(one: Compared) -> int:
    """Machines whose ratio lies on the side of 1 on which the fleet's does."""
    assert one.effect is not None
    return sum((log > 0) == (one.effect.mean > 0) for log in one.logs.values())


def _each(task: Task, one: Compared, verdicts: Sequence[Verdict]) -> bool:
    """Does every machine's own claim hold, in one direction? (An intersection-union test: no correction is due.)"""
    own = {
        v.where: v
        for v in verdicts
        if v.scope is Scope.HOST
        and (v.subject.benchmark, v.subject.combination) == (one.measure.benchmark, one.combination)
    }
    needed = [host.name for host in task.spec.hosts if not host.imported]
    claims = [own.get(name) for name in needed]
    if any(claim is None or claim.kind is not VerdictKind.DIFFERENT for claim in claims):
        return False
    return len({(claim.evidence.ratio or 1.0) > 1 for claim in claims if claim}) == 1


def machines(spec: RunSpec) -> int:
    return len(_machines(spec))


def _machines(spec: RunSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host.machine for host in spec.hosts if not host.imported))


def fleet_sentence(spec: RunSpec, found: Sequence[Compared]) -> str:
    """On how many machines claims across machines rest, and which are missing; or why there are none."""
    own, count = [host for host in spec.hosts if not host.imported], machines(spec)
    if not own:
        return f"No claim is made: {NO_BLOCKS}."
    if count < FEWEST:
        return no_fleet_claim(len(own), count)
    gone = [name for name in _machines(spec) if not any(name in one.logs for one in found)] if found else []
    if not gone:
        return f"What is said across machines rests on {count} of them, each counted once, whatever the number of its hosts."
    said = f"{listed(gone)} {'is' if len(gone) == 1 else 'are'} missing, of which no ratio was recorded"
    if count - len(gone) < FEWEST:
        return f"No fleet claim: of {count} machines {said}, and a claim beyond the hosts shown needs at least {FEWEST}."
    return f"What is said across machines rests on {count - len(gone)} of {count}, each counted once: {said}."


def _ratios(interval: Interval | None) -> Interval | None:
    return interval and Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
