# SPDX-License-Identifier: Apache-2.0
"""A million samples from journals to a report: `python perf/merge.py [--samples N] [--hosts N] [--shape wide|deep] [--rounds N]`.

Makes journals in the agents' own format, the same ones each time: several hosts, six combinations, accompanying metrics, a few
contaminated blocks and failed trials. Then runs the real `labctl report` on them, as a process of its own and from nothing
but run.json and journals, and prints wall time, CPU time and peak memory (the largest process below it, by getrusage). The
bounds are 10 s and 1 GB for a million samples; below them it exits with 0, else with 1.

wide: hundreds of blocks of benchmarks with many samples a trial; deep: thousands of blocks of one benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from remote_agent.benchmarks.operations import COMPOSED
from remote_agent.contract.journal import SCHEMA

CRIS, HANDLERS = ("containerd", "crio"), ("runc", "crun", "runsc")
COMBINATIONS = tuple(Combination(cri, handler) for cri in CRIS for handler in HANDLERS)
CALLS = {
    name: 0.01 * (position + 1)
    for position, name in enumerate(
        dict.fromkeys(call for calls in COMPOSED.values() for call in calls),
    )
}
BESIDE = {"Floor": ("s", 0.0004), "DaemonCPU": ("s", 0.05), "DaemonPSS": ("bytes", 6e7), "ShimPSS": ("bytes", 9e6),
          "ServiceCPU": ("s", 0.02)}  # fmt: skip
LIFECYCLE, PODS = "operations.container.lifecycle", "scalability.runtime."
SHAPES = {"wide": (LIFECYCLE, f"{PODS}5", f"{PODS}50"), "deep": (LIFECYCLE,)}
SECONDS, BYTES = 10.0, 1 << 30


def samples_of(benchmark: str, slow: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    """What one trial records."""
    if benchmark == LIFECYCLE:
        calls = {
            name: value * slow * float(np.exp(0.06 * rng.standard_normal())) for name, value in CALLS.items()
        }
        composed = {name: sum(calls[part] for part in parts) for name, parts in COMPOSED.items()}
        found = [sample(name, value) for name, value in {**composed, **calls}.items()]
    else:
        pods = int(benchmark.removeprefix(PODS))
        starts, stops = 0.1 * slow * np.exp(0.06 * rng.standard_normal((2, pods)))
        found = [sample("TotalTime", float(starts.sum()))]
        found.append(sample("TotalWithDestruction", float(starts.sum() + stops.sum())))
        found += [sample("PodStart", float(value), item=item) for item, value in enumerate(starts)]
        found += [sample("PodDestroy", float(value), item=item) for item, value in enumerate(stops)]
    noise = np.exp(0.1 * rng.standard_normal(len(BESIDE)))
    found += [
        sample(name, size * float(n), unit)
        for (name, (unit, size)), n in zip(BESIDE.items(), noise, strict=True)
    ]
    return found


def sample(metric: str, value: float, unit: str = "s", item: int | None = None) -> dict[str, Any]:
    return {"metric": metric, "value": value, "unit": unit, "item": item}


def a_trial(benchmark: str) -> int:
    """How many samples a trial of it has."""
    return len(samples_of(benchmark, 1.0, np.random.default_rng(0)))


def journal(spec: RunSpec, host: RunHost, seed: int) -> Iterator[dict[str, Any]]:
    """The records of one host."""
    rng, clock = np.random.default_rng(seed), 1_000_000_000_000
    facts = {"cpu": {"count": 4, "model": "synthetic"}, "kernel": {"clocksource": "tsc", "release": "6.12"}}
    yield entry(
        "run",
        run=spec.id,
        host=host.name,
        seed=seed,
        agent="synthetic",
        boot_id="b",
        time=spec.created,
        spec={},
    )
    yield entry("fingerprint", when="before", facts=facts)
    for plan in spec.benchmarks:
        for block in range(plan.warmup + plan.blocks):
            order = [COMBINATIONS[i].name for i in rng.permutation(len(COMBINATIONS))]
            yield entry("block", benchmark=plan.name, block=block, warmup=block < plan.warmup, order=order)
            for position, combination in enumerate(order):
                key = {"benchmark": plan.name, "block": block, "position": position, "combination": combination,
                       "attempt": 1}  # fmt: skip
                yield entry("trial_started", **key)
                failed = block % 97 == 96 and position == 0
                slow = 1 + 0.1 * COMBINATIONS.index(Combination(*combination.split("/")))
                yield entry("trial", **key, warmup=block < plan.warmup, status="failed" if failed else "ok",
                            reason="StartContainer: deadline exceeded" if failed else None,
                            samples=[] if failed else samples_of(plan.name, slow, rng), start_ns=clock,
                            elapsed_ns=150_000_000, cleanup_ns=20_000_000, leaks=[])  # fmt: skip
                clock += 170_000_000
            yield entry("block_ended", benchmark=plan.name, block=block, noise=noise(block, rng))
    yield entry("fingerprint", when="after", facts=facts)
    yield entry("ended", status="complete", time=spec.created)


def noise(block: int, rng: np.random.Generator) -> dict[str, Any]:
    """Counters in which every fiftieth block was disturbed."""
    stolen = 0.2 if block % 50 == 49 else 0.0
    return {"steal_s": stolen, "cpu_s": 4.0, "idle_s": 2.0 + 0.1 * float(rng.standard_normal()), "throttled": None,
            "ctxt": 12345, "forks": 300, "psi_cpu_some_s": 0.1, "psi_io_some_s": 0.05, "psi_memory_some_s": 0.0,
            "clock_step_s": 0.0, "loadavg": {"before": [0.1, 0.1, 0.1], "after": [0.3, 0.1, 0.1]},
            "missing": {"throttled": "no CPU counts it"}}  # fmt: skip


def entry(kind: str, **fields: Any) -> dict[str, Any]:
    return {"v": SCHEMA, "type": kind, **fields}


def write_run(root: Path, shape: str, hosts: int, samples: int) -> tuple[Path, int]:
    """A run's folder of about ``samples`` samples, the same share for each benchmark; and how many they are."""
    names = SHAPES[shape]
    blocks = {
        name: max(8, samples // (len(names) * hosts * len(COMBINATIONS) * a_trial(name))) for name in names
    }
    spec = RunSpec(
        id=f"20260102-030405-{shape}",
        suite=shape,
        inventory="inventories/synthetic.yaml",
        created="2026-01-02T03:04:05+00:00",
        seed=7,
        hosts=tuple(RunHost(f"h{i + 1}", f"m{i + 1}") for i in range(hosts)),
        combinations=COMBINATIONS,
        benchmarks=tuple(BenchmarkPlan(name, count) for name, count in blocks.items()),
        baseline=COMBINATIONS[0].name,
        labctl_version="0",
    )
    folder, written = root / "runs" / spec.id, 0
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(asdict(spec)) + "\n")
    for number, host in enumerate(spec.hosts):
        path = folder / "hosts" / host.name / "journal.jsonl"
        path.parent.mkdir(parents=True)
        with path.open("w") as stream:
            for record in journal(spec, host, number):
                written += len(record.get("samples", ()))
                stream.write(json.dumps(record, separators=(",", ":")) + "\n")
    return folder, written


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one `labctl report` with all its processes: wall and CPU seconds, and the peak bytes of the largest of them."""

    wall: float
    cpu: float
    peak: int


def measured(folder: Path) -> Cost:
    """What a report costs from nothing but run.json and the journals."""
    for path in folder.glob("*.parquet"):
        path.unlink()
    (folder / "estimates.json").unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "orchestrator.cli.main",
        "report",
        folder.name,
        "--root",
        str(folder.parent),
    ]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, after.ru_maxrss * 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--shape", choices=[*SHAPES, "both"], default="both")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    fine = True
    print(f"{'shape':6} {'samples':>10} {'journals':>9} {'page':>8} {'median':>8} {'worst':>8} {'CPU':>8} {'peak':>8}   "
          f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for shape in SHAPES if wanted.shape == "both" else [wanted.shape]:
        with tempfile.TemporaryDirectory(prefix="labctl-perf-") as scratch:
            folder, samples = write_run(Path(scratch), shape, wanted.hosts, wanted.samples)
            costs = [measured(folder) for _ in range(wanted.rounds)]
            worst, peak = max(cost.wall for cost in costs), max(cost.peak for cost in costs)
            size = sum(path.stat().st_size for path in folder.glob("hosts/*/*.jsonl")) / 1e6
            page = (folder / "report.html").stat().st_size / 1e6
            middle = statistics.median(cost.wall for cost in costs)
            busy = statistics.median(cost.cpu for cost in costs)
            print(
                f"{shape:6} {samples:10,} {size:6.0f} MB {page:5.1f} MB {middle:6.2f} s {worst:6.2f} s {busy:6.2f} s {peak / 1e6:5.0f} MB"
            )
            fine &= worst < SECONDS and peak < BYTES
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
