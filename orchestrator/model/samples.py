# SPDX-License-Identifier: Apache-2.0
"""What a run recorded, merged over its hosts: samples and trials as columns, and what each host says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The samples of one metric of one benchmark on one host by one combination, in the order of their blocks.

    ``blocks``, ``items`` (None where the metric has one value a trial) and ``warmup`` run beside ``values``. Arrays: a run may
    have a million samples. ``blocks`` are numbered over all runs of the host, from 0: two blocks never have one number.
    """

    host: str
    benchmark: str
    metric: str
    unit: str
    combination: str
    values: NDArray[np.float64]
    blocks: NDArray[np.int64]
    items: NDArray[np.int64] | None
    warmup: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TrialCount:
    """How the trials of one combination in one benchmark on one host ended.

    ``reasons`` counts the failed trials by reason, ``lacks`` the unsupported ones.
    """

    host: str
    benchmark: str
    combination: str
    ok: int
    failed: int
    unsupported: int
    leaks: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    lacks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """One block as a host's journal tells it; ``block`` is its number in its run, ``number`` that over all runs of the host.

    ``noise`` is the growth of the host's counters in it (`remote_agent.contract.journal`), None where the block did not end.
    ``redone`` counts its trials that were begun more than once.
    """

    run: str
    host: str
    benchmark: str
    block: int
    number: int
    warmup: bool
    noise: Mapping[str, Any] | None
    redone: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """A note of the agent's, or of the merge."""

    level: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class HostRecord:
    """What one host's journal says beside its trials; of a host of several ``runs``, what its journals say.

    ``facts`` and ``facts_after`` are its fingerprints, {} where it has none. ``agent`` is the agent's version.
    ``ended`` is how the journal closed, or None where it is still open. ``starts`` counts agent starts in this run.
    ``redone`` counts the attempts that were torn and redone, by reason.
    ``noise`` sums, over the blocks, the counters that the agent watched; ``load_before`` is the one-minute load before the
    first block, None where it was not told.
    """

    host: str
    machine: str
    agent: str | None
    starts: int
    ended: str | None
    blocks: Mapping[str, int]
    facts: Mapping[str, Any]
    facts_after: Mapping[str, Any]
    noise: Mapping[str, float]
    load_before: float | None
    notes: tuple[Note, ...]
    runs: int = 1
    redone: Mapping[str, int] = field(default_factory=dict)
