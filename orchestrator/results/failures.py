# SPDX-License-Identifier: Apache-2.0
"""How many trials failed on each side of a comparison, cell by cell. Pure.

Values alone hide failures: the median of the trials that succeeded may fall because the slow ones failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.model.comparison import FailureComparison, TrialOutcomes
from orchestrator.model.samples import TrialCount
from orchestrator.stats.failures import failure_rise_p
from orchestrator.stats.families import holm

NO_TRIAL = TrialOutcomes(0, 0, 0)
Cell = tuple[str, str, str]
"""Host, benchmark, combination."""


@dataclass(frozen=True, slots=True)
class FailureRates:
    """The cells of a comparison, and p of each after Holm over the ``cells`` of its gates."""

    cells: Mapping[Cell, FailureComparison]

    def adjusted(self, cells: Iterable[Cell]) -> Mapping[Cell, float]:
        """Holm over all ``cells``, each once; a cell without a failed trial counts like any other."""
        family = list(dict.fromkeys(cells))
        p_values = [self.cells[cell].p if cell in self.cells else 1.0 for cell in family]
        return dict(zip(family, holm(p_values), strict=True))

    @property
    def notable(self) -> tuple[FailureComparison, ...]:
        """Where a trial failed on either side, or B lost support: the clearest rise first."""
        shown = [cell for cell in self.cells.values() if cell.sentence]
        return tuple(sorted(shown, key=lambda cell: cell.p))


def compare_failures(
    a: Mapping[Cell, TrialOutcomes], b: Mapping[Cell, TrialOutcomes], cells: Iterable[Cell]
) -> FailureRates:
    """Both sides of each of ``cells``, in their order."""
    return FailureRates(
        {cell: _compared(cell, a.get(cell, NO_TRIAL), b.get(cell, NO_TRIAL)) for cell in cells}
    )


def outcomes(trials: Sequence[TrialCount]) -> Mapping[Cell, TrialOutcomes]:
    """By host, benchmark and combination."""
    return {(count.host, count.benchmark, count.combination): _outcomes(count) for count in trials}


def renamed(
    trials: Mapping[Cell, TrialOutcomes], combination: str, name: str
) -> Mapping[Cell, TrialOutcomes]:
    """The outcomes of one ``combination`` under another ``name``, so that two of one run can be compared."""
    return {
        (host, benchmark, name): outcome
        for (host, benchmark, own), outcome in trials.items()
        if own == combination
    }


def _outcomes(count: TrialCount) -> TrialOutcomes:
    reasons = count.reasons or count.lacks
    most = max(reasons, key=lambda reason: reasons[reason], default=None)
    return TrialOutcomes(count.ok, count.failed, count.unsupported, most)


def _compared(cell: Cell, a: TrialOutcomes, b: TrialOutcomes) -> FailureComparison:
    p = failure_rise_p(a.failed, a.attempted, b.failed, b.attempted)
    comparison = FailureComparison(*cell, a, b, p, "")
    return replace(comparison, sentence=" ".join(_sentences(comparison)))


def _sentences(cell: FailureComparison) -> Iterable[str]:
    if cell.a.failed or cell.b.failed:
        yield _failed(cell.a, cell.b)
    elif cell.not_tried:
        yield f"No trial was made in B, {cell.a.ok} in A."
    if cell.lost_support:
        why = f": {cell.b.reason.rstrip('.')}" if cell.b.reason and not cell.b.failed else ""
        total = cell.b.attempted + cell.b.unsupported
        yield f"{_trials(cell.b.unsupported, total)} not supported in B, but supported in A{why}."


def _failed(a: TrialOutcomes, b: TrialOutcomes) -> str:
    if not b.attempted:
        return f"{a.failed} of {_number(a.attempted)} failed in A, and none was tried in B."
    beside = f"{a.failed} of {a.attempted} in A" if a.attempted else "and none was tried in A"
    return f"{b.failed} of {_number(b.attempted)} failed in B, {beside}."


def _number(trials: int) -> str:
    return f"{trials} trial{'s' if trials != 1 else ''}"


def _trials(count: int, total: int) -> str:
    return f"{count} of {total} trial{'s are' if total != 1 else ' is'}"
