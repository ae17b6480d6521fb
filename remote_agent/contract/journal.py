# SPDX-License-Identifier: Apache-2.0
"""The journal: an append-only file of JSON lines on the host, pulled and never edited.

Every record has ``v`` (SCHEMA) and ``type``. Times named ``*_ns`` are the host's CLOCK_MONOTONIC, ``time`` is UTC, ISO 8601.

    run            run, host, seed, agent, boot_id, time, spec      first record; again after a restart of the agent (resumed: true)
    fingerprint    when ("before" | "after"), facts
    block          benchmark, block, warmup, order [combination]    before a block's first trial
    trial_started  benchmark, block, position, combination, attempt fsynced before the trial
    torn           benchmark, block, position, combination, attempt, reason     that attempt is no measurement; it is redone
    trial          benchmark, block, position, combination, attempt, warmup, status, reason, samples, start_ns, elapsed_ns,
                   cleanup_ns, leaks
    block_ended    benchmark, block, noise {counter: delta or null, "loadavg": {before, after}, "missing": {counter: reason}}
    note           level ("info" | "warning"), message, hint
    ended          status ("complete" | "cancelled"), time          last record

An attempt is torn where the agent ended or the host was restarted in it, where the runtime's daemon went away in it (what a
runtime does that is being killed is no measurement of it), or where it failed on a full disk. It is done again as the next
attempt, at most five times; then the trial fails, with the last reason. A trial is in the journal once, whatever happens; one
whose `attempt` is above 1 was redone. (A `trial_started` behind which the journal just ends is torn too, and not said yet.)

No two `*_ns` of different boots may be subtracted: the monotonic clock begins anew, and a `run` record with another boot_id
says where. `time` is for people: the wall clock may be set back, and then it goes back.

A sample is {"metric": NAME, "value": number in the metric's unit, "unit": UNIT, "item": index or null}.
A leak is {"kind": KIND, "what": NAME}, its kind one of pod, container, netns, ipcns, utsns, pidns, userns, veth, mount, cgroup,
lease, process.
A trial's status is "ok", "failed" or "unsupported"; the last two carry a reason and no samples. One that is "ok" has a sample of
its benchmark's primary metric; readers count one without as failed, with the reason WITHOUT_SAMPLES.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = 1
WITHOUT_SAMPLES = "ok without samples"


def record(kind: str, **fields: Any) -> dict[str, Any]:
    """A record of this schema."""
    return {"v": SCHEMA, "type": kind, **fields}


@dataclass(frozen=True, slots=True)
class Sample:
    metric: str
    value: float
    unit: str
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Leak:
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class TrialKey:
    """What makes a trial itself: done once, it is not done again."""

    benchmark: str
    block: int
    combination: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination in one block. ``position`` is its place in the block's order, from 0; ``attempt`` counts from 1."""

    benchmark: str
    block: int
    position: int
    combination: str
    attempt: int
    warmup: bool
    status: str
    reason: str | None
    samples: tuple[Sample, ...]
    start_ns: int
    elapsed_ns: int
    cleanup_ns: int
    leaks: tuple[Leak, ...]

    @property
    def key(self) -> TrialKey:
        return TrialKey(self.benchmark, self.block, self.combination)

    def to_json(self) -> dict[str, Any]:
        return record("trial", **asdict(self))

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Trial:
        """Raises KeyError or TypeError where the record is not a trial of this schema."""
        fields = {name: record[name] for name in cls.__slots__}
        fields["samples"] = tuple(Sample(**sample) for sample in record["samples"])
        fields["leaks"] = tuple(Leak(**leak) for leak in record["leaks"])
        return cls(**fields)
