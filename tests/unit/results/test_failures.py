# SPDX-License-Identifier: Apache-2.0
"""Failed and unsupported trials in a comparison: counted a side, shown, and the ground on which a gate fails."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from pathlib import Path

import numpy as np
import pytest

from orchestrator.model.comparison import Change, Comparison, GateResult, Method, Standing, TrialOutcomes
from orchestrator.model.interval import Interval
from orchestrator.pipeline.compare import Wanted as Asked
from orchestrator.pipeline.compare import compare_combinations, compare_runs
from orchestrator.results.failures import FailureRates, compare_failures
from orchestrator.results.gate_language import parse_gate
from orchestrator.results.gates import decide
from orchestrator.results.store import RunFolder
from orchestrator.stats.failures import failure_rise_p
from tests.fixtures.synthetic import LIFECYCLE, Wanted
from tests.fixtures.twins import BLOCKS, HOST, rewrite_trials, twins

RUNC, CRUN = "containerd/runc", "containerd/crun"
GATE = f"{LIFECYCLE} <= +50%"


def failing(count: int, combination: str = CRUN) -> Wanted:
    """A run of 20 counted blocks, of which the last ``count`` failed; the warm-up block, 0, succeeded."""
    return Wanted(
        hosts=HOST, blocks=BLOCKS, fails=tuple(("h1", combination, 20 - number) for number in range(count))
    )


def compared(root: Path, b: Wanted, *gates: str, a: Wanted | None = None) -> Comparison:
    folders = twins(root, wanted=a or failing(0), b=b)
    return compare_runs(*folders, Asked(gates=tuple(parse_gate(text) for text in gates or (GATE,))))


def test_the_rise_is_that_of_the_hypergeometric_distribution() -> None:
    assert failure_rise_p(0, 20, 14, 20) == pytest.approx(comb(20, 14) / comb(40, 14))
    assert failure_rise_p(0, 3, 3, 3) == pytest.approx(1 / 20)
    assert failure_rise_p(14, 20, 0, 20) == 1.0
    assert failure_rise_p(0, 0, 3, 3) == 1.0, "nothing was tried in A: no rate to rise from"


def test_fourteen_of_twenty_failed_trials_fail_the_gate_and_are_said(tmp_path: Path) -> None:
    comparison = compared(tmp_path, failing(14))
    (cell,) = comparison.failures
    assert cell.cell == ("h1", LIFECYCLE, CRUN)
    assert cell.sentence == "14 of 20 trials failed in B, 0 of 20 in A."
    (result,) = comparison.gates
    assert result.standing is Standing.FAILED
    assert "14 of 20 trials failed in B, 0 of 20 in A (p < 0.001)." in result.sentence


def test_a_gate_that_the_values_keep_passes_with_a_few_failures_that_are_said(tmp_path: Path) -> None:
    comparison = compared(tmp_path, failing(2))
    (result,) = comparison.gates
    assert result.standing is Standing.PASSED
    assert result.failure_p == pytest.approx(failure_rise_p(0, 20, 2, 20))
    assert "2 of 20 trials failed in B, 0 of 20 in A" in result.sentence


def test_fewer_failures_in_b_are_shown_and_fail_nothing(tmp_path: Path) -> None:
    comparison = compared(tmp_path, failing(0), a=failing(9))
    assert [cell.sentence for cell in comparison.failures] == ["0 of 20 trials failed in B, 9 of 20 in A."]
    assert [(r.standing, r.failure_p) for r in comparison.gates] == [(Standing.PASSED, None)]


def test_a_host_that_was_lost_in_b_is_said_and_no_option_lets_its_gate_pass(tmp_path: Path) -> None:
    two = Wanted(hosts=(("h1", "alpha"), ("h2", "beta")), blocks=BLOCKS)
    a, b = twins(tmp_path, wanted=two)
    RunFolder(b).journal("h2").unlink()
    comparison = compare_runs(a, b, Asked(gates=(parse_gate(GATE),)))
    assert {cell.host: cell.sentence for cell in comparison.failures if cell.combination == CRUN} == {
        "h2": "No trial was made in B, 20 in A."
    }
    lost = next(result for result in comparison.gates if result.host == "h2")
    assert (lost.standing, lost.passable) == (Standing.UNDECIDED, False)


def test_failures_of_the_control_are_said_too(tmp_path: Path) -> None:
    comparison = compared(tmp_path, failing(3, RUNC))
    assert comparison.control == RUNC
    assert [cell.combination for cell in comparison.failures] == [RUNC]


def test_a_warm_up_trial_that_failed_is_none_of_the_counted(tmp_path: Path) -> None:
    warm = Wanted(hosts=HOST, blocks=BLOCKS, fails=(("h1", CRUN, 0),))
    assert compared(tmp_path, warm).failures == ()


def test_without_failures_nothing_is_said(tmp_path: Path) -> None:
    comparison = compared(tmp_path, failing(0))
    assert comparison.failures == ()
    assert "failed" not in comparison.gates[0].sentence


def test_where_every_trial_failed_the_gate_fails_with_how_few_they_may_be(tmp_path: Path) -> None:
    """Two trials a side: no test shows anything, and nothing succeeded all the same."""
    few = Wanted(hosts=HOST, blocks={LIFECYCLE: 2})
    lost = Wanted(hosts=HOST, blocks={LIFECYCLE: 2}, fails=(("h1", CRUN, 1), ("h1", CRUN, 2)))
    (result,) = compared(tmp_path, lost, a=few).gates
    assert result.standing is Standing.FAILED
    assert result.failure_p is not None and result.failure_p > 0.05


def test_two_combinations_of_a_run_are_counted_alike(tmp_path: Path) -> None:
    a, _ = twins(tmp_path, wanted=failing(14))
    gates = (parse_gate(GATE),)
    comparison = compare_combinations(a, None, CRUN, Asked(gates=gates))
    assert [cell.sentence for cell in comparison.failures] == ["14 of 20 trials failed in B, 0 of 20 in A."]
    assert comparison.gates[0].standing is Standing.FAILED
    back = compare_combinations(a, CRUN, RUNC, Asked(gates=gates))
    assert [cell.sentence for cell in back.failures] == ["0 of 20 trials failed in B, 14 of 20 in A."]
    assert back.gates[0].failure_p is None


def test_what_b_does_not_support_any_more_is_no_failure_and_no_pass(tmp_path: Path) -> None:
    a, b = twins(tmp_path, wanted=failing(0))
    rewrite_trials(b, _unsupported)
    comparison = compare_runs(a, b, Asked(gates=(parse_gate(GATE),), control="none"))
    cell = next(cell for cell in comparison.failures if cell.combination == CRUN)
    assert cell.sentence == "20 of 20 trials are not supported in B, but supported in A: no crun here."
    assert cell.p == 1.0
    result = next(result for result in comparison.gates if result.combination == CRUN)
    assert (result.standing, result.passable) == (Standing.UNDECIDED, False)
    gained = compare_runs(b, a, Asked(gates=(parse_gate(GATE),), control="none"))
    assert gained.failures == ()
    assert all(result.passable for result in gained.gates)


def _unsupported(trial: dict[str, object]) -> dict[str, object]:
    if trial["combination"] != CRUN:
        return trial
    return {**trial, "status": "unsupported", "reason": "no crun here.", "samples": []}


def change(host: str, benchmark: str = "a.b.c") -> Change:
    return Change(
        host, "alpha", benchmark, "Time", CRUN, "s", "lower", True, Method.DIRECT, 20, 20, 1.0, 1.0,
        ratio=1.0, equivalence=Interval(0.99, 1.01, 0.9),
    )  # fmt: skip


def rates(failed: Sequence[tuple[int, int]], n: int = 20, benchmark: str = "a.b.c") -> FailureRates:
    """A host for each pair of failed trials, A's and B's."""
    cells = [(f"h{number}", benchmark, CRUN) for number in range(len(failed))]
    a, b = (
        {cell: TrialOutcomes(n - pair[side], pair[side], 0) for cell, pair in zip(cells, failed, strict=True)}
        for side in (0, 1)
    )
    return compare_failures(a, b, cells)


def gated(failed: Sequence[tuple[int, int]], *gates: str) -> tuple[GateResult, ...]:
    changes = [change(f"h{number}") for number in range(len(failed))]
    return decide([parse_gate(text) for text in gates], changes, None, rates(failed))


def test_holm_runs_over_all_cells_of_all_gates_of_a_call_each_once() -> None:
    alone = failure_rise_p(0, 20, 5, 20)
    assert 0.02 < alone < 0.03
    assert [r.standing for r in gated([(0, 5)], "a.b.c <= 5%")] == [Standing.FAILED]
    three = gated([(0, 5), (0, 0), (0, 0)], "a.b.c <= 5%")
    assert [r.standing for r in three] == [Standing.PASSED] * 3
    assert three[0].failure_p == pytest.approx(3 * alone)
    assert "after Holm over 3 cells" in three[0].sentence
    twice = gated([(0, 5)], "a.b.c <= 5%", "a.b.c >= -5%")
    assert [r.failure_p for r in twice] == [pytest.approx(alone)] * 2, "one cell in two gates is one test"


def test_a_gate_over_cells_that_fail_alike_in_both_errs_in_at_most_five_percent() -> None:
    """30 cells of 20 trials, a tenth of which fail on both sides; uncorrected, two in five such gates would fail."""
    rng = np.random.default_rng(5)
    draws = rng.binomial(20, 0.1, (300, 30, 2))
    failed = 0
    uncorrected = 0
    for cells in draws:
        found = rates([(int(a), int(b)) for a, b in cells])
        adjusted = found.adjusted(found.cells)
        failed += min(adjusted.values()) <= 0.05
        uncorrected += min(cell.p for cell in found.cells.values()) <= 0.05
    assert failed / 300 <= 0.05
    assert uncorrected / 300 > 0.2
