# SPDX-License-Identifier: Apache-2.0
"""A run: one execution of a suite on hosts. What is asked (Suite), what is decided (RunSpec), how it stands (RunState)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA = 1
"""Version of run.json and of every file beside it; older and newer ones are refused with a sentence."""


class Profile(StrEnum):
    """The size of the benchmarks' work: the thesis' own, or about a tenth of it, whose numbers stand for themselves."""

    THESIS = "thesis"
    QUICK = "quick"


@dataclass(frozen=True, slots=True, order=True)
class Combination:
    """A CRI runtime and one of its OCI handlers."""

    cri: str
    handler: str

    @property
    def name(self) -> str:
        return f"{self.cri}/{self.handler}"


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """One benchmark of a run: ``blocks`` counted blocks after ``warmup`` ones (block numbers go through both, from 0).

    With ``precision`` (a share: 0.03) ``blocks`` is the most there may be, and `orchestrator.stats.stopping` says when there
    are enough. ``budget``: seconds of work on each host that are this benchmark's own; None: it shares the run's.
    """

    name: str
    blocks: int
    warmup: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    precision: float | None = None
    budget: float | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite file: what to compare and how often. ``benchmarks`` in the order they are run; ``budget``: see RunSpec."""

    name: str
    cri: tuple[str, ...]
    oci: tuple[str, ...]
    benchmarks: tuple[BenchmarkPlan, ...]
    baseline: str | None = None
    description: str = ""
    profile: Profile = Profile.THESIS
    budget: float | None = None

    @property
    def combinations(self) -> tuple[Combination, ...]:
        return tuple(Combination(cri, oci) for cri in self.cri for oci in self.oci)


@dataclass(frozen=True, slots=True)
class RunHost:
    """A host of a run, and the machine it stands on.

    ``provenance`` is what it ran (results/provenance.py): {} until its journal has told it. ``imported`` names the tool whose
    result stands in for a journal, "" where labctl measured: no block of that host pairs anything. ``seat`` is what it takes
    turns on where that is not the machine that it is said to be: a local lab whose hosts are declared as several machines.
    """

    name: str
    machine: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    imported: str = ""
    seat: str = ""

    @property
    def turns_on(self) -> str:
        """Hosts of which this is the same are neighbours, and execute one after another."""
        return self.seat or self.machine


@dataclass(frozen=True, slots=True)
class RunSpec:
    """run.json: what was decided, before the first trial; only its hosts' provenance is added, from their journals.

    ``created`` is UTC, ISO 8601. ``profile`` is noted for readers: the benchmarks' ``params`` are resolved already.
    ``budget``: seconds of work on each host that its benchmarks with a precision target share.
    ``runs`` are the ids of the runs that a report joins, () for a run of its own.
    """

    id: str
    suite: str
    inventory: str
    created: str
    seed: int
    hosts: tuple[RunHost, ...]
    combinations: tuple[Combination, ...]
    benchmarks: tuple[BenchmarkPlan, ...]
    baseline: str
    labctl_version: str
    schema: int = SCHEMA
    profile: Profile = Profile.THESIS
    budget: float | None = None
    runs: tuple[str, ...] = ()

    @property
    def simulated(self) -> bool:
        """Some of its machines are only said to be ones: what it says across machines is a simulation."""
        return any(host.seat for host in self.hosts)


class RunStatus(StrEnum):
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class HostState:
    """How a host of a run stands. ``error`` is one sentence, or None."""

    name: str
    status: RunStatus
    trials_done: int
    trials_failed: int
    leaks: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunState:
    """state.json: replaced whole (write aside, fsync, rename) by the conductor, and by nobody else."""

    id: str
    status: RunStatus
    hosts: tuple[HostState, ...]
    updated: str
    exit_code: int | None = None
    schema: int = SCHEMA
