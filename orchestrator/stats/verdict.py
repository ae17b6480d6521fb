# SPDX-License-Identifier: Apache-2.0
"""Which sentence may be said of a pair, tried from the top (STATISTICS.md, "What may be said, and when")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, Scope, Subject, Verdict, VerdictKind
from orchestrator.stats import sentences
from orchestrator.stats.fleet import FEWEST as FEWEST_MACHINES
from orchestrator.stats.paired import FEWEST
from orchestrator.stats.sentences import SENTENCES

Claim: TypeAlias = "tuple[Subject, bool]"
"""What a difference is said of, and whether it is said to be worse."""


def judge_host(host: str, subject: Subject, evidence: Evidence, alpha: float = 0.05) -> Verdict:
    """The verdict on one host: the first kind whose condition holds."""
    kind = kind_of(evidence, alpha)
    return Verdict(
        kind, Scope.HOST, host, subject, evidence, f"On {host}: {SENTENCES[kind](subject, evidence)}"
    )


def judge_fleet(
    subject: Subject,
    evidence: Evidence,
    ratios: Interval,
    agree: int,
    *,
    conflict: bool,
    each: bool,
    alpha: float = 0.05,
) -> Verdict:
    """The verdict across machines. ``ratios``: the least and the largest; ``agree``: machines on the fleet's side of 1.

    ``conflict``: two machines claim opposite directions, and the headline is withheld. ``each``: every machine's own claim holds,
    in one direction.
    """
    if conflict:
        return _across(VerdictKind.CONFLICT, subject, evidence, sentences.conflict(subject, ratios))
    kind = kind_of(evidence, alpha, fewest=FEWEST_MACHINES)
    if kind is VerdictKind.DIFFERENT:
        return _across(kind, subject, evidence, sentences.fleet_different(subject, evidence, agree))
    if each:
        said = sentences.each_machine(subject, evidence, ratios)
        return replace(_across(VerdictKind.DIFFERENT, subject, evidence, said), scope=Scope.EACH_MACHINE)
    if kind is VerdictKind.PROBABLE:
        said = f"Across {evidence.units} machines: {sentences.fleet_probable(subject, evidence, agree)}"
        return _across(kind, subject, evidence, said)
    if kind is VerdictKind.UNDECIDED:
        return _across(kind, subject, evidence, sentences.fleet_undecided(subject, evidence))
    said = SENTENCES[kind](subject, evidence)
    return _across(kind, subject, evidence, sentences.fleet_alike(said, evidence.units))


def varies(subject: Subject, evidence: Evidence, ratios: Interval) -> Verdict:
    """Said beside the fleet's verdict where Welch's test, after Holm, finds the machines unlike."""
    return _across(VerdictKind.VARIES, subject, evidence, sentences.size_depends(subject, ratios))


def _across(kind: VerdictKind, subject: Subject, evidence: Evidence, sentence: str) -> Verdict:
    said = f"{sentence}{sentences.missing_machines(evidence.missing)}"
    return Verdict(kind, Scope.FLEET, None, subject, evidence, said)


def say_only(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Of several hosts, a difference that no other one shares, in its direction, is said of its host *only*."""
    if len({verdict.where for verdict in verdicts}) < 2:
        return tuple(verdicts)
    sharing: dict[Claim, set[str | None]] = {}
    for verdict in verdicts:
        if verdict.kind is VerdictKind.DIFFERENT:
            sharing.setdefault(_claim(verdict), set()).add(verdict.where)
    return tuple(
        _only(verdict)
        if verdict.kind is VerdictKind.DIFFERENT and len(sharing[_claim(verdict)]) == 1
        else verdict
        for verdict in verdicts
    )


def _only(verdict: Verdict) -> Verdict:
    where = f"On {verdict.where}"
    return replace(verdict, sentence=verdict.sentence.replace(f"{where}: ", f"{where} only: ", 1))


def _claim(verdict: Verdict) -> Claim:
    return verdict.subject, _direction(verdict)


def _direction(verdict: Verdict) -> bool:
    return verdict.evidence.ratio is not None and verdict.evidence.ratio > 1


def kind_of(evidence: Evidence, alpha: float, fewest: int = FEWEST) -> VerdictKind:
    """The first kind whose condition holds; ``fewest`` units are needed for any claim."""
    ratio, interval, equivalence = evidence.ratio, evidence.interval, evidence.equivalence
    if evidence.units < fewest or ratio is None or interval is None or equivalence is None:
        return VerdictKind.UNCLAIMED
    limit = math.log1p(evidence.margin)
    secured = evidence.adjusted is not None and evidence.adjusted < alpha
    within = _inside(equivalence, limit)
    probable = _excludes_one(interval) and abs(math.log(ratio)) > limit
    if secured and probable and _excludes_one(evidence.claim or interval):
        return VerdictKind.DIFFERENT
    if within:
        return VerdictKind.NEGLIGIBLE if secured else VerdictKind.EQUIVALENT
    return VerdictKind.PROBABLE if probable else VerdictKind.UNDECIDED


def _excludes_one(interval: Interval) -> bool:
    return interval.low > 1 or interval.high < 1


def _inside(interval: Interval, limit: float) -> bool:
    """Whether the interval of a ratio lies within 1/(1+margin) .. 1+margin: the margin is symmetric on the log scale."""
    return -limit < math.log(interval.low) and math.log(interval.high) < limit
