# SPDX-License-Identifier: Apache-2.0
"""Every row of STATISTICS.md's table "What may be said": what makes it appear, what nearly does, and which is said first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from orchestrator.model.interval import Interval
from orchestrator.model.verdict import Evidence, MoreUnits, Scope, Subject, Verdict, VerdictKind
from orchestrator.stats.verdict import judge_fleet, judge_host, say_only

SUBJECT = Subject("operations.container.lifecycle", "CreateAndRun", "crio/runsc", "containerd/runc")
LIMIT = 1.05
"""1 + delta."""
MORE = MoreUnits(4, at_least=False, scatter=0.2)
LARGE = Evidence(20, 1.42, Interval(1.35, 1.50, 0.95), Interval(1.37, 1.48, 0.90), 0.001, 5, 0.05, more=MORE)
SMALL = replace(
    LARGE, ratio=1.008, interval=Interval(1.002, 1.014, 0.95), equivalence=Interval(1.003, 1.013, 0.90)
)
EQUAL = replace(
    LARGE,
    ratio=1.004,
    interval=Interval(0.99, 1.02, 0.95),
    equivalence=Interval(0.992, 1.016, 0.90),
    adjusted=0.3,
)
VAGUE = replace(
    LARGE,
    ratio=1.01,
    interval=Interval(0.97, 1.08, 0.95),
    equivalence=Interval(0.98, 1.07, 0.90),
    adjusted=0.3,
)
RANGE = Interval(1.3, 1.5, 1.0)
KINDS = VerdictKind


@dataclass(frozen=True)
class Case:
    """``evidence`` says ``kind``, in ``words``; each of ``nearly`` lacks one thing and must not."""

    kind: VerdictKind
    words: str
    evidence: Evidence
    nearly: dict[str, Evidence]


HOST = {
    "different": Case(
        KINDS.DIFFERENT,
        "crio/runsc is 1.42x slower than containerd/runc",
        LARGE,
        {
            "q is alpha": replace(LARGE, adjusted=0.05),
            "no q": replace(LARGE, adjusted=None),
            "the interval ends at 1": replace(LARGE, interval=Interval(1.0, 2.0, 0.95)),
            "faster, and it ends at 1": replace(LARGE, ratio=0.7, interval=Interval(0.5, 1.0, 0.95)),
            "the estimate is within the margin": replace(LARGE, ratio=LIMIT - 1e-9, interval=Interval(1.01, 1.09, 0.95)),
            "faster, within the margin": replace(LARGE, ratio=1 / LIMIT + 1e-9, interval=Interval(0.92, 0.99, 0.95)),
            "five pairs": replace(LARGE, units=5),
        },
    ),
    "negligible": Case(
        KINDS.NEGLIGIBLE,
        "Detectable but negligible (1.008x slower)",
        SMALL,
        {
            "q is alpha": replace(SMALL, adjusted=0.05),
            "the 90 % interval ends at the margin": replace(SMALL, equivalence=Interval(1.003, LIMIT, 0.90)),
            "it begins at the margin": replace(SMALL, equivalence=Interval(1 / LIMIT, 1.013, 0.90)),
            "five pairs": replace(SMALL, units=5),
        },
    ),
    "equivalent": Case(
        KINDS.EQUIVALENT,
        "No practical difference (within 5 %)",
        EQUAL,
        {
            "the 90 % interval ends at the margin": replace(EQUAL, equivalence=Interval(0.992, LIMIT, 0.90)),
            "it begins at the margin": replace(EQUAL, equivalence=Interval(1 / LIMIT, 1.016, 0.90)),
            "it can be told apart": replace(EQUAL, adjusted=0.049),
            "five pairs": replace(EQUAL, units=5),
        },
    ),
    "probable": Case(
        KINDS.PROBABLE,
        "crio/runsc is probably 1.42x slower than containerd/runc",
        replace(LARGE, adjusted=0.05),
        {
            "q is below alpha": replace(LARGE, adjusted=0.049),
            "the interval ends at 1": replace(LARGE, adjusted=0.05, interval=Interval(1.0, 2.0, 0.95)),
            "the estimate is within the margin": replace(LARGE, adjusted=0.05, ratio=LIMIT - 1e-9, interval=Interval(1.01, 1.09, 0.95)),
            "five pairs": replace(LARGE, adjusted=0.05, units=5),
        },
    ),
    "undecided": Case(
        KINDS.UNDECIDED,
        "Undecided: 1.031x faster to 1.080x slower; about 4 more blocks would decide",
        VAGUE,
        {
            "it lies inside the margin": replace(VAGUE, equivalence=Interval(0.98, 1.049, 0.90)),
            "five pairs": replace(VAGUE, units=5),
        },
    ),
    "unclaimed": Case(
        KINDS.UNCLAIMED,
        "5 blocks of the 6 that an interval needs",
        replace(LARGE, units=5),
        {"six pairs": replace(LARGE, units=6)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOST)
def test_a_host_earns_its_sentence(name: str) -> None:
    case = HOST[name]
    verdict = judge_host("m3", SUBJECT, case.evidence)
    assert (verdict.kind, verdict.scope, verdict.where) == (case.kind, Scope.HOST, "m3")
    assert case.words in verdict.sentence


@pytest.mark.parametrize(("name", "why"), [(name, why) for name, case in HOST.items() for why in case.nearly])
def test_a_host_that_nearly_earns_it_does_not_say_it(name: str, why: str) -> None:
    case = HOST[name]
    verdict = judge_host("m3", SUBJECT, case.nearly[why])
    assert verdict.kind is not case.kind
    assert case.words.split(" (")[0] not in verdict.sentence


def fleet(
    evidence: Evidence = LARGE, ratios: Interval = RANGE, *, conflict: bool = False, each: bool = False
) -> Verdict:
    return judge_fleet(SUBJECT, evidence, ratios, 20, conflict=conflict, each=each)  # fmt: skip


FLEET: dict[str, tuple[Callable[[], Verdict], str, dict[str, Callable[[], Verdict]]]] = {
    "different": (
        fleet,
        "crio/runsc is 1.42x slower than containerd/runc",
        {
            "q is alpha": lambda: fleet(replace(LARGE, adjusted=0.05)),
            "two machines": lambda: fleet(replace(LARGE, units=2)),
            "a conflict": lambda: fleet(conflict=True),
        },
    ),
    "each": (
        lambda: fleet(replace(LARGE, adjusted=0.2, units=3), each=True),
        "On each of 3 machines: crio/runsc is 1.30x-1.50x slower",
        {
            "one machine does not claim it": lambda: fleet(replace(LARGE, adjusted=0.2, units=3)),
            "the fleet claims more": lambda: fleet(each=True),
            "a conflict": lambda: fleet(replace(LARGE, adjusted=0.2), each=True, conflict=True),
        },
    ),
    "negligible": (
        lambda: fleet(SMALL),
        "Across 20 machines: detectable but negligible",
        {"q is alpha": lambda: fleet(replace(SMALL, adjusted=0.05)), "a conflict": lambda: fleet(SMALL, conflict=True)},
    ),
    "equivalent": (
        lambda: fleet(EQUAL),
        "Across 20 machines: no practical difference",
        {
            "the margin is met": lambda: fleet(replace(EQUAL, equivalence=Interval(0.992, LIMIT, 0.90))),
            "a conflict": lambda: fleet(EQUAL, conflict=True),
        },
    ),
    "probable": (
        lambda: fleet(replace(LARGE, adjusted=0.2)),
        "Across 20 machines: crio/runsc is probably 1.42x slower than containerd/runc",
        {
            "q is below alpha": fleet,
            "a conflict": lambda: fleet(replace(LARGE, adjusted=0.2), conflict=True),
            "each machine claims it": lambda: fleet(replace(LARGE, adjusted=0.2), each=True),
        },
    ),
    "undecided": (
        lambda: fleet(VAGUE),
        "Undecided across 20 machines: 1.031x faster to 1.080x slower; about 4 more machines would decide.",
        {"inside the margin": lambda: fleet(EQUAL), "a conflict": lambda: fleet(VAGUE, conflict=True)},
    ),
    "conflict": (
        lambda: fleet(ratios=Interval(0.8, 1.5, 1.0), conflict=True),
        "Machines disagree on the direction (1.25x faster to 1.50x slower)",
        {"no two claim opposite directions": lambda: fleet(ratios=Interval(0.8, 1.5, 1.0))},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FLEET)
def test_machines_earn_their_sentence(name: str) -> None:
    made, words, _ = FLEET[name]
    assert words in made().sentence


@pytest.mark.parametrize(
    ("name", "why"), [(name, why) for name, (*_, nearly) in FLEET.items() for why in nearly]
)
def test_machines_that_nearly_earn_it_do_not_say_it(name: str, why: str) -> None:
    _, words, nearly = FLEET[name]
    assert words.split(" (")[0] not in nearly[why]().sentence


def test_the_first_that_holds_is_said() -> None:
    """From the bottom of the table upwards, each step adds what the next sentence needs, and what held before still holds."""
    steps = [
        (fleet(VAGUE), KINDS.UNDECIDED, Scope.FLEET),
        (fleet(replace(LARGE, adjusted=0.2)), KINDS.PROBABLE, Scope.FLEET),
        (fleet(EQUAL), KINDS.EQUIVALENT, Scope.FLEET),
        (fleet(replace(EQUAL, adjusted=0.01)), KINDS.NEGLIGIBLE, Scope.FLEET),
        (fleet(replace(EQUAL, adjusted=0.01), each=True), KINDS.DIFFERENT, Scope.EACH_MACHINE),
        (fleet(LARGE, each=True), KINDS.DIFFERENT, Scope.FLEET),
        (fleet(LARGE, each=True, conflict=True), KINDS.CONFLICT, Scope.FLEET),
    ]
    for verdict, kind, scope in steps:
        assert (verdict.kind, verdict.scope) == (kind, scope)


def test_a_large_difference_is_never_called_negligible_or_absent() -> None:
    """Where a difference holds and so does equivalence (an interval so narrow that both do), the difference is said."""
    both = replace(
        LARGE, ratio=1.06, equivalence=Interval(1.0, 1.02, 0.90), interval=Interval(1.01, 1.07, 0.95)
    )
    assert judge_host("m3", SUBJECT, both).kind is KINDS.DIFFERENT


def test_on_one_host_only_is_said_of_a_difference_that_no_other_shares() -> None:
    alone, shared = judge_host("m3", SUBJECT, LARGE), judge_host("m4", SUBJECT, LARGE)
    faster = judge_host("m5", SUBJECT, replace(LARGE, ratio=0.7, interval=Interval(0.6, 0.8, 0.95)))
    other = judge_host("m6", replace(SUBJECT, benchmark="another"), LARGE)
    vague = judge_host("m7", SUBJECT, VAGUE)
    assert say_only((alone, faster, other, vague))[0].sentence.startswith("On m3 only: ")
    assert [one.sentence[:7] for one in say_only((alone, shared))] == ["On m3: ", "On m4: "]
    assert say_only((vague,)) == (vague,)


def test_machines_that_are_missing_are_named_behind_the_sentence() -> None:
    without = replace(LARGE, missing=("m4", "m7"))
    assert fleet(without).sentence.endswith(" Without m4 and m7.")
    assert fleet(replace(VAGUE, missing=("m4",))).sentence.endswith(" Without m4.")
    assert "Without" not in fleet().sentence
