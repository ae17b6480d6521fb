# SPDX-License-Identifier: Apache-2.0
"""What is said once and in its own place: too few blocks, what is not supported, and machines that are missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.model.estimates import Estimates, Family
from orchestrator.model.interval import Interval
from orchestrator.model.samples import TrialCount
from orchestrator.model.verdict import Evidence, MoreUnits, Scope, Subject, Verdict, VerdictKind
from orchestrator.pipeline.report import digested, report
from orchestrator.report.hosts import host_table
from orchestrator.results.shortage import too_few_blocks
from orchestrator.results.store import RunFolder
from orchestrator.results.unsupported import unsupported
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run

WHY = "runsc has no checkpoint."
FOUR = tuple((f"h{number}", f"m{number}") for number in range(1, 5))
LACKING = "Not supported here: the platform has no KVM"


def host_verdict(units: int, kind: VerdictKind = VerdictKind.PROBABLE) -> Verdict:
    ends = Interval(0.9, 1.2, 0.95)
    evidence = Evidence(
        units, 1.02, ends, ends, 0.2, 40, 0.05, more=MoreUnits(9, at_least=False, scatter=0.1)
    )
    return Verdict(kind, Scope.HOST, "h1", Subject("b", "m", "x", "y"), evidence, "")


def family(size: int) -> Family:
    return Family(size, 0, 0.05, None)


def test_too_few_blocks_are_said_once_for_the_run() -> None:
    (notice,) = too_few_blocks([host_verdict(7), host_verdict(9), host_verdict(30)], family(40))
    assert notice.host is None
    assert notice.message == (
        "7 to 9 blocks cannot secure a difference that stands alone among 40 comparisons: 11 can."
    )
    assert notice.hint == "2 differences are only probable. Run 11 blocks, or compare less."


@pytest.mark.parametrize(
    "verdict",
    [host_verdict(11), host_verdict(7, VerdictKind.EQUIVALENT), host_verdict(5, VerdictKind.UNCLAIMED)],
    ids=["as many as are needed", "decided all the same", "fewer than six, which says so itself"],
)
def test_enough_blocks_are_no_notice(verdict: Verdict) -> None:
    assert list(too_few_blocks([verdict], family(40))) == []


def test_a_run_of_few_blocks_says_it(tmp_path: Path) -> None:
    few = digested(
        write_run(
            tmp_path,
            Wanted(hosts=FOUR[:1], effect=0.0, blocks={LIFECYCLE: 6}, handlers=("runc", "crun", "runc2")),
        )
    )
    told = "6 blocks cannot secure a difference that stands alone among 2 comparisons: 7 can."
    assert told in [n.message for n in few.notices]
    enough = Wanted(
        hosts=FOUR[:1],
        effect=0.0,
        blocks={LIFECYCLE: 7},
        handlers=("runc", "crun", "runc2"),
        id="synthetic-2",
    )
    assert not any("cannot secure" in n.message for n in digested(write_run(tmp_path, enough)).notices)


def count(
    host: str,
    benchmark: str,
    combination: str,
    lacks: dict[str, int],
    ok: int = 0,
    unsupported: int | None = None,
) -> TrialCount:
    number = sum(lacks.values()) if unsupported is None else unsupported
    return TrialCount(host, benchmark, combination, ok, 0, number, 0, lacks=lacks)


def test_what_is_not_supported_is_grouped_by_its_reason() -> None:
    found = list(
        unsupported(
            [
                count("h1", "pause", "crio/runsc", {WHY: 3}),
                count("h2", "pause", "crio/runsc", {WHY: 3}),
                count("h1", "pause", "containerd/runsc", {WHY: 3}),
                count("h1", "update", "crio/kata", {"no KVM": 2}),
                count("h2", "update", "crio/runc", {}, ok=5),
            ]
        )
    )
    assert [(n.host, n.message) for n in found] == [
        (
            None,
            "9 trials are not supported (crio/runsc and containerd/runsc in pause; on all 2 hosts): runsc has no checkpoint.",
        ),
        ("h1", "2 trials are not supported (crio/kata in update): no KVM."),
    ]


def test_what_has_no_reason_is_not_lost() -> None:
    (notice,) = unsupported([count("h1", "pause", "crio/runsc", {}, unsupported=2)])
    assert notice.message.startswith(
        "2 trials are not supported (crio/runsc in pause): no reason was recorded"
    )


def unsupported_run(tmp_path: Path) -> Path:
    """Block 2 of runsc failed, all its others are not supported."""
    folder = write_run(
        tmp_path, Wanted(hosts=FOUR[:1], handlers=("runc", "crun", "runsc"), blocks={LIFECYCLE: 7})
    )
    path = RunFolder(folder).journal("h1")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        if record["type"] == "trial" and record["combination"] == "containerd/runsc":
            failed = record["block"] == 2
            record.update(
                status="failed" if failed else "unsupported",
                reason="it broke" if failed else LACKING,
                samples=[],
            )
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_it_is_never_counted_as_what_did_not_succeed(tmp_path: Path) -> None:
    made = report(unsupported_run(tmp_path))
    messages = [notice.message for notice in made.estimates.notices]
    assert f"7 trials are not supported (containerd/runsc in {LIFECYCLE}): {LACKING}." in messages
    assert f"1 of 1 trials of containerd/runsc in {LIFECYCLE} did not succeed: it broke." in messages
    table = {row[0]: row[1] for row in host_table(made).rows}
    assert (table["trials, ok / failed"], table["not supported"]) == ("16 / 1", "7")
    cell = next(c for c in made.estimates.cells if c.combination == "containerd/runsc")
    assert cell.reason == "no counted trial succeeded: it broke"


def gone(tmp_path: Path, hosts: tuple[tuple[str, str], ...], *names: str) -> Estimates:
    """A run of which the hosts ``names`` were lost before their journals were pulled."""
    folder = write_run(tmp_path, Wanted(hosts=hosts, blocks={LIFECYCLE: 10}))
    for name in names:
        RunFolder(folder).journal(name).unlink()
    return digested(folder)


def test_machines_that_are_missing_are_named(tmp_path: Path) -> None:
    made = gone(tmp_path, FOUR, "h2")
    assert made.fleet_sentence == (
        "What is said across machines rests on 3 of 4, each counted once: m2 is missing, of which no ratio was recorded."
    )
    across = [verdict for verdict in made.verdicts if verdict.scope is not Scope.HOST]
    assert across
    assert {verdict.evidence.missing for verdict in across} == {("m2",)}
    assert all(
        verdict.sentence.endswith(" Without m2.") for verdict in across if verdict.scope is Scope.FLEET
    )
    assert {one.missing for one in made.fleet} == {("m2",)}


def test_with_too_few_left_there_is_no_claim_and_it_is_said_who_is_missing(tmp_path: Path) -> None:
    made = gone(tmp_path, FOUR, "h2", "h4")
    assert made.fleet_sentence.startswith("No fleet claim: of 4 machines m2 and m4 are missing")
    assert all(verdict.scope is Scope.HOST for verdict in made.verdicts)
    assert made.fleet[0].reason == "2 of 4 machines have a ratio (m2 and m4 have none), and a fleet needs 3"


def test_none_missing_is_none_named(tmp_path: Path) -> None:
    made = gone(tmp_path, FOUR)
    assert "missing" not in made.fleet_sentence
    assert not any("Without" in verdict.sentence for verdict in made.verdicts)


def test_a_combination_that_is_not_supported_says_so_instead_of_a_claim(tmp_path: Path) -> None:
    verdict = next(
        v for v in report(unsupported_run(tmp_path)).estimates.verdicts if "runsc" in v.subject.combination
    )
    assert verdict.kind is VerdictKind.UNCLAIMED
    assert verdict.sentence.endswith(f"in {LIFECYCLE} (CreateAndRun): containerd/runsc is not supported.")
