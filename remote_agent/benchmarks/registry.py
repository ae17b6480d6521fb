# SPDX-License-Identifier: Apache-2.0
"""Every benchmark there is, by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from remote_agent.benchmarks import (
    concurrent,
    containers,
    images,
    limits,
    logs,
    operations,
    performance,
    population,
    sandbox,
    scalability,
    waterfall,
)
from remote_agent.contract.benchmark import Benchmark

NUMBER = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Family:
    """Benchmarks named ``PREFIX.N``; the catalogue has the ``usual`` ones."""

    prefix: str
    make: Callable[[int], Benchmark]
    usual: tuple[int, ...]

    def find(self, name: str) -> Benchmark | None:
        prefix, _, number = name.rpartition(".")
        return self.make(int(number)) if prefix == self.prefix and NUMBER.fullmatch(number) else None


OPERATIONS = (
    operations.LIFECYCLE,
    containers.EXEC,
    containers.STATUS,
    containers.STATS,
    containers.UPDATE,
    containers.PAUSE,
    waterfall.WATERFALL,
    logs.LOGS,
    logs.REOPEN,
    sandbox.LIFECYCLE,
    images.PULL,
    images.LIST,
    images.REMOVE,
)
FAMILIES = (
    Family("scalability.runtime", scalability.runtime, scalability.USUAL),
    Family("scalability.concurrent", concurrent.concurrent, concurrent.USUAL),
    Family("scalability.churn", population.churn, population.CHURN),
    Family("scalability.density", population.density, population.DENSITY),
)


def catalogue() -> tuple[Benchmark, ...]:
    """What `labctl list` shows. Of a family (scalability.runtime.N) the usual members; `find` knows the others."""
    return (
        *performance.ALL,
        *OPERATIONS,
        *(family.make(number) for family in FAMILIES for number in family.usual),
        *limits.ALL,
    )


def find(name: str) -> Benchmark:
    """The benchmark of that name. Raises KeyError."""
    for benchmark in (*performance.ALL, *OPERATIONS, *limits.ALL):
        if benchmark.name == name:
            return benchmark
    for family in FAMILIES:
        if (member := family.find(name)) is not None:
            return member
    raise KeyError(name)
