# SPDX-License-Identifier: Apache-2.0
"""What is to be done next. Pure: spec, grants and the journal's records go in, one step comes out.

So an agent that was killed and started again goes on as the one before it would have.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from remote_agent.agent.spec import RunSpec
from remote_agent.agent.store import Grants
from remote_agent.contract.journal import TrialKey


@dataclass(frozen=True, slots=True)
class OpenBlock:
    benchmark: str
    block: int
    warmup: bool
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DoTrial:
    benchmark: str
    block: int
    position: int
    combination: str
    attempt: int
    warmup: bool


@dataclass(frozen=True, slots=True)
class CloseBlock:
    benchmark: str
    block: int


@dataclass(frozen=True, slots=True)
class Finish:
    """``status``: complete or cancelled."""

    status: str


Step = OpenBlock | DoTrial | CloseBlock | Finish


@dataclass(slots=True)
class Progress:
    """The journal, folded. ``attempts`` counts how often each trial was begun; ``orders`` holds the blocks that are open.

    ``begun`` holds the `trial_started` of trials of which nothing more has been said; ``torn``: why the last attempt of a trial
    was none. ``boot_id``: the host's when the agent was started last.
    """

    done: set[TrialKey] = field(default_factory=set)
    attempts: dict[TrialKey, int] = field(default_factory=dict)
    begun: dict[TrialKey, Mapping[str, Any]] = field(default_factory=dict)
    torn: dict[TrialKey, str] = field(default_factory=dict)
    orders: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    closed: set[tuple[str, int]] = field(default_factory=set)
    starts: int = 0
    boot_id: str | None = None
    fingerprinted: bool = False
    ended: str | None = None

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Progress:
        progress = cls()
        for record in records:
            progress.apply(record)
        return progress

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take in the journal's next record."""
        match record["type"]:
            case "run":
                self.starts += 1
                self.boot_id = record.get("boot_id")
            case "fingerprint":
                self.fingerprinted = True
            case "block":
                self.orders[record["benchmark"], record["block"]] = tuple(record["order"])
            case "trial_started":
                self.attempts[_key(record)] = record["attempt"]
                self.begun[_key(record)] = record
            case "torn":
                self.begun.pop(_key(record), None)
                self.torn[_key(record)] = record["reason"]
            case "trial":
                self.begun.pop(_key(record), None)
                self.done.add(_key(record))
            case "block_ended":
                self.closed.add((record["benchmark"], record["block"]))
                self.orders.pop((record["benchmark"], record["block"]), None)
            case "ended":
                self.ended = record["status"]

    def blocks_done(self, benchmark: str) -> int:
        """So many blocks are done without a gap, from the first."""
        block = 0
        while (benchmark, block) in self.closed:
            block += 1
        return block


def order(seed: int, host: str, benchmark: str, block: int, combinations: Sequence[str]) -> tuple[str, ...]:
    """The block's fresh random permutation (STATISTICS.md, "Sampling plan"); the same wherever it is asked for."""
    names = list(combinations)
    random.Random(f"{seed}/{host}/{benchmark}/{block}").shuffle(names)
    return tuple(names)


def next_step(spec: RunSpec, grants: Grants, progress: Progress) -> Step | None:
    """What to do next; None while nothing more is granted, or after the end.

    A block that is open is finished before another begins; else benchmarks in the spec's order, each block by block.
    """
    if progress.ended:
        return None
    if grants.cancel:
        return Finish("cancelled")
    for benchmark, block in progress.orders:
        return _in_block(spec, progress, benchmark, block)
    for item in spec.benchmarks:
        block = progress.blocks_done(item.name)
        if block < grants.until.get(item.name, 0):
            return _open(spec, item.name, block)
    return Finish("complete") if grants.last else None


def _open(spec: RunSpec, benchmark: str, block: int) -> OpenBlock:
    names = [item.name for item in spec.combinations]
    warmup = block < spec.benchmark(benchmark).warmup
    return OpenBlock(benchmark, block, warmup, order(spec.seed, spec.host, benchmark, block, names))


def _in_block(spec: RunSpec, progress: Progress, benchmark: str, block: int) -> DoTrial | CloseBlock:
    for position, combination in enumerate(progress.orders[benchmark, block]):
        key = TrialKey(benchmark, block, combination)
        if key not in progress.done:
            attempt = progress.attempts.get(key, 0) + 1
            return DoTrial(
                benchmark, block, position, combination, attempt, block < spec.benchmark(benchmark).warmup
            )
    return CloseBlock(benchmark, block)


def _key(record: Mapping[str, Any]) -> TrialKey:
    return TrialKey(record["benchmark"], record["block"], record["combination"])
