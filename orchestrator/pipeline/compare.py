# SPDX-License-Identifier: Apache-2.0
"""From two runs, or two combinations of one, to what changed: read, match, estimate, judge, decide the gates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.model.comparison import Comparison, Gate, Side
from orchestrator.model.errors import UsageError
from orchestrator.model.estimates import Notice, Settings
from orchestrator.model.run import RunSpec
from orchestrator.pipeline.report import exportable
from orchestrator.results.alterations import alterations, swapped
from orchestrator.results.analysis import ALPHA, MARGIN
from orchestrator.results.between import between
from orchestrator.results.block_numbers import unbalanced, unsecured
from orchestrator.results.changed_verdicts import judged
from orchestrator.results.controls import AUTO, chosen_control
from orchestrator.results.copies import ITSELF, refuse_copies
from orchestrator.results.failures import Cell, compare_failures, outcomes, renamed
from orchestrator.results.gates import decide
from orchestrator.results.identity import read_identities
from orchestrator.results.matching import Common, Recorded, common, flagged, in_units_of
from orchestrator.results.store import RunFolder
from orchestrator.results.table import read_counts, read_series
from orchestrator.results.within import within


@dataclass(frozen=True, slots=True)
class Wanted:
    """``margin`` is the practical one, a share. ``control``: `orchestrator.results.controls`."""

    gates: tuple[Gate, ...] = ()
    margin: float = MARGIN
    control: str = AUTO


def compare_combinations(folder: Path, baseline: str | None, combination: str, wanted: Wanted) -> Comparison:
    """Two combinations of one run, paired by block; None: the run's own baseline. Raises ResultError, UsageError."""
    run = _recorded(folder)
    baseline = baseline or run.spec.baseline
    settings = Settings(ALPHA, wanted.margin)
    judgement = within(run, baseline, combination, settings)
    changes = judgement.changes
    rates = compare_failures(
        renamed(run.outcomes, baseline, combination),
        run.outcomes,
        [(change.host, change.benchmark, change.combination) for change in changes],
    )
    return Comparison(
        a=_side(run.spec, baseline),
        b=_side(run.spec, combination),
        control=None,
        settings=settings,
        gates=decide(wanted.gates, changes, rates=rates),
        family=judgement.family,
        verdicts=judgement.verdicts,
        changes=changes,
        drift=(),
        alterations=tuple(one for host in run.hosts for one in swapped(host, baseline, combination)),
        notices=(
            *_simulated(run.spec),
            *flagged("the run", run, run.spec.hosts),
            *unsecured(changes, judgement.verdicts, judgement.family),
        ),
        failures=rates.notable,
    )


def compare_runs(first: Path, second: Path, wanted: Wanted) -> Comparison:
    """Two runs, of all that both have. Raises ResultError, UsageError: they are one, or have nothing in common."""
    if first.resolve() == second.resolve():
        raise UsageError(
            f"Run {first.name} is not compared with itself.",
            "Two combinations of it can be: `labctl compare RUN --baseline CRI/OCI --with CRI/OCI`.",
        )
    refuse_copies([(folder, RunFolder(folder).read_spec()) for folder in (first, second)], ITSELF)
    a = _recorded(first)
    b = in_units_of(a, _recorded(second))
    both = common(a, b)
    control = chosen_control(a, b, both, wanted.control)
    found, drift = between(a, b, both, control.name, ALPHA)
    if not found:
        raise UsageError(
            "No combination has a value of one benchmark in either run.", "`labctl report` says why."
        )
    settings = Settings(ALPHA, wanted.margin)
    judgement = judged(found, both.measures, control.name, settings)
    changes = judgement.changes
    rates = compare_failures(a.outcomes, b.outcomes, _cells(both))
    return Comparison(
        a=_side(a.spec),
        b=_side(b.spec),
        control=control.name,
        settings=settings,
        gates=decide(wanted.gates, changes, control.name, rates),
        family=judgement.family,
        verdicts=judgement.verdicts,
        changes=changes,
        drift=drift,
        alterations=tuple(
            one for host in both.hosts for one in alterations(a.record(host.name), b.record(host.name))
        ),
        notices=(
            *control.notices,
            *_simulated(b.spec),
            *both.notices,
            *unsecured(changes, judgement.verdicts, judgement.family),
            *unbalanced(changes),
        ),
        failures=rates.notable,
    )


def _recorded(folder: Path) -> Recorded:
    run = exportable(folder)
    values = {(one.host, one.benchmark, one.metric, one.combination): one for one in read_series(run.folder)}
    return Recorded(
        spec=run.spec,
        measures=run.estimates.measures,
        hosts=run.estimates.hosts,
        trials=read_counts(run.folder),
        values=values,
        contamination=run.estimates.contamination,
        identities=read_identities(run.folder, run.spec),
        outcomes=outcomes(read_counts(run.folder, warmup=False)),
    )


def _cells(both: Common) -> list[Cell]:
    """Every host, benchmark and combination that both runs have, the control's too."""
    benchmarks = dict.fromkeys(measure.benchmark for measure in both.measures)
    return [
        (host.name, benchmark, combination)
        for host in both.hosts
        for benchmark in benchmarks
        for combination in both.combinations
    ]


def _side(spec: RunSpec, combination: str | None = None) -> Side:
    return Side(spec.id, spec.suite, str(spec.profile), spec.created, combination)


def _simulated(spec: RunSpec) -> list[Notice]:
    if not spec.simulated:
        return []
    return [
        Notice(
            None,
            "The machines are declared, not real: hosts of this local lab stand on one machine.",
            "What is said across machines is a simulation.",
        )
    ]
