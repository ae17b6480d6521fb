# SPDX-License-Identifier: Apache-2.0
"""The relations that readers of runs are given: what their columns are called, hold and mean.

One definition serves all of them: the views of `labctl query`, the file of `labctl report --parquet`, and the published schema of a
sample. A column's ``type`` is DuckDB's. What is missing is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """``missing``: in a sample it may be."""

    name: str
    type: str
    meaning: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """``meaning``: what one row is."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    def table(self) -> str:
        """The statement that makes an empty table of it."""
        columns = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        return f"CREATE TABLE {self.name} ({columns})"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


RUN = Column("run", "VARCHAR", "the run's id")
HOST = Column("host", "VARCHAR", "the host's name")
MACHINE = Column("machine", "VARCHAR", "what the host stands on; statistics count machines")
BENCHMARK = Column("benchmark", "VARCHAR", "context.component.facet")
STACK = (
    Column("combination", "VARCHAR", "cri/oci"),
    Column("cri", "VARCHAR", "the CRI runtime: containerd, crio"),
    Column("oci", "VARCHAR", "the OCI handler: runc, crun, runsc, ..."),
    Column("is_baseline", "BOOLEAN", "the run's ratios are to this combination"),
)
METRIC = (
    Column("metric", "VARCHAR", "the metric's name"),
    Column("unit", "VARCHAR", "the metric's unit"),
    Column("better", "VARCHAR", "lower or higher"),
    Column("is_primary", "BOOLEAN", "verdicts are about this metric of the benchmark"),
)
SUITE = (
    Column("suite", "VARCHAR", "the suite's name"),
    Column("profile", "VARCHAR", "the size of the work: thesis or quick"),
)
TRIAL = (
    Column("block", "INTEGER", "the block's number in its run, from 0, warm-up first"),
    Column("number", "INTEGER", "the same, over all runs of the host that a report joins"),
    Column("position", "INTEGER", "the trial's place in its block, from 0"),
    Column("attempt", "INTEGER", "above 1: the trial was redone"),
    Column("warmup", "BOOLEAN", "of a warm-up block, which no estimate counts"),
    Column("contaminated", "BOOLEAN", "of a block with something else at work; estimates count it"),
    Column("status", "VARCHAR", "ok, failed or unsupported; estimates count ok"),
)
TIMES = (
    Column("start_ns", "BIGINT", "the trial's start on the host's monotonic clock", True),
    Column("elapsed_ns", "BIGINT", "how long the trial took, without its clean-up", True),
)
INTERVAL = (
    Column("low", "DOUBLE", "where the 95 % interval begins"),
    Column("high", "DOUBLE", "where it ends"),
)
RATIO = Column("ratio", "DOUBLE", "combination to baseline; above 1 is worse")
REASON = Column("reason", "VARCHAR", "why something is missing")

SAMPLES = Relation(
    "samples",
    "one value that a trial recorded",
    (
        *(RUN, *SUITE, HOST, MACHINE, BENCHMARK, *STACK, *TRIAL, *METRIC),
        Column(
            "item",
            "INTEGER",
            "which pod, call or step of the trial, from 0; NULL: the trial as a whole",
            True,
        ),
        Column("value", "DOUBLE", "in the metric's unit"),
        *TIMES,
    ),
)
TRIALS = Relation(
    "trials",
    "one combination in one block, also where it failed",
    (
        *(RUN, *SUITE, HOST, MACHINE, BENCHMARK, *STACK, *TRIAL),
        Column("reason", "VARCHAR", "why it failed or is not supported"),
        *TIMES,
        Column("cleanup_ns", "BIGINT", "how long its clean-up took"),
        Column("leaks", "INTEGER", "how many things it left behind"),
    ),
)
RUNS = Relation(
    "runs",
    "one execution of a suite on hosts",
    (
        *(RUN, *SUITE),
        Column("created", "TIMESTAMP", "when it was decided, UTC"),
        Column("status", "VARCHAR", "running, complete, failed, cancelled"),
        Column("inventory", "VARCHAR", "the inventory's file"),
        Column("baseline", "VARCHAR", "the combination that ratios are to"),
        Column("combinations", "INTEGER", "how many are compared"),
        Column("benchmarks", "INTEGER", "how many it has"),
        Column("hosts", "INTEGER", "how many it has"),
        Column("trials", "INTEGER", "how many ended, warm-up included"),
        Column("failed", "INTEGER", "how many of these failed"),
        Column("seed", "BIGINT", "of the blocks' orders"),
        Column("labctl_version", "VARCHAR", "which labctl decided it"),
    ),
)
HOSTS = Relation(
    "hosts",
    "one host of one run",
    (
        *(RUN, HOST, MACHINE),
        Column("ended", "VARCHAR", "how its journal closed; NULL: it is open"),
        Column("starts", "INTEGER", "how often the agent started"),
        Column("agent", "VARCHAR", "the agent's version"),
        Column("cpu", "VARCHAR", "the CPU's model"),
        Column("cpus", "INTEGER", "how many"),
        Column("memory_kb", "BIGINT", "all of it"),
        Column("kernel", "VARCHAR", "its release"),
        Column("system", "VARCHAR", "the operating system"),
        Column("virtualisation", "VARCHAR", "what systemd-detect-virt says"),
        Column("cgroup", "VARCHAR", "the control groups' version"),
        Column("imported", "VARCHAR", "the tool that measured, '' where it was labctl"),
        Column("components", "JSON", "what it ran: version, source and key of each component"),
        Column("facts", "JSON", "the whole fingerprint before the run: facts->>'$.kernel.cmdline'"),
    ),
)
CELLS = Relation(
    "cells",
    "host x combination x metric: the median of its counted trials",
    (
        *(RUN, *SUITE, HOST, MACHINE, BENCHMARK, *STACK, *METRIC),
        Column("asked", "INTEGER", "how many trials were to count"),
        Column("n", "INTEGER", "how many did"),
        Column("median", "DOUBLE", "in the metric's unit"),
        *INTERVAL,
        Column("mean", "DOUBLE", "shown, and never the ground of a claim"),
        Column("minimum", "DOUBLE", "the least value"),
        Column("maximum", "DOUBLE", "the greatest value"),
        Column("p95", "DOUBLE", "NULL below 20 values"),
        Column("p99", "DOUBLE", "NULL below 100 values"),
        REASON,
    ),
)
PAIRS = Relation(
    "pairs",
    "a combination against the baseline on one host, paired by block",
    (
        *(RUN, *SUITE, HOST, MACHINE, BENCHMARK, *STACK, *METRIC),
        Column("baseline", "VARCHAR", "the other combination"),
        Column("pairs", "INTEGER", "how many blocks have both"),
        RATIO,
        *INTERVAL,
        Column("p", "DOUBLE", "of no difference, for this pair alone"),
        Column("adjusted", "DOUBLE", "p, corrected for the number of comparisons"),
        REASON,
    ),
)
VERDICTS = Relation(
    "verdicts",
    "what may be said of two combinations",
    (
        *(RUN, *SUITE),
        Column("kind", "VARCHAR", "different, negligible, equivalent, probable, undecided, ..."),
        Column("scope", "VARCHAR", "host, each machine or fleet"),
        Column("host", "VARCHAR", "the host's name; NULL: of several machines"),
        *(BENCHMARK, Column("metric", "VARCHAR", "the benchmark's primary metric")),
        Column("combination", "VARCHAR", "cri/oci"),
        Column("baseline", "VARCHAR", "the other combination"),
        Column("units", "INTEGER", "pairs on a host, machines in a fleet"),
        RATIO,
        *INTERVAL,
        Column("claim_low", "DOUBLE", "where the claim's own interval begins; NULL: nothing is claimed"),
        Column("claim_high", "DOUBLE", "where it ends"),
        Column("adjusted", "DOUBLE", "p, corrected for the number of comparisons"),
        Column("sentence", "VARCHAR", "what may be said, and no more"),
    ),
)
RANKINGS = Relation(
    "rankings",
    "which combination comes first in a benchmark",
    (
        *(RUN, *SUITE),
        Column(
            "kind", "VARCHAR", "first: it beats all others; among the first: nobody is shown to beat them"
        ),
        Column("scope", "VARCHAR", "host, each machine or fleet"),
        Column("host", "VARCHAR", "the host's name; NULL: of several machines"),
        *(BENCHMARK, Column("metric", "VARCHAR", "the benchmark's primary metric")),
        Column("best", "VARCHAR", "fastest, highest, smallest or lowest"),
        Column("combination", "VARCHAR", "cri/oci; of several that are among the first, a row each"),
        Column("entered", "INTEGER", "how many combinations were compared"),
        Column("comparisons", "INTEGER", "over how many pairs p was corrected"),
        Column("sentence", "VARCHAR", "what may be said, and no more"),
    ),
)
ALL = (RUNS, HOSTS, TRIALS, SAMPLES, CELLS, PAIRS, VERDICTS, RANKINGS)


def structure(columns: Sequence[Column]) -> dict[str, str]:
    """As DuckDB's from_json wants it: the type of each column by its name."""
    return {column.name: column.type for column in columns}
