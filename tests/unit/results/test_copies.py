# SPDX-License-Identifier: Apache-2.0
"""One run in two places is refused wherever it would count twice, with both folders and the host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cli.main import run as labctl
from orchestrator.model.errors import ResultError, UsageError
from orchestrator.pipeline.compare import Wanted as Asked
from orchestrator.pipeline.compare import compare_runs
from orchestrator.pipeline.importing import import_touchstone
from orchestrator.pipeline.report import report, result_folder
from orchestrator.results.store import RunFolder, RunStore
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run
from tests.fixtures.twins import plans

BLOCKS = {LIFECYCLE: 7}
TWO = Wanted(hosts=(("h1", "alpha"), ("h2", "beta")), blocks=BLOCKS, id="run-1", seed=1)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return write_run(tmp_path, TWO)


def copied(folder: Path, name: str = "copy", run: str | None = None) -> Path:
    """A copy beside it, of another run's id where one is named."""
    target = folder.parent / name
    shutil.copytree(folder, target)
    if run:
        plans(target, lambda spec: spec.update(id=run))
    return target


def shortened(folder: Path, *hosts: str) -> Path:
    """As it was pulled when only two thirds of the journals were there, the last line torn."""
    for host in hosts:
        path = RunFolder(folder).journal(host)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
    return folder


def without(folder: Path, host: str) -> Path:
    RunFolder(folder).journal(host).unlink()
    return folder


@pytest.mark.parametrize(
    "read", [report, lambda a, b: compare_runs(a, b, Asked())], ids=["report", "compare"]
)
@pytest.mark.parametrize("run", [None, "another-id"])
def test_a_copy_is_refused_with_both_folders_and_the_hosts(
    original: Path, read: Callable[[Path, Path], object], run: str | None
) -> None:
    copy = copied(original, run=run)
    with pytest.raises(UsageError) as refused:
        read(original, copy)
    for words in (str(original), str(copy), "the same journal of h1 and h2"):
        assert words in refused.value.message


def test_one_hosts_journal_among_others_is_enough(original: Path, tmp_path: Path) -> None:
    later = write_run(tmp_path, Wanted(hosts=TWO.hosts, blocks=BLOCKS, id="run-2", seed=2))
    shutil.copy(RunFolder(original).journal("h2"), RunFolder(later).journal("h2"))
    with pytest.raises(UsageError, match="have the same journal of h2: its blocks would count twice"):
        report(original, later)


@pytest.mark.parametrize("run", [None, "another-id"])
def test_an_older_pull_is_refused_and_the_fuller_folder_named(original: Path, run: str | None) -> None:
    older = shortened(copied(original, run=run), "h1", "h2")
    with pytest.raises(UsageError) as refused:
        report(original, older)
    assert (
        f"The journal of h1 and h2 in {older} is the beginning of that in {original}" in refused.value.message
    )
    assert refused.value.hint == f"Name {original} alone: it has more."


def test_two_parts_of_one_run_without_a_journal_in_both_are_one_run(original: Path) -> None:
    copy = without(copied(original), "h1")
    without(original, "h2")
    with pytest.raises(
        UsageError,
        match=r"copy \(with measurements of h2\) and .*run-1 \(of h1\) are folders of one run, run-1",
    ):
        report(original, copy)


def test_a_folder_under_another_spelling_counts_once(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(original.parent)
    (original.parent / "link").symlink_to(original)
    alone = result_folder([original])
    assert result_folder([original, Path("run-1"), Path("link")]) == alone == original
    with pytest.raises(UsageError, match="is not compared with itself"):
        compare_runs(original, Path("link"), Asked())


def test_other_runs_of_the_same_hosts_are_joined(original: Path, tmp_path: Path) -> None:
    later = write_run(tmp_path, Wanted(hosts=TWO.hosts, blocks=BLOCKS, id="run-2", seed=2))
    joined = report(original, later)
    assert {pair.pairs for pair in joined.estimates.pairs} == {14}


def test_runs_without_any_whole_line_are_no_copies(original: Path, tmp_path: Path) -> None:
    later = write_run(tmp_path, Wanted(hosts=TWO.hosts, blocks=BLOCKS, id="run-2", seed=2))
    for folder in (original, later):
        RunFolder(folder).journal("h1").write_bytes(b"")
    assert len(report(original, later).estimates.hosts) == 2


def test_one_journal_under_two_hosts_of_a_run_is_refused(original: Path) -> None:
    shutil.copy(RunFolder(original).journal("h1"), RunFolder(original).journal("h2"))
    with pytest.raises(ResultError, match="h1 and h2 would count as two hosts"):
        report(original)


def test_a_result_file_that_is_imported_twice_or_grew_is_refused(tmp_path: Path) -> None:
    values = {"Name": LIFECYCLE, "Aggregated": {}, "Reports": [{"Create": 0.5}] * 6}
    file, store = tmp_path / "results.json", RunStore(tmp_path / "runs")
    entry = json.dumps([{"CRI": "containerd", "OCI": "runc", "Results": [values]}])
    file.write_text(entry + "\n")
    first, again = (import_touchstone(file, store, host, datetime(2026, 1, 2, 3, 4, number, tzinfo=UTC))
                    for number, host in enumerate(("old", "new")))  # fmt: skip
    with pytest.raises(UsageError, match=r"the same result file of old \(there new\)"):
        report(first.path, again.path)
    file.write_text(f"{entry}\n{entry}\n")
    grown = import_touchstone(file, store, "old", datetime(2026, 1, 2, 3, 4, 9, tzinfo=UTC))
    with pytest.raises(UsageError, match=f"is the beginning of that in {grown.path}"):
        report(first.path, grown.path)


@pytest.mark.parametrize("verb", ["report", "compare"])
def test_the_commands_say_so_with_exit_code_2(
    original: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    copy = copied(original)
    code = labctl([verb, str(original), str(copy)])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "have the same journal of h1 and h2" in " ".join(err.split())
    assert not (original.parent / "joined").exists()
