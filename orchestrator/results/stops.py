# SPDX-License-Identifier: Apache-2.0
"""Why each benchmark ended where it did on each host: the very rule that the conductor used, asked of the merged journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from orchestrator.model.errors import ResultError
from orchestrator.model.estimates import Stop
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import Series
from orchestrator.model.stopping import Standing
from orchestrator.results.merge import TRIALS
from orchestrator.stats.stopping import goal
from remote_agent.contract.benchmark import Metric

BLOCKS = """
    SELECT host, benchmark, block, count(*), sum(elapsed_ns + cleanup_ns)::BIGINT
    FROM read_parquet(?) GROUP BY host, benchmark, block ORDER BY host, benchmark, block
"""
Standings = Mapping[str, Mapping[str, Standing]]
"""Host to benchmark to where it stands."""


def stops(spec: RunSpec, standings: Standings) -> tuple[Stop, ...]:
    """One a host and benchmark, in the run's order."""
    found: list[Stop] = []
    for host in spec.hosts:
        there = standings.get(host.name, {})
        halts = goal(spec, there).halts
        for plan in spec.benchmarks:
            counted = max(0, there.get(plan.name, Standing()).blocks - plan.warmup)
            halt = halts.get(plan.name)
            reason, reached = (halt.reason, halt.reached) if halt else (None, None)
            found.append(Stop(host.name, plan.name, counted, reason, reached))
    return tuple(found)


def read_standings(
    folder: Path, spec: RunSpec, series: Sequence[Series], primaries: Mapping[str, Metric]
) -> Standings:
    """Of the whole blocks below the run's ``folder``, as the conductor counts them. Raises ResultError."""
    width, taken = len(spec.combinations), dict[tuple[str, str], list[int]]()
    primary = _of_primaries(series, primaries)
    for host, benchmark, block, trials, nanoseconds in _rows(folder / TRIALS):
        taken.setdefault((host, benchmark), [])
        if trials == width and block == len(taken[host, benchmark]):
            taken[host, benchmark].append(nanoseconds)
    found: dict[str, dict[str, Standing]] = {}
    for (host, benchmark), spans in taken.items():
        values = _values(primary.get((host, benchmark), ()), len(spans))
        found.setdefault(host, {})[benchmark] = Standing(len(spans), sum(spans) / 1e9, values)
    return found


def _of_primaries(
    series: Sequence[Series], primaries: Mapping[str, Metric]
) -> Mapping[tuple[str, str], list[Series]]:
    """Those of each host and benchmark, found in one look: of sixty hosts there are tens of thousands."""
    found: dict[tuple[str, str], list[Series]] = {}
    for one in series:
        metric = primaries.get(one.benchmark)
        if metric is not None and one.metric == metric.name:
            found.setdefault((one.host, one.benchmark), []).append(one)
    return found


def _values(series: Sequence[Series], blocks: int) -> dict[str, dict[int, float]]:
    return {
        one.combination: {
            block: value
            for block, value, warmup in zip(
                one.blocks.tolist(), one.values.tolist(), one.warmup.tolist(), strict=True
            )
            if not warmup and block < blocks
        }
        for one in series
    }


def _rows(path: Path) -> list[tuple[str, str, int, int, int]]:
    try:
        with duckdb.connect(config={"threads": 1}) as database:
            return database.execute(BLOCKS, [str(path)]).fetchall()
    except duckdb.Error as error:
        raise ResultError(
            f"{path}: {str(error).splitlines()[0]}", "`labctl report` merges the journals again."
        ) from error
