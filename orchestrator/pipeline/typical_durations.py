# SPDX-License-Identifier: Apache-2.0
"""What trials take on a machine of a known kind: for a lab that has not executed a benchmark yet.

`suites/typical-durations.json` comes with labctl; `tools/typical_durations.py` writes it from the journals of runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.files import write_text
from orchestrator.model.errors import ConfigError
from orchestrator.model.run import BenchmarkPlan
from orchestrator.shipped import shipped
from remote_agent.benchmarks.registry import find

FILE = "suites/typical-durations.json"
_VIRTUAL = {True: "a virtual machine", False: "a physical machine", None: "a machine"}


@dataclass(frozen=True, slots=True)
class MachineKind:
    """Where the durations come from. ``host`` is what systemd-detect-virt says on the hosts: none, kvm, systemd-nspawn.

    ``virtual`` is None where nothing shows it; ``date`` is that of the newest run, YYYY-MM-DD.
    """

    cpu: str
    cpus: int
    virtual: bool | None
    host: str
    date: str

    def __str__(self) -> str:
        """``a virtual machine with 2 CPUs (AMD EPYC, 2026-11-30)``"""
        cpus = f"{self.cpus} CPU{'s' * (self.cpus != 1)}"
        return f"{_VIRTUAL[self.virtual]} with {cpus} ({self.cpu}, {self.date})"


@dataclass(frozen=True, slots=True)
class TypicalBenchmark:
    """A benchmark with all its ``params``, and the ``seconds`` of a trial with its clean-up, by combination."""

    name: str
    params: Mapping[str, Any]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TypicalDurations:
    """The content of the file."""

    machine: MachineKind
    benchmarks: tuple[TypicalBenchmark, ...]

    def seconds(self, plan: BenchmarkPlan, combination: str) -> float | None:
        """Return what a trial takes; of a combination that is not known, what the slowest known one takes."""
        params = all_params(plan)
        for benchmark in self.benchmarks:
            if benchmark.name == plan.name and dict(benchmark.params) == params:
                return benchmark.seconds.get(combination, max(benchmark.seconds.values()))
        return None


def all_params(plan: BenchmarkPlan) -> dict[str, Any]:
    """Return the plan's parameters over the benchmark's defaults, as JSON has them: a default may change with a release."""
    try:
        defaults = find(plan.name).params
    except KeyError:
        defaults = {}
    params: dict[str, Any] = json.loads(json.dumps({**defaults, **plan.params}))
    return params


def shipped_durations() -> TypicalDurations:
    """Return those that come with labctl. Raises ConfigError."""
    return read_durations(shipped() / FILE)


def read_durations(path: Path) -> TypicalDurations:
    """Raises ConfigError: the file is missing, or not what the tool writes."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        benchmarks = tuple(TypicalBenchmark(**entry) for entry in content["benchmarks"])
        if not all(benchmark.seconds for benchmark in benchmarks):
            raise ValueError("a benchmark without seconds")
        return TypicalDurations(MachineKind(**content["machine"]), benchmarks)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"no typical durations can be read ({error}).",
            file=path,
            hint="The file comes with labctl: install labctl again.",
        ) from error


def write_durations(path: Path, durations: TypicalDurations) -> None:
    """One line a benchmark, so that a change of one is seen as one. Raises OSError."""
    lines = ",\n".join(f"  {json.dumps(asdict(benchmark))}" for benchmark in durations.benchmarks)
    machine = json.dumps(asdict(durations.machine))
    write_text(path, f'{{\n "machine": {machine},\n "benchmarks": [\n{lines}\n ]\n}}\n')
