# SPDX-License-Identifier: Apache-2.0
"""What may be said of two combinations, and the evidence on which it is said (STATISTICS.md, "What may be said")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.interval import Interval


class VerdictKind(StrEnum):
    """In order of precedence within a scope: the first that holds is said.

    PROBABLE: beyond the margin by its own interval, but not secured against chance over all comparisons. CONFLICT is of fleets
    alone; VARIES is said beside another.
    """

    CONFLICT = "conflict"
    DIFFERENT = "different"
    NEGLIGIBLE = "negligible"
    EQUIVALENT = "equivalent"
    PROBABLE = "probable"
    UNDECIDED = "undecided"
    UNCLAIMED = "unclaimed"
    VARIES = "varies"


class Scope(StrEnum):
    """How far a verdict reaches."""

    HOST = "host"
    EACH_MACHINE = "each machine"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared with what: ``faster`` and ``slower`` are the words for a ratio below and above 1."""

    benchmark: str
    metric: str
    combination: str
    baseline: str
    faster: str = "faster"
    slower: str = "slower"


@dataclass(frozen=True, slots=True)
class MoreUnits:
    """How many more blocks, or machines, would decide, with a power of 80 % if the truth is as estimated.

    ``number`` None: so many that it is no advice. ``at_least``: the estimate lies so near the margin that more may be needed.
    ``scatter``: the standard deviation of one unit's ratio, a share.
    """

    number: int | None
    at_least: bool
    scatter: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers behind a verdict. Ratios: combination to baseline, above 1 is worse.

    ``units`` counts what was drawn: pairs on a host, machines in a fleet. ``interval`` is the 95 % one, ``equivalence`` the 90 %
    one, ``claim`` the wider one that stands in a claim's sentence (None where nothing is claimed). ``adjusted`` is p after the
    correction over ``comparisons``: Benjamini-Hochberg's q in a verdict, Holm's p in a ranking. ``margin`` is the practical
    margin, a share (0.05). ``more`` says how many units more would decide; None: no number of them is known to. ``missing``
    names the run's machines that have no ratio. ``reason``: why there is no ratio or no interval.
    """

    units: int
    ratio: float | None
    interval: Interval | None
    equivalence: Interval | None
    adjusted: float | None
    comparisons: int
    margin: float
    claim: Interval | None = None
    more: MoreUnits | None = None
    missing: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``where`` is the host's name, or None for a fleet; ``sentence`` is what may be said, and no more."""

    kind: VerdictKind
    scope: Scope
    where: str | None
    subject: Subject
    evidence: Evidence
    sentence: str
