# SPDX-License-Identifier: Apache-2.0
"""The schedule is a pure function of spec, grants and journal: whoever asks with the same journal gets the same step."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remote_agent.agent.schedule import (
    CloseBlock,
    DoTrial,
    Finish,
    OpenBlock,
    Progress,
    Step,
    next_step,
    order,
)
from remote_agent.agent.spec import RunSpec
from remote_agent.agent.store import Grants
from remote_agent.contract.journal import record

FIRST, SECOND = "operations.container.lifecycle", "scalability.runtime.5"


def _records(step: Step) -> list[dict[str, Any]]:
    """What the engine journals for a step that goes well."""
    match step:
        case OpenBlock(benchmark, block, warmup, names):
            return [record("block", benchmark=benchmark, block=block, warmup=warmup, order=list(names))]
        case DoTrial():
            key = {"benchmark": step.benchmark, "block": step.block, "combination": step.combination}
            return [record("trial_started", **key, attempt=step.attempt), record("trial", **key)]
        case CloseBlock(benchmark, block):
            return [record("block_ended", benchmark=benchmark, block=block, noise={})]
        case Finish(status):
            return [record("ended", status=status)]


def _play(spec: RunSpec, grants: Grants, progress: Progress) -> list[Step]:
    steps: list[Step] = []
    while step := next_step(spec, grants, progress):
        steps.append(step)
        for line in _records(step):
            progress.apply(line)
    return steps


def test_blocks_in_the_specs_order_warm_up_marked_each_combination_once(spec: RunSpec) -> None:
    steps = _play(spec, Grants({FIRST: 2, SECOND: 1}, last=True), Progress())
    blocks = [(step.benchmark, step.block, step.warmup) for step in steps if isinstance(step, OpenBlock)]
    assert blocks == [(FIRST, 0, True), (FIRST, 1, False), (SECOND, 0, True)]
    trials = [step for step in steps if isinstance(step, DoTrial)]
    assert [trial.warmup for trial in trials] == [True, True, False, False, True, True]
    assert all(
        {t.combination for t in trials[i : i + 2]} == {"containerd/runc", "containerd/crun"}
        for i in (0, 2, 4)
    )
    assert steps[-1] == Finish("complete")


def test_it_waits_for_grants_and_never_finishes_unasked(spec: RunSpec) -> None:
    progress = Progress()
    assert next_step(spec, Grants(), progress) is None
    _play(spec, Grants({FIRST: 1}), progress)
    assert next_step(spec, Grants({FIRST: 1}), progress) is None
    assert isinstance(next_step(spec, Grants({FIRST: 2}), progress), OpenBlock)


def test_an_open_block_is_finished_before_another_benchmark_gets_its_turn(spec: RunSpec) -> None:
    progress = Progress()
    opened = next_step(spec, Grants({SECOND: 1}), progress)
    assert isinstance(opened, OpenBlock)
    progress.apply(_records(opened)[0])
    following = next_step(spec, Grants({FIRST: 1, SECOND: 1}), progress)
    assert isinstance(following, DoTrial)
    assert following.benchmark == SECOND


def test_a_torn_trial_is_redone_as_the_next_attempt(spec: RunSpec) -> None:
    progress, grants = Progress(), Grants({FIRST: 1})
    opened = next_step(spec, grants, progress)
    assert isinstance(opened, OpenBlock)
    progress.apply(_records(opened)[0])
    trial = next_step(spec, grants, progress)
    assert isinstance(trial, DoTrial)
    progress.apply(_records(trial)[0])
    assert [record["attempt"] for record in progress.begun.values()] == [1]
    torn = {**_records(trial)[0], "type": "torn", "reason": "The agent ended in it."}
    progress.apply(torn)
    assert (progress.begun, list(progress.torn.values())) == ({}, ["The agent ended in it."])
    again = next_step(spec, grants, progress)
    assert isinstance(again, DoTrial)
    assert (again.combination, again.attempt) == (trial.combination, 2)


def test_cancel_comes_before_everything_and_nothing_comes_behind_the_end(spec: RunSpec) -> None:
    grants = Grants({FIRST: 3}, cancel=True)
    progress = Progress()
    assert _play(spec, grants, progress) == [Finish("cancelled")]
    assert next_step(spec, grants, progress) is None


@given(cut=st.integers(0, 60))
def test_stopped_anywhere_and_taken_up_from_the_journal_it_takes_the_same_steps(cut: int) -> None:
    spec = RunSpec.from_json(
        {
            "run_id": "r", "host": "m1", "seed": 3,
            "combinations": [{"cri": "c", "handler": h, "socket": "/s"} for h in "abc"],
            "benchmarks": [{"name": FIRST, "warmup": 1}, {"name": SECOND}],
        }
    )  # fmt: skip
    grants = Grants({FIRST: 3, SECOND: 2}, last=True)
    whole = [line for step in _play(spec, grants, Progress()) for line in _records(step)]
    kept = [line for line in whole[:cut] if line["type"] != "trial_started"] if cut < len(whole) else whole
    rest = _play(spec, grants, Progress.of(kept))
    trials = [line for line in kept if line["type"] == "trial"]
    trials += [line for step in rest for line in _records(step) if line["type"] == "trial"]
    wanted = [line for line in whole if line["type"] == "trial"]
    assert trials == wanted


def test_orders_are_random_over_blocks_and_the_same_for_the_same_seed() -> None:
    names = ["a", "b", "c", "d"]
    orders = [order(7, "m1", FIRST, block, names) for block in range(200)]
    assert orders == [order(7, "m1", FIRST, block, names) for block in range(200)]
    assert orders != [order(8, "m1", FIRST, block, names) for block in range(200)]
    assert orders != [order(7, "m2", FIRST, block, names) for block in range(200)]
    firsts = [sum(one[0] == name for one in orders) for name in names]
    assert min(firsts) > 30, firsts
    assert sorted(orders[0]) == names
