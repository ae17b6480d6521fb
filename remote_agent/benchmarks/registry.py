# SPDX-License-Identifier: Apache-2.0
"""Every benchmark there is, by name."""

from __future__ import annotations

from remote_agent.benchmarks import limits, operations, performance, scalability
from remote_agent.contract.benchmark import Benchmark


def catalogue() -> tuple[Benchmark, ...]:
    """What `labctl list` shows. Of a family (scalability.runtime.N) the usual members; `find` knows the others."""
    return (
        *performance.ALL,
        operations.LIFECYCLE,
        *(scalability.runtime(pods) for pods in scalability.USUAL),
        *limits.ALL,
    )


def find(name: str) -> Benchmark:
    """The benchmark of that name. Raises KeyError."""
    for benchmark in catalogue():
        if benchmark.name == name:
            return benchmark
    if match := scalability.NAME.fullmatch(name):
        return scalability.runtime(int(match[1]))
    raise KeyError(name)
