# SPDX-License-Identifier: Apache-2.0
"""What may be said of two combinations, and the evidence on which it is said (STATISTICS.md, "What may be said")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.interval import Interval


class VerdictKind(StrEnum):
    """In order of precedence within a scope: the first that holds is said. CONFLICT is of fleets alone; VARIES is said beside another."""

    CONFLICT = "conflict"
    DIFFERENT = "different"
    NEGLIGIBLE = "negligible"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"
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
class Evidence:
    """The numbers behind a verdict. Ratios: combination to baseline, above 1 is worse.

    ``units`` counts what was drawn: pairs on a host, machines in a fleet. ``p`` is adjusted by Holm over ``comparisons``.
    ``margin`` is the practical margin, a share (0.05). ``more`` is about how many units more would decide, None: not told.
    ``missing`` names the run's machines that have no ratio.
    """

    units: int
    ratio: float | None
    interval: Interval | None
    equivalence: Interval | None
    p: float | None
    comparisons: int
    margin: float
    more: int | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """``where`` is the host's name, or None for a fleet; ``sentence`` is what may be said, and no more."""

    kind: VerdictKind
    scope: Scope
    where: str | None
    subject: Subject
    evidence: Evidence
    sentence: str
