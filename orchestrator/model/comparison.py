# SPDX-License-Identifier: Apache-2.0
"""What changed from A to B: from one run to another, or from one combination of a run to another. Typed, for all views.

Ratios are of B to A on the log scale's way back, and above 1 is worse (metrics where higher is better are turned round). What a gate
is decided on is the values' own ratio, whichever way is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.estimates import Family, Notice, Settings
from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Verdict

SCHEMA = 2
HIGHER = "higher"
"""``Change.better`` where a higher value is the better one (`remote_agent.contract.benchmark.Better`)."""


class Method(StrEnum):
    """How a change was estimated.

    PAIRED: both sides in each block. CONTROLLED: each value as a ratio to the control's in its own block, then the two runs' ratios as
    two samples. DIRECT: the two runs' values as two samples; whatever else changed between the runs is in it.
    """

    PAIRED = "paired"
    CONTROLLED = "controlled"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Side:
    """A or B. ``combination`` is None where whole runs are compared."""

    run: str
    suite: str
    profile: str
    created: str
    combination: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one combination on one host (of B, where two combinations are compared).

    ``a`` and ``b`` count the values, or pairs, that went in; the medians are of the values themselves, in ``unit``. ``interval`` is the
    95 % one, ``equivalence`` the 90 % one. ``adjusted`` is p after Benjamini and Hochberg over the primary metrics (`Family`), None
    for the others.
    ``reason``: why there is no ratio, or no interval.
    """

    host: str
    machine: str
    benchmark: str
    metric: str
    combination: str
    unit: str
    better: str
    primary: bool
    method: Method
    a: int
    b: int
    median_a: float | None
    median_b: float | None
    ratio: float | None = None
    interval: Interval | None = None
    equivalence: Interval | None = None
    p: float | None = None
    adjusted: float | None = None
    reason: str | None = None

    @property
    def of_values(self) -> float | None:
        """The ratio of the values, B to A: a throughput that has doubled is 2, where ``ratio`` is 0.5."""
        return 1 / self.ratio if self.ratio is not None and self._turned else self.ratio

    def interval_of_values(self, interval: Interval | None) -> Interval | None:
        """One of its intervals as the values' own."""
        if interval is None or not self._turned:
            return interval
        return Interval(1 / interval.high, 1 / interval.low, interval.level)

    @property
    def _turned(self) -> bool:
        return self.better == HIGHER


@dataclass(frozen=True, slots=True)
class TrialOutcomes:
    """How the trials of one side ended, warm-up left out. ``reason``: why most of the failed ones did,
    or, where none failed, why most of the unsupported ones are.
    """

    ok: int
    failed: int
    unsupported: int
    reason: str | None = None

    @property
    def attempted(self) -> int:
        """What is not supported is no failure, and counts on neither side of a rate."""
        return self.ok + self.failed


@dataclass(frozen=True, slots=True)
class FailureComparison:
    """Failed and unsupported trials of one combination (of B) in one benchmark on one host, on both sides.

    ``p``: that B's failure rate is not above A's, one-sided and for this cell alone.
    """

    host: str
    benchmark: str
    combination: str
    a: TrialOutcomes
    b: TrialOutcomes
    p: float
    sentence: str

    @property
    def cell(self) -> tuple[str, str, str]:
        return self.host, self.benchmark, self.combination

    @property
    def lost_support(self) -> bool:
        """B does not support what succeeded in A."""
        return self.b.unsupported > 0 and self.a.unsupported == 0 and self.a.ok > 0

    @property
    def not_tried(self) -> bool:
        """B has no trial of what succeeded in A: its host was lost, or its journal was not pulled."""
        return self.a.ok > 0 and self.b.attempted + self.b.unsupported == 0

    @property
    def lost_every_trial(self) -> bool:
        """No trial succeeded in B, where some did in A: no test has to show that."""
        return self.b.ok == 0 and self.b.failed > 0 and self.a.ok > 0


class Standing(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Gate:
    """``BENCHMARK[:METRIC][@COMBINATION] <= +5%``, as it was typed in ``text``.

    ``metric`` None: the primary one; ``combination`` None: every one. ``limit`` is a ratio of values (1.05) that they must not be above
    (``at_most``), or not below.
    """

    text: str
    benchmark: str
    metric: str | None
    combination: str | None
    at_most: bool
    limit: float


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate on one host and combination.

    ``interval``: 90 %, of the values' ratio, so that each end is a one-sided 95 % bound. ``failure_p``: that the
    failure rate did not rise, one-sided, after Holm over the cells of all gates; None where no trial failed in B.
    ``passable``: an undecided gate may be let pass; False where B does not support what A does,
    or has no trial of it.
    """

    gate: Gate
    host: str
    metric: str
    combination: str
    standing: Standing
    interval: Interval | None
    sentence: str
    failure_p: float | None = None
    passable: bool = True


@dataclass(frozen=True, slots=True)
class Alteration:
    """What a host ran, or was, in one run and not in the other; None: it was not there. ``kind``: component, configuration, ..."""

    host: str
    kind: str
    name: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``control`` None: there is none. ``drift`` is how the control itself moved from A to B: no verdict and no gate is about it.

    ``failures`` has every cell in which a trial failed on either side, or that B does not support and A does.
    """

    a: Side
    b: Side
    control: str | None
    settings: Settings
    family: Family
    gates: tuple[GateResult, ...]
    verdicts: tuple[Verdict, ...]
    changes: tuple[Change, ...]
    drift: tuple[Change, ...]
    alterations: tuple[Alteration, ...]
    notices: tuple[Notice, ...]
    failures: tuple[FailureComparison, ...] = ()
    schema: int = SCHEMA
