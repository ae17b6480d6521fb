# SPDX-License-Identifier: Apache-2.0
"""From journals to what changed: the control, machines, builds and sizes that are not the same, and what may be said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.comparison import Comparison, Method
from orchestrator.model.errors import UsageError
from orchestrator.model.verdict import Scope, Verdict, VerdictKind
from orchestrator.pipeline.compare import Wanted as Asked
from orchestrator.pipeline.compare import compare_combinations, compare_runs
from orchestrator.pipeline.report import digested
from orchestrator.results.alterations import parts_of
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted
from tests.fixtures.twins import (
    BLOCKS,
    COMPONENTS,
    CRUN,
    HOST,
    MACHINES,
    MINE,
    plans,
    rewrite,
    twins,
)

RUNC_, CRUN_ = "containerd/runc", "containerd/crun"
TWO = Wanted(hosts=(("h1", "alpha"), ("h2", "alpha")), blocks=BLOCKS)
FLEET = Wanted(hosts=MACHINES, blocks=BLOCKS)


def crun_by(factor: float) -> Any:
    return lambda host, benchmark, combination: 1.5 * (factor if combination == CRUN_ else 1.0)


def again(root: Path, asked: Asked) -> Comparison:
    """The twins that are there already."""
    return compare_runs(root / "runs/a-run", root / "runs/b-run", asked)


def verdicts(found: Comparison, scope: Scope = Scope.HOST) -> dict[str, Verdict]:
    return {v.subject.combination: v for v in found.verdicts if v.scope is scope}


def messages(found: Comparison) -> str:
    return " | ".join(f"{one.host}: {one.message} {one.hint}" for one in found.notices)


def test_an_unchanged_baseline_is_the_control_and_takes_the_drift_out(tmp_path: Path) -> None:
    found = compare_runs(*twins(tmp_path, factor=crun_by(1.0)), Asked())
    assert found.control == RUNC_
    assert {one.method for one in found.changes} == {Method.CONTROLLED}
    assert [v.kind for v in found.verdicts] in ([VerdictKind.EQUIVALENT], [VerdictKind.UNDECIDED])
    drift = next(one for one in found.drift if one.primary)
    assert drift.ratio == pytest.approx(1.5, rel=0.05)
    direct = again(tmp_path, Asked(control="none"))
    assert direct.control is None
    assert {v.kind for v in direct.verdicts} == {VerdictKind.DIFFERENT}
    assert "There is no control (none is wanted)" in messages(direct)


def test_a_change_is_said_with_what_it_rests_on(tmp_path: Path) -> None:
    found = compare_runs(*twins(tmp_path, factor=crun_by(1.25)), Asked())
    (verdict,) = found.verdicts
    assert verdict.kind is VerdictKind.DIFFERENT
    assert verdict.evidence.ratio == pytest.approx(1.25, rel=0.06)
    assert verdict.sentence.startswith("On h1: containerd/crun (B) is 1.2"), verdict.sentence
    for words in (
        "slower than containerd/crun (A) relative to containerd/runc in",
        "20 and 20 blocks, q < 0.001",
    ):
        assert words in verdict.sentence
    faster = compare_runs(tmp_path / "runs/b-run", tmp_path / "runs/a-run", Asked()).verdicts[0]
    assert "faster than" in faster.sentence
    assert (faster.evidence.ratio or 0) * (verdict.evidence.ratio or 0) == pytest.approx(1)


def test_a_wider_margin_makes_a_difference_negligible(tmp_path: Path) -> None:
    folders = twins(tmp_path, factor=crun_by(1.25))
    assert compare_runs(*folders, Asked(margin=0.9)).verdicts[0].kind is VerdictKind.NEGLIGIBLE


def test_a_baseline_of_another_build_is_no_control_and_the_build_is_named(tmp_path: Path) -> None:
    mine = {**COMPONENTS, "runc": MINE}
    found = compare_runs(*twins(tmp_path, components=(COMPONENTS, mine)), Asked())
    assert found.control is None
    assert "containerd/runc has another runc on h1" in messages(found)
    assert "--control containerd/crun" in messages(found)
    (altered,) = found.alterations
    assert (altered.host, altered.kind, altered.name) == ("h1", "component", "runc")
    assert altered.a == "1.3.0 (module, 18df4852)"
    assert altered.b == "1.3.0-12-gabc (checkout, 01234567)"
    named = again(tmp_path, Asked(control=CRUN_))
    assert named.control == CRUN_
    assert {one.combination for one in named.changes} == {RUNC_}
    assert "may not be the same" not in messages(named)


def test_a_control_that_is_named_though_it_changed_is_doubted(tmp_path: Path) -> None:
    mine = {**COMPONENTS, "runc": MINE}
    found = compare_runs(*twins(tmp_path, components=(COMPONENTS, mine)), Asked(control=RUNC_))
    assert found.control == RUNC_
    assert (
        "The control may not be the same in both runs: containerd/runc has another runc on h1."
        in messages(found)
    )


def test_two_baselines_are_no_control(tmp_path: Path) -> None:
    a, b = twins(tmp_path)
    plans(b, lambda spec: spec.update(baseline=CRUN_))
    found = compare_runs(a, b, Asked())
    assert found.control is None
    assert "the runs have two baselines, containerd/runc and containerd/crun" in messages(found)


def test_where_nothing_tells_what_ran_there_is_no_control(tmp_path: Path) -> None:
    found = compare_runs(*twins(tmp_path, components=None), Asked())
    assert found.control is None
    assert "it is not recorded what containerd/runc was made of on h1" in messages(found)


def test_a_control_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    folders = twins(tmp_path)
    with pytest.raises(UsageError, match="containerd/runsc cannot be the control"):
        compare_runs(*folders, Asked(control="containerd/runsc"))
    alone = Wanted(hosts=HOST, blocks=BLOCKS, handlers=("runc",))
    folders = twins(tmp_path / "alone", wanted=alone)
    assert compare_runs(*folders, Asked()).control is None
    with pytest.raises(UsageError, match="nothing is left to compare"):
        compare_runs(*folders, Asked(control=RUNC_))


@pytest.mark.parametrize(
    ("combination", "wanted"),
    [
        ("crio/runc-mine", {"cri-o": 1, "conmon": 2, "runc-mine": 3, "oom-runc-mine": "x"}),
        ("crio/runc", {"cri-o": 1, "conmon": 2, "runc": 4, "oom-runc-mine": "x"}),
        ("crio/other", None),
        ("containerd/runc", None),
    ],
)
def test_parts_are_known_only_where_each_is_told(combination: str, wanted: dict[str, Any] | None) -> None:
    numbered = {"cri-o": 1, "conmon": 2, "runc-mine": 3, "runc": 4}
    facts = {
        "components": {name: {"version": str(number)} for name, number in numbered.items()},
        "adapters": {"oom-runc-mine": "x", "oom-runcx": "y"},
    }
    found = parts_of(facts, combination)
    assert (found and set(found)) == (wanted and set(wanted))


def test_kernels_and_configurations_that_changed_are_named(tmp_path: Path) -> None:
    a, b = twins(tmp_path)
    rewrite(b, facts={"kernel": {"release": "6.13.0"}, "system": {"configs": {"/etc/x": "ab" * 32}}})
    found = {(one.kind, one.name): (one.a, one.b) for one in compare_runs(a, b, Asked()).alterations}
    assert found == {
        ("host", "kernel"): ("6.12.0-synthetic", "6.13.0"),
        ("configuration", "/etc/x"): (None, "abababababab"),
    }


def test_across_three_machines_the_fleet_is_judged(tmp_path: Path) -> None:
    found = compare_runs(*twins(tmp_path, wanted=FLEET, factor=crun_by(1.4)), Asked())
    (across,) = (v for v in found.verdicts if v.scope is not Scope.HOST)
    assert across.kind is VerdictKind.DIFFERENT
    assert across.evidence.units == 3
    assert across.evidence.ratio == pytest.approx(1.4, rel=0.05)
    assert "containerd/crun (B)" in across.sentence
    assert len(verdicts(found)) == 1  # of each host one, all of one combination
    assert sum(v.scope is Scope.HOST for v in found.verdicts) == 3


def test_machines_that_change_in_opposite_directions_are_a_conflict(tmp_path: Path) -> None:
    by = {"h1": 1.6, "h2": 0.6, "h3": 1.0}
    found = compare_runs(
        *twins(tmp_path, wanted=FLEET, factor=lambda host, b, c: by[host] if c == CRUN_ else 1.0), Asked()
    )
    assert [v.kind for v in found.verdicts if v.scope is Scope.FLEET] == [VerdictKind.CONFLICT]


SHARED = Wanted(hosts=(("h1", "alpha"), ("h2", "alpha"), ("h3", "beta"), ("h4", "gamma")), blocks=BLOCKS)


@pytest.mark.parametrize(
    ("by", "failed", "conflict"),
    [
        ({"h1": 1.6, "h2": 1.6, "h3": 0.6, "h4": 1.0}, 0, True),
        ({"h1": 1.6, "h2": 0.6, "h3": 0.6, "h4": 1.0}, 0, False),  # alpha does not agree with itself
        ({"h1": 0.6, "h2": 1.6, "h3": 1.6, "h4": 1.0}, 0, False),
        ({"h1": 1.6, "h2": 1.6, "h3": 0.6, "h4": 1.0}, 16, False),  # of h2 five values: alpha claims nothing
        ({"h1": 1.6, "h2": 1.6, "h3": 0.6, "h4": 1.0}, 21, True),  # h2 has none: h1 speaks for alpha
    ],
)
def test_machines_disagree_by_what_all_their_hosts_say(
    tmp_path: Path, by: dict[str, float], failed: int, conflict: bool
) -> None:
    fails = tuple(("h2", CRUN_, 20 - number) for number in range(failed))
    found = compare_runs(
        *twins(
            tmp_path,
            wanted=SHARED,
            b=replace(SHARED, fails=fails),
            factor=lambda host, b, c: by[host] if c == CRUN_ else 1.0,
        ),
        Asked(),
    )
    (across,) = (v for v in found.verdicts if v.scope is not Scope.HOST)
    assert (across.kind is VerdictKind.CONFLICT) is conflict
    assert across.evidence.units == 3


def test_on_each_of_three_machines_is_said_where_the_fleet_is_too_unlike(tmp_path: Path) -> None:
    by = {"h1": 1.3, "h2": 1.3, "h3": 9.0}
    found = compare_runs(
        *twins(tmp_path, wanted=FLEET, factor=lambda host, b, c: by[host] if c == CRUN_ else 1.0), Asked()
    )
    (across,) = (v for v in found.verdicts if v.scope is not Scope.HOST)
    assert across.scope is Scope.EACH_MACHINE
    assert across.sentence.startswith("On each of 3 machines: containerd/crun (B) is 1.")


def test_hosts_of_one_machine_are_no_fleet(tmp_path: Path) -> None:
    crowd = Wanted(hosts=(("h1", "alpha"), ("h2", "alpha"), ("h3", "beta")), blocks=BLOCKS)
    found = compare_runs(*twins(tmp_path, wanted=crowd, factor=crun_by(1.4)), Asked())
    assert {v.scope for v in found.verdicts} == {Scope.HOST}


def test_a_benchmark_of_another_size_is_left_out_and_named(tmp_path: Path) -> None:
    both = Wanted(hosts=HOST, blocks={LIFECYCLE: 8, SCALE: 8})
    a, b = twins(tmp_path, wanted=both)
    plans(b, lambda spec: spec["benchmarks"][0].update(params={"time": 1}))
    found = compare_runs(a, b, Asked())
    assert {one.benchmark for one in found.changes} == {SCALE}
    assert f"another size in B: {LIFECYCLE} (time unset, then 1)" in messages(found)
    plans(b, lambda spec: spec["benchmarks"][1].update(params={"time": 1}))
    with pytest.raises(UsageError, match="no benchmark in common: operations"):
        compare_runs(a, b, Asked())


def test_runs_with_nothing_in_common_are_refused_with_what_each_has(tmp_path: Path) -> None:
    wanted = Wanted(hosts=HOST, blocks=BLOCKS)
    cases = {
        "no host in common: A has h1; B has h9": replace(wanted, hosts=(("h9", "alpha"),)),
        "no combination in common: A has containerd/runc, containerd/crun; B has containerd/runsc": replace(
            wanted, handlers=("runsc",)
        ),
        "no benchmark in common: A has operations.container.lifecycle; B has scalability.runtime.5": replace(
            wanted, blocks={SCALE: 6}
        ),
    }
    for index, (words, other) in enumerate(cases.items()):
        with pytest.raises(UsageError, match=words):
            compare_runs(*twins(tmp_path / str(index), wanted=wanted, b=other), Asked())


def test_hosts_of_one_run_alone_are_named(tmp_path: Path) -> None:
    found = compare_runs(*twins(tmp_path, wanted=TWO, b=replace(TWO, hosts=HOST)), Asked())
    assert {one.host for one in found.changes} == {"h1"}
    assert "Only A has a run of h2: left out." in messages(found)


def test_another_machine_of_the_same_name_is_told(tmp_path: Path) -> None:
    a, b = twins(tmp_path)
    assert "same machine" not in messages(compare_runs(a, b, Asked()))
    rewrite(b, facts={"kernel": {"boot_id": "another"}})
    assert "h1: Nothing that was recorded tells whether it is the same machine" in messages(
        compare_runs(a, b, Asked())
    )
    for folder, installation in ((a, "i"), (b, "j")):
        rewrite(folder, facts={"identity": {"installation": installation}})
    assert "h1: It is not the same machine in A and in B" in messages(compare_runs(a, b, Asked()))


def test_a_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    a, _ = twins(tmp_path)
    with pytest.raises(UsageError, match="a-run is not compared with itself"):
        compare_runs(a, a, Asked())


def test_two_combinations_of_one_run_are_those_of_its_report(tmp_path: Path) -> None:
    a, _ = twins(tmp_path, wanted=TWO)
    found = compare_combinations(a, None, CRUN_, Asked())
    pairs = {(p.host, p.metric): p for p in digested(a).pairs}
    assert {(c.host, c.metric) for c in found.changes} == set(pairs)
    for change in found.changes:
        pair = pairs[change.host, change.metric]
        assert change.adjusted == (pair.adjusted if change.primary else None)
        assert (change.ratio, change.interval, change.p, change.a) == (
            pair.ratio,
            pair.interval,
            pair.p,
            pair.pairs,
        )
    assert [v.sentence for v in found.verdicts] == [v.sentence for v in digested(a).verdicts]
    (swapped, _) = found.alterations
    assert (swapped.name, swapped.a, swapped.b) == (
        "OCI runtime",
        "runc 1.3.0 (module, 18df4852)",
        f"crun {CRUN['version']} (debian, b3e5dfe2)",
    )


def test_any_combination_may_be_the_baseline_and_others_do_not_count(tmp_path: Path) -> None:
    three = Wanted(hosts=HOST, blocks=BLOCKS, handlers=("runc", "crun", "runsc"))
    a, _ = twins(tmp_path, wanted=three)
    there = compare_combinations(a, CRUN_, "containerd/runsc", Asked())
    back = compare_combinations(a, "containerd/runsc", CRUN_, Asked())
    assert there.family.size == 1
    for one, other in zip(there.changes, back.changes, strict=True):
        assert one.ratio is not None
        assert other.ratio == pytest.approx(1 / one.ratio)


@pytest.mark.parametrize(
    ("baseline", "other", "words"),
    [
        (None, RUNC_, "containerd/runc is not compared with itself"),
        (None, "crio/runc", "has no combination crio/runc"),
        ("crio/runc", CRUN_, "has no combination crio/runc"),
    ],
)
def test_combinations_that_cannot_be_compared(
    tmp_path: Path, baseline: str | None, other: str, words: str
) -> None:
    a, _ = twins(tmp_path)
    with pytest.raises(UsageError, match=words):
        compare_combinations(a, baseline, other, Asked())


def test_too_few_blocks_for_any_claim_are_told_with_how_many_would_do(tmp_path: Path) -> None:
    """Six blocks of one benchmark, and too few of the other for company: a difference is only probable."""
    few = Wanted(hosts=HOST, blocks={LIFECYCLE: 6, SCALE: 5})
    within = compare_combinations(twins(tmp_path, wanted=few)[0], None, CRUN_, Asked())
    assert "stands alone among 2 comparisons: 7 are needed. Run 7 blocks" in messages(within)
    assert VerdictKind.PROBABLE in {v.kind for v in within.verdicts}
    seven = Wanted(hosts=HOST, blocks={LIFECYCLE: 7, SCALE: 5})
    enough = compare_combinations(twins(tmp_path / "7", wanted=seven)[0], None, CRUN_, Asked())
    assert "stands alone" not in messages(enough)
    assert VerdictKind.DIFFERENT in {v.kind for v in enough.verdicts}


def test_machines_that_changed_unlike_leave_it_undecided_with_how_many_would_decide(tmp_path: Path) -> None:
    """Of three machines one alone changed: a fourth may be anywhere, which is not "near the margin"."""
    grown = {"h1": 1.0, "h2": 1.02, "h3": 1.9}
    twins(
        tmp_path,
        wanted=FLEET,
        factor=lambda host, benchmark, combination: grown[host] if combination == CRUN_ else 1.0,
    )
    (fleet,) = [v for v in again(tmp_path, Asked()).verdicts if v.scope is Scope.FLEET]
    assert fleet.kind is VerdictKind.UNDECIDED
    assert "more machines would decide" in fleet.sentence


@pytest.mark.parametrize(("blocks", "told"), [(20, False), (11, False), (10, True)])
def test_very_unlike_numbers_of_blocks_are_told(tmp_path: Path, blocks: int, told: bool) -> None:
    fewer = Wanted(hosts=HOST, blocks={LIFECYCLE: blocks})
    found = compare_runs(*twins(tmp_path, b=fewer), Asked())
    assert (f"as 20 and {blocks} in {LIFECYCLE}" in messages(found)) is told


def test_flagged_blocks_are_counted_and_all_blocks_count(tmp_path: Path) -> None:
    a, b = twins(tmp_path)
    before = compare_runs(a, b, Asked())
    path = b / "hosts/h1/journal.jsonl"
    lines = path.read_text().splitlines()
    ends = [index for index, line in enumerate(lines) if '"block_ended"' in line and '"block": 5' in line]
    del lines[ends[0]]
    path.write_text("\n".join(lines) + "\n")
    after = compare_runs(a, b, Asked())
    assert "1 block of B is flagged as contaminated." in messages(after)
    assert after.changes == before.changes
