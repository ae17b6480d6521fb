# SPDX-License-Identifier: Apache-2.0
"""What two runs have in common, and what a reader must know of the rest. Pure.

hosts          of one name, measured by labctl in both. One that was another machine in the other run, by what it recorded of itself, is
               compared all the same, and that is said: whoever makes machines anew for each run has no other ones.
benchmarks     with the same parameters. With others (another profile, another duration) they are another measurement: left out, and said.
combinations   by their names. What they are made of may differ: that may be what is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.model.comparison import TrialOutcomes
from orchestrator.model.errors import UsageError
from orchestrator.model.estimates import Contamination, Measure, Notice
from orchestrator.model.run import BenchmarkPlan, RunHost, RunSpec
from orchestrator.model.samples import HostRecord, Series, TrialCount
from orchestrator.model.units import conversion
from orchestrator.results.failures import Cell
from orchestrator.results.identity import Identity, Likeness, likeness
from orchestrator.results.task import Values

NAMED = 4


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run as it is compared. ``identities`` say which machines its hosts were, as far as they recorded it."""

    spec: RunSpec
    measures: tuple[Measure, ...]
    hosts: tuple[HostRecord, ...]
    trials: tuple[TrialCount, ...]
    values: Values
    contamination: Contamination | None
    identities: Mapping[str, Identity]
    outcomes: Mapping[Cell, TrialOutcomes] = field(default_factory=dict)
    """How its trials ended, warm-up left out."""

    def record(self, host: str) -> HostRecord | None:
        return next((one for one in self.hosts if one.host == host), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its combinations."""
        return tuple(one.name for one in self.spec.combinations)


@dataclass(frozen=True, slots=True)
class Common:
    """What both runs have: ``hosts`` as B has them, ``combinations`` and ``measures`` in A's order."""

    hosts: tuple[RunHost, ...]
    combinations: tuple[str, ...]
    measures: tuple[Measure, ...]
    notices: tuple[Notice, ...]


def common(a: Recorded, b: Recorded) -> Common:
    """Raises UsageError: the runs have no host, combination or benchmark in common."""
    hosts = tuple(host for host in _own(b.spec) if host.name in {own.name for own in _own(a.spec)})
    combinations = tuple(name for name in a.names if name in b.names)
    other = dict(_resized(a.spec, b.spec))
    measures = tuple(_measures(a, b, other))
    _refuse_nothing("host", hosts, *([host.name for host in _own(one.spec)] for one in (a, b)))
    _refuse_nothing("combination", combinations, a.names, b.names)
    if not measures and other:
        raise UsageError(
            f"The runs have no benchmark in common: {_listed([_sizes(*plans) for plans in other.values()])}.",
            f"Compare runs of one profile and the same parameters; these are {a.spec.profile} and {b.spec.profile}.",
        )
    _refuse_nothing("benchmark", measures, *([plan.name for plan in one.spec.benchmarks] for one in (a, b)))
    notices = (
        *_machines(a, b, hosts),
        *_left_out(a, b, hosts, other),
        *flagged("A", a, hosts),
        *flagged("B", b, hosts),
    )
    return Common(hosts, combinations, measures, notices)


def in_units_of(a: Recorded, b: Recorded) -> Recorded:
    """``b`` with the units that ``a`` has of the same metrics. Raises UsageError: one does not convert."""
    resized = dict(_resized(a.spec, b.spec))
    units = {
        (measure.benchmark, measure.metric): measure.unit for measure in a.measures if not measure.per_item
    }
    factors: dict[tuple[str, str], float] = {}
    for measure in b.measures:
        key = (measure.benchmark, measure.metric)
        if measure.per_item or measure.benchmark in resized or units.get(key, measure.unit) == measure.unit:
            continue
        factor = conversion(measure.unit, units[key])
        if factor is None:
            raise UsageError(
                f"{measure.benchmark}: {measure.metric} is in {units[key]} in run {a.spec.id} and in {measure.unit} in run "
                f"{b.spec.id}, and neither unit converts into the other.",
                "`labctl report` shows each run by itself.",
            )
        factors[key] = factor
    return replace(
        b,
        measures=tuple(_in_unit(measure, factors, units) for measure in b.measures),
        values={key: _converted(series, factors, units) for key, series in b.values.items()},
    )


def _in_unit(
    measure: Measure, factors: Mapping[tuple[str, str], float], units: Mapping[tuple[str, str], str]
) -> Measure:
    key = (measure.benchmark, measure.metric)
    return replace(measure, unit=units[key]) if key in factors else measure


def _converted(
    series: Series, factors: Mapping[tuple[str, str], float], units: Mapping[tuple[str, str], str]
) -> Series:
    key = (series.benchmark, series.metric)
    if key not in factors:
        return series
    return replace(series, unit=units[key], values=series.values * factors[key])


def _own(spec: RunSpec) -> list[RunHost]:
    """Without imported results: they have no blocks, and nothing is claimed from them."""
    return [host for host in spec.hosts if not host.imported]


def _refuse_nothing(what: str, found: Sequence[object], in_a: Sequence[str], in_b: Sequence[str]) -> None:
    if not found:
        had = "; ".join(f"{run} has {_listed(names) or 'none'}" for run, names in (("A", in_a), ("B", in_b)))
        raise UsageError(
            f"The runs have no {what} in common: {had}.", "`labctl report RUN RUN` shows them side by side."
        )


def _resized(a: RunSpec, b: RunSpec) -> Iterator[tuple[str, tuple[BenchmarkPlan, BenchmarkPlan]]]:
    """Benchmarks whose parameters are not the same in both runs."""
    there = {plan.name: plan for plan in b.benchmarks}
    for plan in a.benchmarks:
        if plan.name in there and dict(plan.params) != dict(there[plan.name].params):
            yield plan.name, (plan, there[plan.name])


def _measures(a: Recorded, b: Recorded, other: Mapping[str, object]) -> Iterator[Measure]:
    """Metrics with one value a trial that mean the same in both."""
    there = {_meaning(measure) for measure in b.measures}
    for measure in a.measures:
        if not measure.per_item and measure.benchmark not in other and _meaning(measure) in there:
            yield measure


def _meaning(measure: Measure) -> tuple[str, str, str, str]:
    return measure.benchmark, measure.metric, measure.unit, measure.better


def _machines(a: Recorded, b: Recorded, hosts: Sequence[RunHost]) -> Iterator[Notice]:
    for host in hosts:
        one, other = a.identities.get(host.name), b.identities.get(host.name)
        alike = likeness(one, other) if one and other else Likeness.UNKNOWN
        if alike is Likeness.OTHER:
            yield Notice(
                host.name,
                "It is not the same machine in A and in B, by what it recorded of itself.",
                "What differs between the machines is in the changes. Run both on one machine, or both handlers in one run.",
            )
        elif alike is Likeness.UNKNOWN:
            yield Notice(
                host.name,
                "Nothing that was recorded tells whether it is the same machine in A and in B: it is taken for it.",
                "If it is not, what differs between the machines is in the changes.",
            )


def _left_out(
    a: Recorded,
    b: Recorded,
    hosts: Sequence[RunHost],
    other: Mapping[str, tuple[BenchmarkPlan, BenchmarkPlan]],
) -> Iterator[Notice]:
    names = {host.name for host in hosts}
    for label, run in (("A", a), ("B", b)):
        if lacking := [host.name for host in run.spec.hosts if host.name not in names]:
            hint = "Hosts are known by their names; imported results have no blocks to compare."
            yield Notice(None, f"Only {label} has a run of {_listed(lacking)}: left out.", hint)
    if other:
        sizes = _listed([_sizes(*plans) for plans in other.values()])
        yield Notice(
            None,
            f"Left out, as the work has another size in B: {sizes}.",
            f"Compare runs of one profile and the same parameters; these are {a.spec.profile} and {b.spec.profile}.",
        )


def _sizes(one: BenchmarkPlan, other: BenchmarkPlan) -> str:
    """``performance.cpu.time (time 10, then 1)``."""
    names = [
        name for name in {**one.params, **other.params} if one.params.get(name) != other.params.get(name)
    ]
    told = ", ".join(f"{name} {_set(one, name)}, then {_set(other, name)}" for name in names)
    return f"{one.name} ({told})"


def _set(plan: BenchmarkPlan, name: str) -> str:
    return str(plan.params.get(name, "unset"))


def flagged(label: str, run: Recorded, hosts: Sequence[RunHost]) -> Iterator[Notice]:
    """How many of the counted blocks on ``hosts`` are flagged; claims rest on all of them, here as everywhere."""
    names, found = {host.name for host in hosts}, run.contamination.flagged if run.contamination else ()
    count = sum(one.host in names and not one.warmup for one in found)
    if count:
        yield Notice(
            None,
            f"{count} block{'s' if count != 1 else ''} of {label} {'are' if count != 1 else 'is'} flagged as contaminated.",
            f"All blocks count here; `labctl report {run.spec.id}` says which, and why.",
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
