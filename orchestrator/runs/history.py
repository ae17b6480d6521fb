# SPDX-License-Identifier: Apache-2.0
"""What a host's journal holds of each benchmark so far: whole blocks, seconds of work, and the primary metric's values.

The stopping rule and the estimates so far are made of it, so a conductor that is started again decides as the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.model.run import RunSpec
from orchestrator.model.stopping import Standing


@dataclass(slots=True)
class _Benchmark:
    trials: dict[tuple[int, str], int] = field(default_factory=dict)
    """Block and combination to nanoseconds of work."""
    in_block: dict[int, int] = field(default_factory=dict)
    values: dict[str, dict[int, float]] = field(default_factory=dict)


class History:
    """Feed it every record of one journal, in order. ``primaries``: benchmark to the name of its primary metric."""

    def __init__(self, spec: RunSpec, primaries: Mapping[str, str]) -> None:
        self._width = len(spec.combinations)
        self._warmups = {plan.name: plan.warmup for plan in spec.benchmarks}
        self._primaries = primaries
        self._of = {plan.name: _Benchmark() for plan in spec.benchmarks}

    def add_all(self, records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> int | None:
        """Take in a record; gives the block that it makes whole.

        A trial that is there twice counts once, as its last record says. Raises KeyError where a trial lacks a field.
        """
        name = record.get("benchmark")
        if record["type"] != "trial" or name not in self._of:
            return None
        mine, key = self._of[name], (int(record["block"]), str(record["combination"]))
        new = key not in mine.trials
        if new:
            mine.in_block[key[0]] = mine.in_block.get(key[0], 0) + 1
        mine.trials[key] = int(record["elapsed_ns"]) + int(record["cleanup_ns"])
        if key[0] >= self._warmups[name]:
            self._value(mine, key, self._primaries.get(name), record)
        return key[0] if new and mine.in_block[key[0]] == self._width else None

    def blocks(self, benchmark: str) -> int:
        """So many blocks are whole without a gap, from the first, warm-up included."""
        mine, block = self._of[benchmark], 0
        while mine.in_block.get(block) == self._width:
            block += 1
        return block

    def standing(self, benchmark: str) -> Standing:
        """Of its whole blocks alone: what is under way is not looked at."""
        mine, blocks = self._of[benchmark], self.blocks(benchmark)
        seconds = sum(took for (block, _), took in mine.trials.items() if block < blocks) / 1e9
        values = {
            name: {block: value for block, value in found.items() if block < blocks}
            for name, found in mine.values.items()
        }
        return Standing(blocks, seconds, values)

    def standings(self) -> dict[str, Standing]:
        return {name: self.standing(name) for name in self._of}

    def _value(
        self, mine: _Benchmark, key: tuple[int, str], primary: str | None, record: Mapping[str, Any]
    ) -> None:
        block, combination = key
        mine.values.setdefault(combination, {}).pop(block, None)
        for sample in record.get("samples") or ():
            if sample["metric"] == primary and sample.get("item") is None and record["status"] == "ok":
                mine.values[combination][block] = float(sample["value"])
