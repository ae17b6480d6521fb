# SPDX-License-Identifier: Apache-2.0
"""What a host's journal says so far, counted record by record: trials, failures, leaks, and how long blocks take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, int, str]
"""Benchmark, block, combination: a trial."""


@dataclass(slots=True)
class Tally:
    """Feed it every record of one journal, in order. A trial that is there twice counts once, as its last record says.

    One that is ok without samples counts as failed, as the merge counts it.
    """

    trials: dict[Key, str] = field(default_factory=dict)
    leaks: dict[Key, int] = field(default_factory=dict)
    spans: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    torn: set[tuple[str, int]] = field(default_factory=set)
    open: set[tuple[str, int]] = field(default_factory=set)
    ended: str | None = None

    @property
    def done(self) -> int:
        return len(self.trials)

    @property
    def failed(self) -> int:
        return sum(status == "failed" for status in self.trials.values())

    @property
    def leaked(self) -> int:
        return sum(self.leaks.values())

    def add_all(self, records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> None:
        """Raises KeyError where a record of a known type lacks what it must have."""
        if record["type"] == "trial":
            self._add_trial(record)
        elif record["type"] == "ended":
            self.ended = str(record["status"])
        elif record["type"] == "run" and record.get("resumed"):
            self.ended = None
            self.torn |= self.open  # the host's clock may have begun anew in between
        elif record["type"] == "block":
            self.open.add((str(record["benchmark"]), int(record["block"])))
        elif record["type"] == "block_ended":
            self.open.discard((str(record["benchmark"]), int(record["block"])))

    def block_seconds(self, benchmark: str, block: int) -> float | None:
        """From its first trial's start to its last one's clean-up; None: not measured, or torn by a restart."""
        span = self.spans.get((benchmark, block))
        return None if span is None or (benchmark, block) in self.torn else (span[1] - span[0]) / 1e9

    def _add_trial(self, record: Mapping[str, Any]) -> None:
        key = (str(record["benchmark"]), int(record["block"]), str(record["combination"]))
        without = record["status"] == "ok" and not record["samples"]
        self.trials[key] = "failed" if without else str(record["status"])
        self.leaks[key] = len(record["leaks"])
        if int(record["attempt"]) > 1:
            self.torn.add(key[:2])
        start = int(record["start_ns"])
        end = start + int(record["elapsed_ns"]) + int(record["cleanup_ns"])
        first, last = self.spans.get(key[:2], (start, end))
        self.spans[key[:2]] = (min(first, start), max(last, end))
