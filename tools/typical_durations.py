# SPDX-License-Identifier: Apache-2.0
"""Typical durations for `labctl run --dry-run`: `python tools/typical_durations.py RUN_FOLDER...` [--output FILE].

Writes suites/typical-durations.json from the journals of runs: of each benchmark, its parameters and each combination, the
median seconds of a trial with its clean-up, to three digits. Warm-up is left out, and so is every trial that is not "ok": what
is not supported here may be supported elsewhere, and then takes its time. All hosts must be of one kind of machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from statistics import median
from typing import Any

from orchestrator.model.errors import LabctlError, UsageError
from orchestrator.model.run import RunHost, RunSpec
from orchestrator.pipeline.trial_history import trial_seconds
from orchestrator.pipeline.typical_durations import (
    FILE,
    MachineKind,
    TypicalBenchmark,
    TypicalDurations,
    all_params,
    write_durations,
)
from orchestrator.results.identity import CONTAINERS
from orchestrator.results.journals import read_journal
from orchestrator.results.store import RunFolder

Params = str
"""A benchmark's parameters as JSON, sorted by name."""
Seconds = dict[tuple[str, Params], dict[str, list[float]]]
"""Benchmark and parameters to combination to the seconds of its trials."""


@dataclass(frozen=True, slots=True)
class HostTrials:
    """What one host's journal tells."""

    place: str
    machine: MachineKind
    seconds: Seconds


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("--output", type=Path, default=Path(FILE))
    options = parser.parse_args(arguments)
    try:
        durations = typical_durations(options.runs)
        write_durations(options.output, durations)
    except (LabctlError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code if isinstance(error, LabctlError) else 1
    sys.stdout.write(f"{options.output}: {len(durations.benchmarks)} entries, on {durations.machine}\n")
    return 0


def typical_durations(runs: Sequence[Path]) -> TypicalDurations:
    """Raises UsageError: no trial, or several kinds of machine; ResultError: a run cannot be read."""
    hosts = [host for run in runs for host in read_hosts(RunFolder(run))]
    seconds: Seconds = {}
    for host in hosts:
        for key, combinations in host.seconds.items():
            for combination, each in combinations.items():
                seconds.setdefault(key, {}).setdefault(combination, []).extend(each)
    if not seconds:
        raise UsageError(
            f"{', '.join(map(str, runs))}: no trial has succeeded.", "Name runs that have ended."
        )
    benchmarks = (
        TypicalBenchmark(name, json.loads(params), _medians(combinations))
        for (name, params), combinations in sorted(seconds.items())
    )
    return TypicalDurations(reduce(_same_kind, hosts).machine, tuple(benchmarks))


def read_hosts(folder: RunFolder) -> Iterator[HostTrials]:
    """Yield each host that has a journal with a fingerprint; others are named on standard error."""
    spec = folder.read_spec()
    for host in spec.hosts:
        path = folder.journal(host.name)
        record = read_journal(path, host, spec.id).record if path.exists() and not host.imported else None
        if record is None or not record.facts:
            sys.stderr.write(
                f"{folder.path}: {host.name} has no journal with a fingerprint, and is left out.\n"
            )
            continue
        stolen = (record.noise.get("steal_s") or 0.0) > 0
        yield HostTrials(
            f"{folder.id}, {host.name}",
            machine_kind(record.facts, stolen, spec.created[:10]),
            _seconds(folder, spec, host),
        )


def machine_kind(facts: Mapping[str, Any], stolen: bool, date: str) -> MachineKind:
    """Describe the machine by a host's fingerprint. ``stolen``: a hypervisor gave CPU time of its to other guests."""
    cpu, kind = facts.get("cpu") or {}, (facts.get("virtualisation") or {}).get("kind")
    disks = (facts.get("storage") or {}).get("disks") or {}
    if kind in CONTAINERS or kind is None:
        virtual = True if stolen or any(name.startswith(("vd", "xvd")) for name in disks) else None
    else:
        virtual = kind != "none"
    return MachineKind(
        str(cpu.get("model") or "unknown CPU"), int(cpu.get("count") or 0), virtual, str(kind or ""), date
    )


def _seconds(folder: RunFolder, spec: RunSpec, host: RunHost) -> Seconds:
    params = {plan.name: json.dumps(all_params(plan), sort_keys=True) for plan in spec.benchmarks}
    seconds: Seconds = {}
    for (name, combination), each in trial_seconds(folder.journal(host.name), params, ("ok",)).items():
        seconds.setdefault((name, params[name]), {})[combination] = each
    return seconds


def _same_kind(first: HostTrials, second: HostTrials) -> HostTrials:
    """The first with the newest date, and virtual where either shows it. Raises UsageError: two kinds of machine."""
    one, other = first.machine, second.machine
    if (one.cpu, one.cpus, one.host) != (other.cpu, other.cpus, other.host):
        raise UsageError(
            f"Two kinds of machine: {one} ({first.place}) and {other} ({second.place}).",
            "Name runs of one kind of machine.",
        )
    virtual = one.virtual if one.virtual is not None else other.virtual
    return replace(first, machine=replace(one, date=max(one.date, other.date), virtual=virtual))


def _medians(combinations: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: float(f"{median(each):.3g}") for name, each in sorted(combinations.items())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
