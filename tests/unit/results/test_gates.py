# SPDX-License-Identifier: Apache-2.0
"""How a gate is written, what it names, and on what it is decided."""

from __future__ import annotations

import pytest

from orchestrator.model.comparison import Change, Gate, Method, Standing
from orchestrator.model.errors import UsageError
from orchestrator.model.interval import Interval
from orchestrator.results.gate_language import parse_gate
from orchestrator.results.gates import decide
from orchestrator.stats.change_sentences import as_percent, as_percents

RUNC, CRUN = "containerd/runc", "containerd/crun"


def change(
    low: float,
    high: float,
    *,
    benchmark: str = "a.b.c",
    metric: str = "Time",
    combination: str = CRUN,
    host: str = "h1",
    primary: bool = True,
    better: str = "lower",
) -> Change:
    """With a 90 % interval from ``low`` to ``high``, and a 95 % one that is far wider."""
    return Change(
        host, "alpha", benchmark, metric, combination, "s", better, primary, Method.DIRECT, 9, 9, 1.0, 1.0,
        ratio=(low * high) ** 0.5, interval=Interval(low / 2, high * 2, 0.95), equivalence=Interval(low, high, 0.9),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a.b.c <= +5%", (None, None, True, 1.05)),
        ("a.b.c<=5%", (None, None, True, 1.05)),
        ("a.b.c >= -3%", (None, None, False, 0.97)),
        ("a.b.c:Start <= 0.5 %", ("Start", None, True, 1.005)),
        ("a.b.c@containerd/runc-mine <= +0%", (None, "containerd/runc-mine", True, 1.0)),
        (" a.b.c:Start@crio/runc  >=  +10% ", ("Start", "crio/runc", False, 1.1)),
    ],
)
def test_how_a_gate_is_written(text: str, wanted: tuple[str | None, str | None, bool, float]) -> None:
    gate = parse_gate(text)
    assert gate == Gate(text, "a.b.c", *wanted[:3], limit=gate.limit)
    assert gate.limit == pytest.approx(wanted[3])


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 1, "the name of a benchmark"),
        ("<= 5%", 1, "the name of a benchmark"),
        ("a.b.c", 6, "<= or >="),
        ("a.b.c < 5%", 7, "<= or >="),
        ("a.b.c: <= 5%", 6, "a metric"),
        ("a.b.c@runc <= 5%", 6, "a combination"),
        ("a.b.c <= 5", 10, "a change in percent"),
        ("a.b.c <= five%", 10, "a change in percent"),
        ("a.b.c <= 5% please", 13, "the end"),
        ("a.b.c@x/y:Time <= 5%", 10, "<= or >="),
        ("a.b.c >= -100%", 10, "above -100%"),
    ],
)
def test_what_is_no_gate_is_refused_with_the_place(text: str, at: int, words: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_gate(text)
    assert f"at character {at} " in error.value.message
    assert words in error.value.message
    assert error.value.hint and "BENCHMARK[:METRIC][@CRI/OCI]" in error.value.hint


def test_it_is_decided_on_the_90_percent_interval() -> None:
    (result,) = decide([parse_gate("a.b.c <= +5%")], [change(0.99, 1.04)])
    assert result.standing is Standing.PASSED
    assert result.sentence == "a.b.c <= +5%: containerd/crun on h1 changed by -1.0 % to +4.0 % (90 % CI)."


def test_a_gate_speaks_of_values_where_higher_is_better() -> None:
    """A throughput whose ratio is 1.25-1.30 on the scale where above 1 is worse has fallen by 20 to 23 %."""
    fallen = change(1.25, 1.30, better="higher")
    texts = ("a.b.c >= -5%", "a.b.c >= -25%", "a.b.c <= +5%")
    kept = [result.standing for result in decide([parse_gate(text) for text in texts], [fallen])]
    assert kept == [Standing.FAILED, Standing.PASSED, Standing.PASSED]


def test_a_gate_holds_on_every_host_and_combination_that_it_names() -> None:
    every = [
        change(0.99, 1.01),
        change(1.2, 1.3, host="h2"),
        change(1.2, 1.3, combination=RUNC),
        change(1.2, 1.3, metric="Other", primary=False),
        change(1.2, 1.3, benchmark="a.b.cd"),
    ]
    found = decide([parse_gate("a.b.c <= +5%"), parse_gate(f"a.b.c:Other@{CRUN} <= +5%")], every)
    assert [(r.host, r.combination, r.metric, r.standing) for r in found] == [
        ("h1", CRUN, "Time", Standing.PASSED),
        ("h2", CRUN, "Time", Standing.FAILED),
        ("h1", RUNC, "Time", Standing.FAILED),
        ("h1", CRUN, "Other", Standing.FAILED),
    ]


def test_a_beginning_that_only_one_metric_has_is_its_name() -> None:
    both = [change(1.0, 1.01), change(1.0, 1.3, metric="Total", primary=False)]
    assert [(r.metric, r.standing) for r in decide([parse_gate("a.b.c:Tim <= +5%")], both)] == [
        ("Time", Standing.PASSED)
    ]
    with pytest.raises(UsageError, match="has no metric T"):
        decide([parse_gate("a.b.c:T <= +5%")], both)


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("a.b.x <= 5%", "there is no benchmark a.b.x. There is: a.b.c.", "Did you mean a.b.c?"),
        ("a.b.c:ti <= 5%", "a.b.c has no metric ti. It has: Time.", "Did you mean Time?"),
        ("a.b.c@crio/crun <= 5%", "crio/crun is not compared. There is: containerd/crun.", ""),
        ("zzz <= 5%", "There is: a.b.c.", None),
    ],
)
def test_a_gate_that_names_nothing_is_refused_with_what_there_is(
    text: str, words: str, hint: str | None
) -> None:
    with pytest.raises(UsageError) as error:
        decide([parse_gate(text)], [change(1, 1.1)])
    assert words in error.value.message
    assert hint is None or (error.value.hint or "").startswith(hint)


def test_the_controls_own_change_is_no_gates_business() -> None:
    with pytest.raises(UsageError, match="containerd/runc is the control"):
        decide([parse_gate(f"a.b.c@{RUNC} <= 5%")], [change(1, 1.1)], control=RUNC)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.0, "+0.0 %"),
        (1.034, "+3.4 %"),
        (0.88, "-12 %"),
        (1.0996, "+10 %"),
        (2.0, "+100 %"),
        (2.01, "2.01x"),
        (9.9, "9.90x"),
        (12.5, "12.5x"),
    ],
)
def test_a_ratio_as_a_change(ratio: float, text: str) -> None:
    assert as_percent(ratio) == text
    assert as_percents(Interval(0.5, ratio, 0.9)) == f"-50 % to {text}"
