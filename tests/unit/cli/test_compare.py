# SPDX-License-Identifier: Apache-2.0
"""labctl compare as it is typed: what is printed, in which form, and with which exit code."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.main import run
from orchestrator.results.schemas import schema_of
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted
from tests.fixtures.twins import BLOCKS, COMPONENTS, HOST, MINE, plans, rewrite, rewrite_trials, twins

CRUN = "containerd/crun"
REAL = Path(__file__).resolve().parents[2] / "fixtures/real/demo"
Said = tuple[int, str, str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Runs a-run and b-run: in B the machine is slower by half, and crun beside that by 30 %."""
    twins(
        tmp_path,
        factor=lambda host, benchmark, combination: 1.5 * (1.3 if combination == CRUN else 1.0),
        components=(COMPONENTS, {**COMPONENTS, "crun": MINE}),
    )
    return tmp_path / "runs"


def typed(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    code = run(["compare", "--root", str(root), *words])
    out, err = capsys.readouterr()
    return code, out, err


def gate(text: str) -> Sequence[str]:
    return "--gate", f"{LIFECYCLE}{text}"


@pytest.mark.parametrize(
    ("gates", "more", "code", "said"),
    [
        ([], [], 0, ""),
        (["<= +50%"], [], 0, ""),
        (["<= +5%"], [], 4, f"Failed: {LIFECYCLE}<= +5% (containerd/crun on h1)"),
        (["<= +30%"], [], 4, f"Undecided: {LIFECYCLE}<= +30% (containerd/crun on h1)"),
        (["<= +30%"], ["--undecided-passes"], 0, ""),
        (["<= +5%"], ["--undecided-passes"], 4, "Failed"),
        (["<= +50%", ":Run <= 5%"], [], 4, f"Failed: {LIFECYCLE}:Run <= 5% (containerd/crun on h1)"),
        ([">= +5%", "<= +50%"], [], 0, ""),
        (["@containerd/crun <= +50%"], [], 0, ""),
        (["@containerd/runc <= +50%"], [], 2, "containerd/runc is the control"),
        (["@containerd/runc <= +5%"], ["--control", "none"], 4, "Failed"),
        ([":Start <= +500%"], [], 0, ""),
        (
            [":StartContaine <= -90%"],
            [],
            4,
            f"Failed: {LIFECYCLE}:StartContaine <= -90% (containerd/crun on h1)",
        ),
        ([":Sto <= 5%"], [], 2, "Did you mean StopContainer?"),
        (["<= 5"], [], 2, "at character 34 stands '5'"),
    ],
)
def test_gates_and_exit_codes(
    root: Path, capsys: pytest.CaptureFixture[str], gates: list[str], more: list[str], code: int, said: str
) -> None:
    words = [word for text in gates for word in gate(text)]
    found, out, err = typed(root, capsys, "a-run", "b-run", *words, *more)
    assert found == code
    assert said in err if said else err == ""
    assert (out == "") == (code == 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a-run"], "Name a second RUN"),
        (["a-run", "a-run"], "a-run is not compared with itself"),
        (["a-run", "a"], "a-run is not compared with itself"),
        (["a-run", "b-run", "a-run"], "3 are named"),
        (["a-run", "b-run", "--with", CRUN], "name one RUN"),
        (["a-run", "b-run", "--baseline", CRUN], "name one RUN"),
        (["a-run", "--with", CRUN, "--control", "none"], "--control is of two runs"),
        (["a-run", "--with", "crio/runc"], "It has: containerd/runc, containerd/crun."),
        (["a-run", "nosuch"], "There is no run 'nosuch'"),
        (["a-run", "b-run", "--json", "--markdown"], "exclude each other"),
        (["a-run", "b-run", "--margin", "0"], "--margin"),
        ([], "RUN_A"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, out, err = typed(root, capsys, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_the_terminal_says_first_what_holds_then_what_changed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = typed(root, capsys, "a-run", "b-run", *gate("<= +5%"), *gate(":Run <= +50%"))
    assert code == 4
    order = [
        "A a-run (synthetic, profile thesis",
        "B b-run",
        "relative to containerd/runc, the control",
        "crun: 1.21-1 (debian, b3e5dfe2) -> 1.3.0-12-gabc (checkout, 01234567)",
        f"✗ Failed: {LIFECYCLE} <= +5%".replace(" <= ", "<= "),
        "✓ Passed",
        "Gates: 1 failed, 1 passed.",
        "● On h1: containerd/crun (B) is",
        "1 comparison of primary metrics on hosts: 1 a difference.",
        "h1 (machine alpha)",
        f"{LIFECYCLE}: CreateAndRun [ms]",
        f"{LIFECYCLE}: Run [ms]",
        "The control itself, containerd/runc: the machine's drift, no finding",
    ]
    places = [out.find(words) for words in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    row = next(line for line in out.splitlines() if line.startswith(" containerd/crun"))
    assert re.search(r"\+(2[5-9]|3[0-5]) % +\+2\d % to \+3\d % +slower$", row), row


def test_a_gate_that_fails_anywhere_has_failed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """runc changed by 50 %, crun by 95 %."""
    code, out, err = typed(
        root, capsys, "a-run", "b-run", "--control", "none", *gate("<= +70%"), *gate("<= +30%")
    )
    assert code == 4
    assert "Gates: 2 failed." in out
    assert "✓ Passed" in out
    assert (
        f"Failed: {LIFECYCLE}<= +70% (containerd/crun on h1), {LIFECYCLE}<= +30% (containerd/runc on h1;"
        in err
    )


def test_two_combinations_have_their_verdict_in_the_row(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = typed(root, capsys, "a-run", "--with", CRUN)[1]
    (row,) = (line for line in out.splitlines() if line.startswith(" containerd/crun"))
    assert row.endswith("faster")
    assert "OCI runtime: runc 1.3.0 (module, 18df4852) -> crun 1.21-1 (debian, b3e5dfe2)" in " ".join(
        out.split()
    )


def test_it_is_plain_and_fits_80_columns_in_a_pipe(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(root / "b-run", facts={"system": {"configs": {f"/etc/{'long/' * 20}x": "ab" * 32}}})
    for words in (["a-run", "b-run", *gate("<= +5%")], ["a-run", "--with", CRUN]):
        out = typed(root, capsys, *words)[1]
        assert "\x1b" not in out
        assert max(len(line) for line in out.splitlines()) <= 80
        assert not any(line.endswith(" ") for line in out.splitlines())


def test_json_is_as_its_schema_says_and_nothing_else(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validator = Draft202012Validator(schema_of("comparison"))
    for words in (["a-run", "b-run", *gate("<= +5%")], ["a-run", "--with", CRUN]):
        document = json.loads(typed(root, capsys, *words, "--json")[1])
        assert [error.message for error in validator.iter_errors(document)] == []
    assert (document["a"]["combination"], document["b"]["combination"]) == ("containerd/runc", CRUN)
    assert not validator.is_valid({**document, "schema": 0})
    assert not validator.is_valid({**document, "changes": [{**document["changes"][0], "method": "guessed"}]})


def test_json_has_the_gates_with_their_intervals(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = typed(root, capsys, "a-run", "b-run", *gate("<= +5%"), "--json")
    assert code == 4
    assert "Failed" in err
    (result,) = json.loads(out)["gates"]
    assert result["standing"] == "failed"
    assert 1.05 < result["interval"]["low"] < 1.3 < result["interval"]["high"]
    assert result["interval"]["level"] == 0.9


def tables(markdown: str) -> list[list[list[str]]]:
    """Every table: its rows, the head first; each row has as many cells as the head."""
    found: list[list[list[str]]] = []
    for block in re.findall(r"(?:^\|.*\|\n)+", markdown, re.MULTILINE):
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        assert {len(row) for row in rows} == {len(rows[0])}
        found.append([rows[0], *rows[2:]])
    return found


def test_markdown_has_the_gates_first_and_folds_the_rest(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = typed(root, capsys, "a-run", "b-run", *gate("<= +50%"), *gate(":Run <= +5%"), "--markdown")
    assert code == 4
    assert out.startswith("### labctl compare: Gates: 1 failed, 1 passed.\n")
    gates, builds, changes, *_ = tables(out)
    assert [row[0] for row in gates[1:]] == ["❌ failed", "✅ passed"]
    assert builds[1] == ["h1", "crun", "1.21-1 (debian, b3e5dfe2)", "1.3.0-12-gabc (checkout, 01234567)"]
    assert changes[1][1] == CRUN
    assert changes[1][-1] == "slower"
    assert out.count("<details>") == out.count("</details>") == 1
    assert out.index("The control itself") > out.index("<details>")


def test_markdown_with_many_rows_shows_the_differences_and_folds_all(tmp_path: Path, capsys: Any) -> None:
    hosts = tuple((f"h{number}", f"m{number}") for number in range(12))
    many = Wanted(hosts=hosts, blocks={LIFECYCLE: 8, SCALE: 8})
    slower = "h3"
    twins(
        tmp_path, wanted=many, factor=lambda host, benchmark, c: 1.6 if (host, c) == (slower, CRUN) else 1.0
    )
    _, out, _ = typed(tmp_path / "runs", capsys, "a-run", "b-run", "--markdown")
    shown, folded = tables(out)[:2]
    assert slower in {row[2] for row in shown[1:]}
    assert shown == [row for row in folded if row[-1] in ("verdict", "slower", "faster")]
    assert len(folded) - 1 == 24
    assert "<details><summary>All 24 changes</summary>" in out
    _, out, _ = typed(tmp_path / "runs", capsys, "a-run", "b-run")
    assert f"{25 - len(shown)} rows without a claimed difference are left out here" in out
    assert {line.split()[0] for line in out.splitlines() if "(machine" in line} == {
        row[2] for row in shown[1:]
    }


def test_markdown_cannot_be_broken_by_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = twins(tmp_path)
    for folder in (a, b):
        plans(folder, lambda spec: spec.update(suite="a|b <b>_x_ *y*"))
    out = typed(tmp_path / "runs", capsys, "a-run", "b-run", "--markdown")[1]
    assert "a\\|b &lt;b&gt;\\_x\\_ \\*y\\*" in out
    assert tables(out)


def test_a_real_run_is_compared_within_itself_and_with_a_slower_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real run, and the same with crun slowed by half: what was the same is no finding, what was slowed is one."""
    for name in ("20260101-000000-real", "20260102-000000-slow"):
        shutil.copytree(REAL, tmp_path / name)
        plans(tmp_path / name, lambda spec, name=name: spec.update(id=name))  # type: ignore[misc]
    rewrite(tmp_path / "20260102-000000-slow", factor=lambda h, b, c: 1.5 if c == CRUN else 1.0)
    code, out, _ = typed(tmp_path, capsys, "20260101", "20260102", "--gate", f"{LIFECYCLE}@{CRUN} <= +10%")
    assert code == 4
    assert "relative to containerd/runc, the control" in out or "there is no control" in out
    rows = [line for line in out.splitlines() if line.startswith(" containerd/crun")]
    assert len(rows) == 4
    assert all("+50 %" in row for row in rows)
    code, out, _ = typed(tmp_path, capsys, "20260101", "--with", CRUN)
    assert code == 0
    assert "paired by block" in out


def test_whole_hosts_are_told_where_nothing_is_claimed_beyond_them(root: Path, capsys: Any) -> None:
    assert "No fleet claim: 1 host on 1 machine." in " ".join(
        typed(root, capsys, "a-run", "b-run")[1].split()
    )


def test_what_failed_everywhere_is_a_dash_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = Wanted(hosts=HOST, blocks=BLOCKS, fails=tuple(("h1", CRUN, block) for block in range(21)))
    twins(tmp_path, b=wanted)
    code, out, _ = typed(tmp_path / "runs", capsys, "a-run", "b-run", *gate("<= +5%"))
    assert code == 4
    assert "- no counted trial succeeded in B (1 row)" in out
    assert "has no interval (no counted trial succeeded in B)" in " ".join(out.split())


def lost(root: Path, count: int, **fields: Any) -> Path:
    """B as A, but that the last ``count`` of crun's 20 counted trials failed, or are what ``fields`` say."""
    outcome = {"status": "failed", "reason": "StartContainer: no such device", "samples": [], **fields}
    _, b = twins(root, wanted=Wanted(hosts=HOST, blocks=BLOCKS))
    rewrite_trials(
        b,
        lambda trial: (
            {**trial, **outcome} if trial["combination"] == CRUN and trial["block"] > 20 - count else trial
        ),
    )
    return root / "runs"


@pytest.mark.parametrize(
    ("count", "status", "more", "code"),
    [
        (14, "failed", [], 4),
        (14, "failed", ["--undecided-passes"], 4),
        (20, "failed", ["--undecided-passes"], 4),
        (20, "unsupported", [], 4),
        (20, "unsupported", ["--undecided-passes"], 4),
        (1, "failed", [], 0),
    ],
)
@pytest.mark.parametrize("form", [[], ["--markdown"], ["--json"]])
def test_failed_trials_are_said_in_every_form_and_decide_the_exit_code(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    count: int,
    status: str,
    more: list[str],
    code: int,
    form: list[str],
) -> None:
    root = lost(tmp_path, count, status=status)
    words = {
        "failed": f"{count} of 20 trials failed in B, 0 of 20 in A.",
        "unsupported": "20 of 20 trials are not supported in B, but supported in A",
    }[status]
    found, out, err = typed(root, capsys, "a-run", "b-run", *gate("<= +50%"), *more, *form)
    assert found == code
    assert words in " ".join(out.split())
    assert "Traceback" not in err
    if code and status == "unsupported":
        assert "lets it pass" not in err
    if form == ["--json"]:
        document = json.loads(out)
        assert Draft202012Validator(schema_of("comparison")).is_valid(document)
        (cell,) = document["failures"]
        assert cell["b"]["failed" if status == "failed" else "unsupported"] == count


def test_failures_stand_before_what_is_said_of_values_and_with_their_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = " ".join(typed(lost(tmp_path, 14), capsys, "a-run", "b-run")[1].split())
    words = f"✗ {CRUN} in {LIFECYCLE} on h1: 14 of 20 trials failed in B, 0 of 20 in A. Most often: StartContainer: no such device."
    assert words in out
    assert out.index(words) < out.index("1 comparison of primary metrics")
