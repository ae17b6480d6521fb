# SPDX-License-Identifier: Apache-2.0
"""Several runs as one: what `labctl report RUN RUN...` means. Pure.

- The order in which the runs are named says nothing; they are taken in the order of their ids, which is that of their beginnings.
- The hosts of all runs stand side by side. Two hosts of one name on different machines stay two, by what their inventories say and by
  what they recorded of themselves (`orchestrator.results.naming`): runs of several controllers may be among them.
- A host that is in several runs is one host with more blocks. Its blocks stay apart by run: they are numbered on from run to run, so
  that a pair is only ever made within a block of one run, where both sides met the same machine. Warm-up stays warm-up in each run.
  What changed on the host between its first and its last run is said, like what changed during a run.
- Combinations and benchmarks are those of all runs. A host has cells for the benchmarks that a run of its own had, and no others.
- One benchmark with other parameters (another work size) in another run is another measurement: the runs are refused.
- All ratios are to the baseline of the first run. Where a run had another, that is said; it makes no difference to its samples.
- Imported results (`orchestrator.results.touchstone`) may be among them; they pair with nothing here either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.model.errors import UsageError
from orchestrator.model.estimates import Notice
from orchestrator.model.run import BenchmarkPlan, RunSpec
from orchestrator.results.identity import Identities
from orchestrator.results.naming import named


@dataclass(frozen=True, slots=True)
class Joined:
    """``spec`` describes all runs as one. ``names`` maps, by the id of a run, its hosts' names to those in ``spec``.

    ``asked`` is how many blocks of a benchmark a host was to do in all its runs; what it was not to do is not there.
    ``notices`` say which hosts were told apart, and which were taken for one.
    """

    spec: RunSpec
    names: dict[str, dict[str, str]]
    asked: dict[tuple[str, str], int]
    notices: tuple[Notice, ...] = ()


def join(specs: Sequence[RunSpec], identities: Identities | None = None) -> Joined:
    """Join at least one run; ``identities`` say which machines their hosts were.

    Raises UsageError: a benchmark has other parameters in another run.
    """
    runs = sorted(specs, key=lambda spec: spec.id)
    first, ids = runs[0], tuple(spec.id for spec in runs)
    told = named(runs, identities or {})
    asked: dict[tuple[str, str], int] = {}
    for spec in runs:
        for host in spec.hosts:
            for plan in spec.benchmarks:
                where = (told.names[spec.id][host.name], plan.name)
                asked[where] = asked.get(where, 0) + plan.blocks
    spec = replace(
        first,
        id=joined_id(ids),
        suite=" + ".join(dict.fromkeys(spec.suite for spec in runs)),
        inventory=", ".join(dict.fromkeys(spec.inventory for spec in runs)),
        hosts=told.hosts,
        combinations=tuple(dict.fromkeys(one for spec in runs for one in spec.combinations)),
        benchmarks=tuple(_plans(runs, asked)),
        runs=ids,
    )
    return Joined(spec, told.names, asked, told.notices)


def remarks(specs: Sequence[RunSpec]) -> tuple[Notice, ...]:
    """What a reader must know of the joined runs beside what each host tells."""
    runs = sorted(specs, key=lambda spec: spec.id)
    baseline = runs[0].baseline
    return tuple(
        Notice(
            None,
            f"Run {spec.id} was made against {spec.baseline}; here all ratios are to {baseline}, the first run's baseline.",
            f"`labctl report {spec.id}` has its own.",
        )
        for spec in runs
        if spec.baseline != baseline
    )


def joined_id(ids: Sequence[str]) -> str:
    """Like `2-runs-8f14e45f`: the same runs have the same name."""
    return f"{len(ids)}-runs-{hashlib.sha256('/'.join(sorted(ids)).encode()).hexdigest()[:8]}"


def _plans(runs: Sequence[RunSpec], asked: dict[tuple[str, str], int]) -> Iterator[BenchmarkPlan]:
    found: dict[str, tuple[str, BenchmarkPlan]] = {}
    for spec in runs:
        for plan in spec.benchmarks:
            run, known = found.setdefault(plan.name, (spec.id, plan))
            if dict(known.params) != dict(plan.params):
                raise UsageError(
                    f"{plan.name} has other parameters in run {spec.id} ({_told(plan)}) than in {run} ({_told(known)}).",
                    "They are two measurements: report these runs one by one.",
                )
    for name, (_, plan) in found.items():
        most = max(blocks for (_, benchmark), blocks in asked.items() if benchmark == name)
        yield replace(plan, blocks=most)


def _told(plan: BenchmarkPlan) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in plan.params.items()) or "none"
