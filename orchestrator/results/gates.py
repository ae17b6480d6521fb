# SPDX-License-Identifier: Apache-2.0
"""Gates on what was compared: each on every host and combination that it names, and kept where all of these keep it. Pure.

A gate speaks of the values, B to A, whichever way is better: ``<= +5%`` of a latency, ``>= -5%`` of a throughput.
It also fails where trials fail more often in B than in A, as values are those of the trials that succeeded: Fisher's
exact test, one-sided, after Holm over the cells of all gates of one comparison; or where every trial failed in B and
not in A. It is undecided, and no option lets it pass, where B does not support what A does,
or has no trial of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from orchestrator.model.comparison import Change, FailureComparison, Gate, GateResult, Standing
from orchestrator.model.errors import UsageError
from orchestrator.model.interval import Interval
from orchestrator.results.failures import Cell, FailureRates
from orchestrator.stats.change_sentences import as_percents
from orchestrator.stats.gates import standing
from orchestrator.stats.sentences import probability

MOST = 20
ALPHA = 0.05
NO_FAILURES = FailureRates({})


def decide(
    gates: Sequence[Gate],
    changes: Sequence[Change],
    control: str | None = None,
    rates: FailureRates = NO_FAILURES,
) -> tuple[GateResult, ...]:
    """Raises UsageError: a gate names nothing that was compared, or the ``control``, of which no change is known."""
    named = [(gate, change) for gate in gates for change in _named(gate, changes, control)]
    family = rates.adjusted(_cell(change) for _, change in named)
    return tuple(_decided(gate, change, rates, family) for gate, change in named)


def _named(gate: Gate, changes: Sequence[Change], control: str | None) -> Sequence[Change]:
    """The changes that the gate is about, at least one."""
    if control is not None and gate.combination == control:
        raise UsageError(
            f"--gate {gate.text!r}: {control} is the control, so that its own change is not told from the machine's.",
            "`--control none`, or another control, compares it too.",
        )
    metric = _metric(gate, changes)
    named = [change for change in changes if _names(gate, metric, change)]
    if not named:
        raise UsageError(
            f"--gate {gate.text!r} names nothing that was compared{_lacking(gate, changes)}",
            _near(gate, changes),
        )
    return named


def _cell(change: Change) -> Cell:
    return change.host, change.benchmark, change.combination


def _decided(gate: Gate, change: Change, rates: FailureRates, family: Mapping[Cell, float]) -> GateResult:
    interval = change.interval_of_values(change.equivalence)
    failures, p = rates.cells.get(_cell(change)), family[_cell(change)]
    result = GateResult(
        gate=gate,
        host=change.host,
        metric=change.metric,
        combination=change.combination,
        standing=standing(interval, gate.limit, at_most=gate.at_most),
        interval=interval,
        sentence=_sentence(gate, change, interval),
    )
    return result if failures is None else _with_failures(result, failures, p, len(family))


def _with_failures(result: GateResult, failures: FailureComparison, p: float, cells: int) -> GateResult:
    """The gate's ``result`` by the values, and by how many trials failed."""
    failure_p = p if failures.b.failed else None
    sentence = f"{result.sentence} {failures.sentence}".rstrip()
    if failure_p is not None and failures.a.attempted:
        family = f" after Holm over {cells} cells" if cells > 1 else ""
        sentence = f"{sentence[:-1]} ({probability(failure_p)}{family})."
    passable = not (failures.lost_support or failures.not_tried)
    decided = result.standing
    if failures.lost_every_trial or (failure_p is not None and failure_p <= ALPHA):
        decided = Standing.FAILED
    elif failures.lost_support and decided is Standing.PASSED:
        decided = Standing.UNDECIDED
    return replace(result, standing=decided, sentence=sentence, failure_p=failure_p, passable=passable)


def _metric(gate: Gate, changes: Sequence[Change]) -> str | None:
    """The metric that the gate names, or that alone begins so: ``Start`` is StartContainer."""
    known = {change.metric for change in changes if change.benchmark == gate.benchmark}
    begins = [name for name in known if gate.metric and name.startswith(gate.metric)]
    return begins[0] if gate.metric not in known and len(begins) == 1 else gate.metric


def _names(gate: Gate, metric: str | None, change: Change) -> bool:
    meant = change.primary if metric is None else change.metric == metric
    return meant and change.benchmark == gate.benchmark and gate.combination in (None, change.combination)


def _lacking(gate: Gate, changes: Sequence[Change]) -> str:
    """Which part of the gate is not there, and what there is in its place."""
    of_it = [change for change in changes if change.benchmark == gate.benchmark]
    if not of_it:
        return (
            f": there is no benchmark {gate.benchmark}. There is: {_some(one.benchmark for one in changes)}."
        )
    metrics = {one.metric for one in of_it}
    if gate.metric is not None and gate.metric not in metrics:
        return (
            f": {gate.benchmark} has no metric {gate.metric}. It has: {_some(one.metric for one in of_it)}."
        )
    if gate.combination is not None:
        return f": {gate.combination} is not compared. There is: {_some(one.combination for one in of_it)}."
    return f": the primary metric of {gate.benchmark} is not compared. It has: {_some(one.metric for one in of_it)}."


def _near(gate: Gate, changes: Sequence[Change]) -> str | None:
    """A name that begins or sounds like the one that is not there."""
    of_it = [one for one in changes if one.benchmark == gate.benchmark]
    for wanted, known in (
        (gate.benchmark, {one.benchmark for one in changes}),
        (gate.metric, {one.metric for one in of_it}),
        (gate.combination, {one.combination for one in of_it}),
    ):
        if wanted and wanted not in known:
            begins = [name for name in sorted(known) if name.lower().startswith(wanted.lower())]
            close = begins or get_close_matches(wanted, sorted(known), n=1)
            return f"Did you mean {close[0]}?" if close else None
    return None


def _some(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - MOST} more" if len(every) > MOST else ""
    return f"{', '.join(every[:MOST])}{more}"


def _sentence(gate: Gate, change: Change, interval: Interval | None) -> str:
    what = f"{change.combination} on {change.host}"
    if interval is None:
        return f"{gate.text}: {what} has no interval ({change.reason})."
    return f"{gate.text}: {what} changed by {as_percents(interval)} (90 % CI)."
