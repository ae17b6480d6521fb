# SPDX-License-Identifier: Apache-2.0
"""OpenMetrics 1.0 (RFC-style text, `# EOF` at the end): medians, ratios to the baseline and trials as gauges, for a dashboard.

In base units, as the standard asks: labctl_median_seconds, _bytes, _bytes_per_second, _ratio. An interval's ends are families of their own
(labctl_median_low_seconds, labctl_median_high_seconds). What is missing has no sample. There are no timestamps: when a run was made is
labctl_run_created_timestamp_seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.model.estimates import Cell, Measure, Pair
from orchestrator.results.exports.units import unit_of
from orchestrator.results.rows import Digested

Labels = Mapping[str, str]


@dataclass(slots=True)
class _Family:
    """``unit`` is the end of its ``name`` too, as the standard wants it; "": none."""

    name: str
    help: str
    unit: str = ""
    type: str = "gauge"
    samples: list[tuple[Labels, float]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"# TYPE {self.name} {self.type}\n"
        if self.unit:
            yield f"# UNIT {self.name} {self.unit}\n"
        yield f"# HELP {self.name} {_escaped(self.help)}\n"
        suffix = "_info" if self.type == "info" else ""
        for labels, value in self.samples:
            told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            yield f"{self.name}{suffix}{{{told}}} {value!r}\n"


def lines(run: Digested) -> Iterator[str]:
    for family in _families(run):
        if family.samples:
            yield from family.lines()
    yield "# EOF\n"


def _families(run: Digested) -> Iterator[_Family]:
    yield from _of_run(run)
    yield from _of_trials(run)
    yield from _of_cells(run)
    yield from _of_pairs(run)


def _of_run(run: Digested) -> Iterator[_Family]:
    spec = run.spec
    labels = {
        "run": spec.id,
        "suite": spec.suite,
        "profile": spec.profile.value,
        "baseline": spec.baseline,
        "labctl_version": spec.labctl_version,
    }
    yield _Family("labctl_run", "What was executed.", type="info", samples=[(labels, 1)])
    made = datetime.fromisoformat(spec.created).timestamp()
    created = _Family("labctl_run_created_timestamp_seconds", "When the run was decided.", "seconds")
    created.samples.append(({"run": spec.id}, made))
    yield created


def _of_trials(run: Digested) -> Iterator[_Family]:
    trials = _Family("labctl_trials", "Trials by how they ended, warm-up included.")
    leaks = _Family("labctl_leaks", "Things that trials left behind.")
    machines = _machines(run)
    for count in run.estimates.trials:
        labels = _where(run, machines, count.host, count.benchmark, count.combination)
        for status, number in (
            ("ok", count.ok),
            ("failed", count.failed),
            ("unsupported", count.unsupported),
        ):
            trials.samples.append(({**labels, "status": status}, number))
        leaks.samples.append((labels, count.leaks))
    yield from (trials, leaks)


def _of_cells(run: Digested) -> Iterator[_Family]:
    families: dict[str, _Family] = {}
    measures, machines = _measures(run), _machines(run)
    for cell in run.estimates.cells:
        measure = measures[cell.benchmark, cell.metric]
        unit, labels = unit_of(measure.unit), _labels(run, machines, measure, cell)
        ends = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
        for what, value in zip(WHATS, (cell.median, *ends), strict=True):
            if value is not None:
                family = _median(families, what, unit.metrics)
                family.samples.append(
                    (labels if unit.metrics else {**labels, "unit": measure.unit}, value * unit.share)
                )
    yield from families.values()


WHATS = {
    "": "The median of the counted trials",
    "_low": "Where the 95 % interval of the median begins",
    "_high": "Where the 95 % interval of the median ends",
}


def _median(families: dict[str, _Family], what: str, unit: str) -> _Family:
    name = f"labctl_median{what}_{unit or 'value'}"
    return families.setdefault(name, _Family(name, f"{WHATS[what]}.", unit))


def _of_pairs(run: Digested) -> Iterator[_Family]:
    told = "of the paired ratio of the combination to the baseline: above 1 is worse."
    point = _Family("labctl_to_baseline_ratio", f"The estimate {told}", "ratio")
    low = _Family("labctl_to_baseline_low_ratio", f"Where the 95 % interval begins, {told}", "ratio")
    high = _Family("labctl_to_baseline_high_ratio", f"Where the 95 % interval ends, {told}", "ratio")
    measures, machines = _measures(run), _machines(run)
    for pair in run.estimates.pairs:
        labels = _labels(run, machines, measures[pair.benchmark, pair.metric], pair)
        labels = {**labels, "baseline": run.spec.baseline}
        if pair.ratio is not None:
            point.samples.append((labels, pair.ratio))
        if pair.interval is not None:
            low.samples.append((labels, pair.interval.low))
            high.samples.append((labels, pair.interval.high))
    yield from (point, low, high)


def _labels(run: Digested, machines: Labels, measure: Measure, one: Cell | Pair) -> dict[str, str]:
    where = _where(run, machines, one.host, one.benchmark, one.combination)
    primary = "true" if measure.primary else "false"
    return {**where, "metric": one.metric, "better": measure.better, "primary": primary}


def _where(run: Digested, machines: Labels, host: str, benchmark: str, combination: str) -> dict[str, str]:
    cri, _, oci = combination.partition("/")
    return {
        "run": run.spec.id,
        "host": host,
        "machine": machines.get(host, ""),
        "benchmark": benchmark,
        "combination": combination,
        "cri": cri,
        "oci": oci,
    }


def _machines(run: Digested) -> dict[str, str]:
    return {host.name: host.machine for host in run.spec.hosts}


def _measures(run: Digested) -> dict[tuple[str, str], Measure]:
    return {(measure.benchmark, measure.metric): measure for measure in run.estimates.measures}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
