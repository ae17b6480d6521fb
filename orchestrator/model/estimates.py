# SPDX-License-Identifier: Apache-2.0
"""estimates.json: what the samples of a run say, typed.

Values are in the metric's unit. Ratios are of combination to baseline on the log scale's way back, and above 1 is worse
(metrics where higher is better are turned round). Missing is None plus a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.interval import Interval
from orchestrator.model.ranking import Ranking
from orchestrator.model.samples import HostRecord, TrialCount
from orchestrator.model.stopping import StopReason
from orchestrator.model.verdict import Verdict

SCHEMA = 5


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric of one benchmark, in the catalogue's words. ``primary``: verdicts are about it."""

    benchmark: str
    metric: str
    unit: str
    better: str
    primary: bool
    per_item: bool
    timed: str
    item: str = "pod"


@dataclass(frozen=True, slots=True)
class Secondary:
    """Shown, and never the ground of a claim. None where the values are too few for it to exist."""

    mean: float
    minimum: float
    maximum: float
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """Host x combination x metric: the median of ``n`` counted trials, of ``asked`` (the most, where a rule decides)."""

    host: str
    benchmark: str
    metric: str
    combination: str
    asked: int
    n: int
    median: float | None
    interval: Interval | None
    secondary: Secondary | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A combination against the baseline on one host, paired by block: Hodges-Lehmann ratio, exact intervals and p.

    ``interval`` is the 95 % one, ``equivalence`` the 90 % one. ``adjusted`` is p after Benjamini and Hochberg: over the primary
    family of the report (`Family`) where the metric is primary, else over all that are not.
    """

    host: str
    benchmark: str
    metric: str
    combination: str
    pairs: int
    ratio: float | None
    interval: Interval | None
    equivalence: Interval | None
    p: float | None
    adjusted: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The median of a per-item metric at one item (a pod's index, from 0) over the blocks."""

    host: str
    benchmark: str
    metric: str
    combination: str
    item: int
    n: int
    median: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class CurveKnee:
    """From which item on a curve over pods rises faster (stats/knee.py), and its level there.

    ``before`` and ``after`` are slopes in the metric's unit by pod. All are None where it has no knee; ``reason`` says why.
    """

    host: str
    benchmark: str
    metric: str
    combination: str
    item: int | None
    level: float | None
    before: float | None
    after: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """A combination against the baseline over ``machines``; ``reason`` says why there is no ratio, ``missing`` names machines without.

    ``prediction`` is for a machine that was not measured. ``deviation`` is s between machines (log scale), ``inconsistency`` I2,
    a share; ``range`` the least and the largest machine's ratio. All three describe, and nothing is claimed from them.
    """

    benchmark: str
    metric: str
    combination: str
    machines: int
    ratio: float | None
    interval: Interval | None
    prediction: Interval | None
    reason: str | None
    deviation: float | None = None
    inconsistency: float | None = None
    range: Interval | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Of one combination's values (log scale): variances between hosts, between runs of a host, and within a run.

    None: not to be told apart (one host; one run a host, where what lies between runs is in what lies between hosts). ``zeroed``
    are those that were estimated below 0 and set to 0. It describes, and nothing is claimed from it.
    """

    benchmark: str
    metric: str
    combination: str
    hosts: int
    runs: int
    values: int
    between_hosts: float | None
    between_runs: float | None
    within: float
    zeroed: tuple[str, ...] = ()


class Contaminant(StrEnum):
    """What speaks against a block (`orchestrator.results.contamination` has the rules and their limits)."""

    STEAL = "steal"
    THROTTLING = "throttling"
    FOREIGN_CPU = "foreign CPU time"
    CPU_PRESSURE = "CPU pressure"
    MEMORY_PRESSURE = "memory pressure"
    IO_PRESSURE = "I/O pressure"
    REDONE = "redone trial"
    INTERRUPTED = "interrupted"
    CLOCK = "clock step"


@dataclass(frozen=True, slots=True)
class Reason:
    """``value`` and the ``limit`` that it is beyond, in the unit that ``sentence`` says; ``sentence`` has no full stop."""

    kind: Contaminant
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True, slots=True)
class FlaggedBlock:
    """``block`` is its number in its run, ``number`` the one in the samples' series, over all runs of the host."""

    run: str
    host: str
    benchmark: str
    block: int
    number: int
    warmup: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that is another one without the flagged blocks: both sentences."""

    host: str
    with_all: str
    without_flagged: str


@dataclass(frozen=True, slots=True)
class Contamination:
    """The other view: what the estimates were without the flagged blocks. No claim rests on it.

    ``cells`` are those of a host and benchmark with a flagged counted block; ``pairs`` and ``verdicts`` all of a host that has
    one (p is adjusted over a host's family). What is not here is as in the estimates. ``counted`` blocks are those without warm-up.
    """

    flagged: tuple[FlaggedBlock, ...]
    counted: int
    cells: tuple[Cell, ...]
    pairs: tuple[Pair, ...]
    verdicts: tuple[Verdict, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning as data: what was seen, where (None: the run), and what to do about it."""

    host: str | None
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the estimates were made with, shares: the error rate, and the practical margin."""

    alpha: float
    margin: float


@dataclass(frozen=True, slots=True)
class Family:
    """All comparisons of primary metrics of a report: on every host, and across machines where these are three or more.

    ``discoveries`` of its ``size`` comparisons have q below ``rate``, the false discovery rate. ``level`` is that of the intervals
    in the sentences of claims, 1 - discoveries rate/size; None: there is no discovery.
    """

    size: int
    discoveries: int
    rate: float
    level: float | None


@dataclass(frozen=True, slots=True)
class Stop:
    """How many counted blocks a benchmark has on a host, and why no more. ``reason`` None: its rule was not at its end.

    ``reached``: the half-width of the widest primary interval as a share, where the rule looks at it.
    """

    host: str
    benchmark: str
    blocks: int
    reason: StopReason | None
    reached: float | None = None


@dataclass(frozen=True, slots=True)
class Estimates:
    """All of it, from all blocks. ``sources`` maps each file that went in, relative to the run's folder, to its sha256.

    ``contamination`` is what they were without the flagged blocks, None where no block is flagged.
    """

    run: str
    settings: Settings
    sources: Mapping[str, str]
    measures: tuple[Measure, ...]
    hosts: tuple[HostRecord, ...]
    trials: tuple[TrialCount, ...]
    cells: tuple[Cell, ...]
    pairs: tuple[Pair, ...]
    curves: tuple[CurvePoint, ...]
    fleet: tuple[Fleet, ...]
    fleet_sentence: str
    family: Family
    family_sentence: str
    verdicts: tuple[Verdict, ...]
    notices: tuple[Notice, ...]
    contamination: Contamination | None = None
    schema: int = SCHEMA
    knees: tuple[CurveKnee, ...] = ()
    stops: tuple[Stop, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    variances: tuple[VarianceSplit, ...] = ()
