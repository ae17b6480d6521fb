# SPDX-License-Identifier: Apache-2.0
"""A suite's wall time beside the bare CRI calls: `python perf/suite.py [INVENTORY] [--runs N] [--rounds N]`.

labctl executes operations.container.lifecycle with containerd and runc, 20 runs, taking turns with perf/bare.py: one process on
the same host that does the same calls with the agent's own client, and waits for the container as it does. The sum of labctl's
trials may be at most 1.03 times the bare runs' (the median of rounds). Clean-up and audit are not in it and stand apart, and
so does the whole of either, from its first counted run to the end of its last.

Then sysbench for 50 ms of work in a container (performance.cpu.time): at most 0.3 s a trial, its pod and all its calls in it.

Exits with 1 where a bound is missed. The host is the inventory's first, up and provisioned.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from onhost import OnHost, counted, middle

from orchestrator.runs.deploy import BASE
from remote_agent.benchmarks.operations import LIFECYCLE
from remote_agent.benchmarks.performance import CPU_TIME

HERE = Path(__file__).resolve().parent
SOCKET = "/run/containerd/containerd.sock"
HANDLER = "runc"
BOUND = 1.03
WORK_S, TRIAL_S = 0.05, 0.3
FEW = 20
"""Events of sysbench in the run that learns how long one takes here."""


@dataclass(frozen=True, slots=True)
class Round:
    """Of one round, all in ms a trial: labctl's trial, its clean-up, the time from one trial to the next without either
    (audit, floor, journal, counters); the bare run, the audit by itself.
    """

    trial: float
    cleanup: float
    between: float
    bare: float
    audit: float
    whole_s: float
    """labctl's run from its first counted trial to the end of the last one, in seconds."""
    bare_whole_s: float

    @property
    def ratio(self) -> float:
        return self.trial / self.bare


def suite(benchmark: str, runs: int, **params: Any) -> dict[str, Any]:
    benchmarks = {benchmark: {"blocks": runs, "params": params}}
    return {"cri": ["containerd"], "oci": [HANDLER], "benchmarks": benchmarks}


def bare(host: OnHost, runs: int) -> dict[str, Any]:
    """What perf/bare.py says on the host; the agent must have been there (a run brings it)."""
    words = shlex.join(["python3", "-P", "-s", "-", host.name, SOCKET, HANDLER, str(runs)])
    path = f"here=$(readlink -f {BASE}/current); PYTHONPATH=$here:$here/wheels"
    return dict(json.loads(host.shell(f"{path} {words}", (HERE / "bare.py").read_bytes())))


def a_round(host: OnHost, runs: int, ours_first: bool) -> Round:
    told = {} if ours_first else bare(host, runs)
    trials = counted(host.trials(suite(LIFECYCLE.name, runs)), LIFECYCLE.name)
    told = told or bare(host, runs)
    gaps = [
        after.start_ns - (before.start_ns + before.elapsed_ns + before.cleanup_ns)
        for before, after in pairwise(trials)
    ]
    last = trials[-1]
    return Round(
        trial=_mean(trial.elapsed_ns for trial in trials),
        cleanup=_mean(trial.cleanup_ns for trial in trials),
        between=_mean(gaps),
        bare=_mean(told["runs"]),
        audit=_mean(told["audits"]),
        whole_s=(last.start_ns + last.elapsed_ns + last.cleanup_ns - trials[0].start_ns) / 1e9,
        bare_whole_s=told["wall"] / 1e9,
    )


def _mean(nanoseconds: Iterable[int]) -> float:
    """In ms."""
    return statistics.fmean(nanoseconds) / 1e6


def show(rounds: Sequence[Round], runs: int) -> bool:
    """Print the rounds; whether the median of their ratios is within the bound."""
    print(f"{LIFECYCLE.name}, containerd/{HANDLER}, {runs} runs a round; ms a trial (means)")
    print(
        f"{'':8}{'bare':>8} {'trial':>8} {'ratio':>7}   apart: {'clean-up':>8} {'between':>8}   whole: {'bare':>8} {'labctl':>8}"
    )
    for number, one in enumerate(rounds, 1):
        print(f"round {number:2}{one.bare:8.1f} {one.trial:8.1f} {one.ratio:7.3f}          {one.cleanup:8.1f} "
              f"{one.between:8.1f}          {one.bare_whole_s:6.1f} s {one.whole_s:6.1f} s")  # fmt: skip
    ratio = statistics.median(one.ratio for one in rounds)
    audit = statistics.median(one.audit for one in rounds)
    print(
        f"between: audit, floor, counters and journal; the audit by itself, where nothing is left: {audit:.1f} ms"
    )
    return verdict(f"ratio, median of {len(rounds)} rounds", ratio, BOUND, "x")


def verdict(what: str, value: float, bound: float, unit: str) -> bool:
    within = value <= bound
    print(f"{what}: {value:.3f} {unit} (bound {bound:g} {unit}): {'within' if within else 'MISSED'}")
    return within


def sysbench(host: OnHost, runs: int) -> bool:
    """50 ms of work, as many events as that is on this host."""
    first = counted(host.trials(suite(CPU_TIME.name, 3, events=FEW)), CPU_TIME.name)
    events = max(1, round(FEW * WORK_S / middle(first, CPU_TIME.primary)))
    trials = counted(host.trials(suite(CPU_TIME.name, runs, events=events)), CPU_TIME.name)
    cleanup = statistics.median(trial.cleanup_ns for trial in trials) / 1e6
    work = 1e3 * middle(trials, CPU_TIME.primary)
    print(f"{CPU_TIME.name}, {events} events: {work:.1f} ms of work (median of {runs}); "
          f"clean-up apart: {cleanup:.1f} ms")  # fmt: skip
    return verdict(
        "a trial, median", statistics.median(trial.elapsed_ns for trial in trials) / 1e9, TRIAL_S, "s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inventory", nargs="?", type=Path, default=Path("inventories/lab.yaml"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    wanted = parser.parse_args()
    if wanted.runs < 2 or wanted.rounds < 1:
        parser.error("it takes at least two runs, and a round")
    host = OnHost.first(wanted.inventory)
    host.trials(suite(LIFECYCLE.name, 1))  # brings the agent, and warms host and runtime up
    rounds = [a_round(host, wanted.runs, number % 2 == 0) for number in range(wanted.rounds)]
    print(f"on {host.name}, load {os.getloadavg()[0]:.1f}")
    fine = show(rounds, wanted.runs)
    return 0 if sysbench(host, wanted.runs) and fine else 1


if __name__ == "__main__":
    sys.exit(main())
