# SPDX-License-Identifier: Apache-2.0
"""The measuring of one trial: the benchmark's function, and what accompanies it (`ACCOMPANYING`). Nothing here cleans up."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from remote_agent.agent.spec import BenchmarkSpec
from remote_agent.benchmarks.bench import Bench
from remote_agent.benchmarks.reach import BenchError, Host, NotSupported, Spent, Usage
from remote_agent.contract.benchmark import Benchmark
from remote_agent.contract.journal import Sample
from remote_agent.cri.client import CriError

FAULTS = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a mistake in a benchmark's own code raises: its trial fails, the run goes on."""

FLOOR_CALLS = 5
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Measured:
    """``status``: ok, failed, unsupported; the last two have a reason and no samples."""

    status: str
    samples: tuple[Sample, ...]
    reason: str | None
    start_ns: int
    elapsed_ns: int


def measure(item: BenchmarkSpec, host: Host) -> Measured:
    """Run the benchmark's function, the garbage collector switched off. Raises Cancelled."""
    benchmark = item.benchmark
    bench = Bench(benchmark, item.all_params, host, time.monotonic_ns)
    status, reason = "ok", None
    gc.collect()
    gc.disable()
    start = time.monotonic_ns()
    try:
        floor = median(host.version() for _ in range(FLOOR_CALLS))
        before = host.spent()
        start = time.monotonic_ns()
        benchmark.function(bench)
        elapsed = time.monotonic_ns() - start
        _accompany(bench, floor, before, host.spent())
        status, reason = _lacks(benchmark, bench.samples)
    except NotSupported as error:
        status, reason = "unsupported", str(error)
    except (CriError, BenchError) as error:
        status, reason = "failed", str(error)
    except FAULTS as error:
        status, reason = "failed", f"{benchmark.name} itself is at fault: {type(error).__name__}: {error}"
    finally:
        gc.enable()
    if status != "ok":
        return Measured(status, (), reason, start, time.monotonic_ns() - start)
    return Measured(status, bench.samples, None, start, elapsed)


def failed(reason: str) -> Measured:
    """A trial that never came to its measuring."""
    return Measured("failed", (), reason, time.monotonic_ns(), 0)


def unsupported(reason: str) -> Measured:
    """A trial of what this host cannot do."""
    return Measured("unsupported", (), reason, time.monotonic_ns(), 0)


def _accompany(bench: Bench, floor_ns: float, before: Spent, after: Spent) -> None:
    bench.sample("Floor", floor_ns / 1e6)
    for metric, value in (*_spent(before, after), *_held(bench.usage)):
        bench.sample(metric, value)


def _spent(before: Spent, after: Spent) -> Iterator[tuple[str, float]]:
    """What the host tells; it may tell less."""
    for metric, start, end in (
        ("DaemonCPU", before.daemon_ns, after.daemon_ns),
        ("ServiceCPU", before.service_ns, after.service_ns),
    ):
        if start is not None and end is not None:
            yield metric, (end - start) / 1e9


def _held(amid: Usage | None) -> Iterator[tuple[str, float]]:
    """What the benchmark saw while its pods were there."""
    if amid is None:
        return
    for metric, value, unit in (
        ("DaemonPSS", amid.daemon_bytes, MIB),
        ("ShimPSS", amid.shim_bytes, MIB),
        ("ShimCPU", amid.shim_cpu_ns, 10**9),
    ):
        if value is not None:
            yield metric, value / unit


def _lacks(benchmark: Benchmark, samples: tuple[Sample, ...]) -> tuple[str, str | None]:
    if any(sample.metric == benchmark.primary for sample in samples):
        return "ok", None
    return "failed", f"{benchmark.name} recorded no {benchmark.primary}, its primary metric."
