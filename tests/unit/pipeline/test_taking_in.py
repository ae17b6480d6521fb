# SPDX-License-Identifier: Apache-2.0
"""A run of another controller: taken in whole or not at all, never over another, and never out of its place."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import cli
from orchestrator.model.errors import ResultError
from orchestrator.model.run import HostState, RunState, RunStatus
from orchestrator.pipeline.report import digest, report
from orchestrator.pipeline.taking_in import import_run
from orchestrator.results import estimates
from orchestrator.results.store import RunFolder, RunStore
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run

WANTED = Wanted(blocks={LIFECYCLE: 3}, id="run-1")
JOURNAL = "hosts/h1/journal.jsonl"


def ended(folder: Path, exit_code: int | None = 0) -> Path:
    hosts = (HostState("h1", RunStatus.COMPLETE, 8, 0, 0), HostState("h2", RunStatus.COMPLETE, 8, 0, 0))
    status = RunStatus.RUNNING if exit_code is None else RunStatus.COMPLETE
    RunFolder(folder).write_state(
        RunState(folder.name, status, hosts, "2026-01-02T03:10:05+00:00", exit_code)
    )
    return folder


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A run where another controller made it."""
    return ended(write_run(tmp_path / "theirs", WANTED))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "ours")


def packed(folder: Path, path: Path, top: str | None = None, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        tar.add(folder, folder.name if top is None else top)
    return path


def edited(folder: Path, name: str, change: Callable[[Any], object]) -> None:
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))


def refused(source: Path, store: RunStore) -> ResultError:
    """The error; nothing has changed in the store."""
    before = _contents(store.root)
    with pytest.raises(ResultError) as caught:
        import_run(source, store)
    assert _contents(store.root) == before
    assert ".import-" not in str(caught.value)
    return caught.value


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("top", [None, ".", "elsewhere", "folder"])
def test_it_is_taken_in_as_it_was_measured_and_digested_here(
    theirs: Path, store: RunStore, tmp_path: Path, top: str | None
) -> None:
    (theirs / "estimates.json").write_text('{"schema": 4, "what": "somebody wrote"}')
    (theirs / "report.html").write_text("<script>")
    (theirs / "conductor.lock").write_text("1")
    source = theirs if top == "folder" else packed(theirs, tmp_path / "a.tar.gz", top)
    taken = import_run(source, store)
    assert not taken.known
    assert store.ids() == ["run-1"]
    assert (taken.folder.path / JOURNAL).read_bytes() == (theirs / JOURNAL).read_bytes()
    assert [path.name for path in store.root.iterdir()] == ["run-1"]
    assert not {path.name for path in taken.folder.path.iterdir()} & {"report.html", "conductor.lock"}
    digest(theirs)
    assert (taken.folder.path / "estimates.json").read_bytes() == (theirs / "estimates.json").read_bytes()
    assert estimates.load(taken.folder.path).sources == estimates.fingerprint(taken.folder.path)


def test_the_very_same_run_is_left_alone(theirs: Path, store: RunStore) -> None:
    import_run(theirs, store)
    before = _contents(store.root)
    digest(theirs)  # which notes in run.json what the hosts ran
    assert import_run(theirs, store).known
    assert _contents(store.root) == before


@pytest.mark.parametrize("what", ["hosts/h2/journal.jsonl", "run.json"])
def test_another_run_of_that_id_is_never_overwritten(theirs: Path, store: RunStore, what: str) -> None:
    import_run(theirs, store)
    if what == "run.json":
        edited(theirs, what, lambda run: run.update(seed=99))
    else:
        (theirs / what).unlink()
    error = refused(theirs, store)
    assert error.message.endswith(f"has a run run-1 already, and its {what} is another.")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "newer": (lambda run: edited(run, "run.json", lambda v: v.update(schema=9)), "written by a newer labctl"),
    "no run.json": (lambda run: (run / "run.json").unlink(), "has no run.json"),
    "no JSON": (lambda run: (run / "run.json").write_text("{"), "is not JSON"),
    "id": (lambda run: edited(run, "run.json", lambda v: v.update(id="../../etc")), "is no run's"),
    "hidden": (lambda run: edited(run, "run.json", lambda v: v.update(id=".hidden")), "is no run's"),
    "joined": (lambda run: edited(run, "run.json", lambda v: v.update(runs=["a"])), "a report of joined runs"),
    "under way": (lambda run: ended(run, None), "has not ended where it was made"),
    "no state": (lambda run: (run / "state.json").unlink(), "has not ended where it was made"),
    "other state": (lambda run: edited(run, "state.json", lambda v: v.update(id="x")), "is of the run x"),
    "no journals": (lambda run: shutil.rmtree(run / "hosts"), "has a journal here"),
    "other host": (lambda run: (run / "hosts/h2").rename(run / "hosts/h3"), "h3, which is no host of the run"),
    "swapped": (lambda run: shutil.copy(run / "hosts/h2/journal.jsonl", run / JOURNAL), "h1 is that of h2"),
    "torn": (lambda run: (run / JOURNAL).write_text("{}\nx\n"), "journal.jsonl:1: not a journal record"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("as_tar", [False, True])
def test_what_is_not_a_whole_run_is_refused(
    theirs: Path, store: RunStore, tmp_path: Path, damage: str, as_tar: bool
) -> None:
    damaging, why = DAMAGE[damage]
    damaging(theirs)
    source = packed(theirs, tmp_path / "a.tgz") if as_tar else theirs
    error = refused(source, store)
    assert why in error.message
    assert error.message.startswith(str(source))
    assert error.hint


def test_a_host_whose_name_leads_elsewhere_is_refused(theirs: Path, store: RunStore) -> None:
    edited(theirs, "run.json", lambda run: run["hosts"][0].update(name="../../../outside"))
    assert "which is no host of the run" in refused(theirs, store).message


@pytest.mark.parametrize(
    "name", ["../outside", "/outside", "run-1/../../outside", "run-1/hosts/../../../x/journal.jsonl"]
)
def test_a_tar_that_leads_out_is_refused(theirs: Path, store: RunStore, tmp_path: Path, name: str) -> None:
    source = packed(theirs, tmp_path / "a.tar", mode="w")
    with tarfile.open(source, "a") as tar:
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    assert "leads out of it" in refused(source, store).message
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_in_a_tar_is_refused(theirs: Path, store: RunStore, tmp_path: Path, kind: bytes) -> None:
    source = packed(theirs, tmp_path / "a.tar", mode="w")
    with tarfile.open(source, "a") as tar:
        member = tarfile.TarInfo(f"run-1/{JOURNAL}")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    assert f"a link or a device where {JOURNAL} should be" in refused(source, store).message


@pytest.mark.parametrize("place", [JOURNAL, "hosts/h1", "state.json"])
def test_a_link_in_a_folder_is_refused(theirs: Path, store: RunStore, tmp_path: Path, place: str) -> None:
    (theirs / place).rename(tmp_path / "aside")
    (theirs / place).symlink_to(tmp_path / "aside")
    assert "a link or a device where " in refused(theirs, store).message


def test_a_link_that_is_no_part_of_a_run_is_passed_over(
    theirs: Path, store: RunStore, tmp_path: Path
) -> None:
    (theirs / "report.html").symlink_to("/etc/passwd")
    import_run(packed(theirs, tmp_path / "a.tar", mode="w"), store)
    assert not (store.root / "run-1/report.html").exists()


def test_what_is_no_tar_is_refused(theirs: Path, store: RunStore, tmp_path: Path) -> None:
    whole = packed(theirs, tmp_path / "a.tar", mode="w").read_bytes()
    packed(theirs, tmp_path / "a.tgz")
    torn = tmp_path / "torn.tgz"
    torn.write_bytes((tmp_path / "a.tgz").read_bytes()[:2000])
    assert "torn.tgz: is torn: " in refused(torn, store).message
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.tar", store)
    (tmp_path / "text").write_text("no tar")
    assert refused(tmp_path / "text", store).message.endswith("text: is no tar.")
    assert "No such file" in refused(tmp_path / "nowhere", store).message
    both = tmp_path / "both.tar"
    with tarfile.open(both, "w") as tar:
        tar.add(theirs, "run-1")
        tar.add(theirs, "run-2")
    assert "both.tar: holds 2 runs" in refused(both, store).message


def test_the_store_is_no_folder(theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match=r"cannot be imported into .*file: "):
        import_run(theirs, RunStore(tmp_path / "file"))


def test_two_controllers_runs_in_one_report(theirs: Path, store: RunStore, tmp_path: Path) -> None:
    """Their h1 is another machine than ours, and both call it h1 on alpha."""
    ours = write_run(tmp_path / "mine", Wanted(blocks={LIFECYCLE: 6}, id="run-0", seed=3))
    for path in ours.glob("hosts/*/journal.jsonl"):
        path.write_text(
            path.read_text()
            .replace('"boot_id": "alpha"', '"boot_id": "omega"')
            .replace("Synthetic CPU", "Other CPU")
        )
    result = CliRunner().invoke(
        cli, ["import", "run", str(theirs), str(ended(ours)), "--root", str(store.root)]
    )
    assert result.stdout == (
        "Imported run-1 (h1, h2). `labctl report run-1` shows it.\n"
        "Imported run-0 (h1, h2). `labctl report run-0` shows it.\n"
    )  # fmt: skip
    told = report(*(store.root / name for name in store.ids()))
    assert len({host.name for host in told.spec.hosts}) == 4
    assert [pair.pairs for pair in told.estimates.pairs if pair.metric == "CreateAndRun"] == [6, 6, 3, 3]
