# SPDX-License-Identifier: Apache-2.0
"""What a journal's records count for, and which blocks have no length."""

from __future__ import annotations

from typing import Any

from orchestrator.runs.tally import Tally

S = 10**9


def _trial(
    block: int, start_s: int, combination: str = "containerd/runc", attempt: int = 1
) -> dict[str, Any]:
    return {
        "type": "trial", "benchmark": "a.b.c", "block": block, "combination": combination, "status": "ok",
        "attempt": attempt, "leaks": [], "samples": [{}], "start_ns": start_s * S, "elapsed_ns": 2 * S, "cleanup_ns": S,
    }  # fmt: skip


def _block(kind: str, block: int) -> dict[str, Any]:
    return {"type": kind, "benchmark": "a.b.c", "block": block}


def test_a_block_lasts_from_its_first_start_to_its_last_clean_up() -> None:
    tally = Tally()
    tally.add_all([_block("block", 0), _trial(0, 10), _trial(0, 20, "crio/runc"), _block("block_ended", 0)])
    assert tally.block_seconds("a.b.c", 0) == 13
    assert tally.block_seconds("a.b.c", 1) is None


def test_a_block_across_a_restart_has_no_length_and_the_one_before_it_keeps_its_own() -> None:
    """The host's monotonic clock begins anew when it is restarted: 5 is later than 20."""
    tally = Tally()
    tally.add_all([_block("block", 0), _trial(0, 10), _block("block_ended", 0)])
    tally.add_all([_block("block", 1), _trial(1, 20), {"type": "run", "resumed": True}])
    tally.add_all([_trial(1, 5, "crio/runc"), _block("block_ended", 1)])
    tally.add_all([_block("block", 2), _trial(2, 30), _block("block_ended", 2)])
    assert [tally.block_seconds("a.b.c", block) for block in range(3)] == [3, None, 3]


def test_a_block_with_a_trial_that_was_redone_has_no_length() -> None:
    tally = Tally()
    tally.add_all([_block("block", 0), _trial(0, 10, attempt=2), _block("block_ended", 0)])
    assert tally.block_seconds("a.b.c", 0) is None


def test_a_trial_that_is_ok_without_samples_counts_as_failed() -> None:
    tally = Tally()
    tally.add_all([_trial(0, 10), {**_trial(1, 20), "samples": []}])
    assert (tally.done, tally.failed) == (2, 1)
