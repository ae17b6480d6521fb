# SPDX-License-Identifier: Apache-2.0
"""Failed trials of a comparison in words: the reason is that of a failure, and very many places are counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model.comparison import Comparison, FailureComparison, Side, TrialOutcomes
from orchestrator.model.estimates import Family, Settings
from orchestrator.report.comparison import failure_rows, more_failures
from orchestrator.results.failures import compare_failures

CRUN, LIFECYCLE = "containerd/crun", "operations.container.lifecycle"


def cell(a: TrialOutcomes, b: TrialOutcomes) -> FailureComparison:
    key = ("h1", LIFECYCLE, CRUN)
    return compare_failures({key: a}, {key: b}, [key]).cells[key]


def comparison(*failures: FailureComparison) -> Comparison:
    side = Side("x", "s", "thesis", "2026-01-02T03:04:05+00:00")
    return Comparison(
        side, side, None, Settings(0.05, 0.05), Family(1, 0, 0.05, None), (), (), (), (), (), (), failures
    )


LOST = "6 of 6 trials are not supported in B, but supported in A: no crun."


@pytest.mark.parametrize(
    ("a", "b", "words", "worse"),
    [
        ((5, 1, 0, "x."), (6, 0, 0), "0 of 6 trials failed in B, 1 of 6 in A. Most often: x.", False),
        ((5, 1, 0, "x"), (0, 0, 6, "no crun."), f"1 of 6 trials failed in A, and none was tried in B. {LOST} Most often: x.", True),
        ((1, 0, 0), (0, 1, 0, "y"), "1 of 1 trial failed in B, 0 of 1 in A. Most often: y.", True),
        ((0, 0, 0), (0, 2, 0, "y"), "2 of 2 trials failed in B, and none was tried in A. Most often: y.", True),
        ((2, 2, 0, "x"), (4, 4, 0, "y"), "4 of 8 trials failed in B, 2 of 4 in A. Most often: y.", False),
    ],
)  # fmt: skip
def test_a_line_says_how_many_failed_and_why(
    a: tuple[Any, ...], b: tuple[Any, ...], words: str, worse: bool
) -> None:
    (row,) = failure_rows(comparison(cell(TrialOutcomes(*a), TrialOutcomes(*b))))
    assert (row.text, row.worse) == (f"{CRUN} in {LIFECYCLE} on h1: {words}", worse)


def test_of_very_many_places_the_rest_is_counted() -> None:
    failed = cell(TrialOutcomes(6, 0, 0), TrialOutcomes(5, 1, 0, "y"))
    many = comparison(*(replace(failed, host=f"h{number}") for number in range(23)))
    assert len(failure_rows(many)) == 20
    assert more_failures(many) == "Trials failed in 3 more places: --json has all."
    assert more_failures(comparison(failed)) == ""
