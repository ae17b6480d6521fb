# SPDX-License-Identifier: Apache-2.0
"""A run in whose files a host, or another controller, has planted escape sequences: every verb that reads it shows them as text."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pseudo_terminal import (
    REPOSITORY,
    CommandResult,
    escaped_form,
    hostile,
    on_terminal,
    raw_sequences,
    through_pipes,
)

ID = "20261125-124206-demo-ce49"
STRUCTURE = {
    "type",
    "when",
    "time",
    "status",
    "unit",
    "metric",
    "level",
    "benchmark",
    "combination",
    "name",
    "id",
}
"""What has one of a few values, or names what belongs together: a run with others of these is refused, or another run."""


def plant(value: Any, name: str = "") -> Any:
    """Every text of a host's in a JSON value, with what is hostile behind it."""
    if isinstance(value, dict):
        return {key: plant(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [plant(item, name) for item in value]
    return value + hostile(f"of-{name}") if isinstance(value, str) and name not in STRUCTURE else value


def plant_journal(path: Path) -> None:
    lines = []
    for number, line in enumerate(path.read_text().splitlines()):
        record = json.loads(line)
        if record["type"] == "fingerprint":
            record["facts"] = plant(record["facts"])
        if record["type"] == "trial" and record["combination"].endswith("crun") and number > 60:
            record |= {"status": "failed", "reason": "runtime: " + hostile("reason"), "samples": []}
            record["leaks"] = [{"kind": "mount", "what": hostile("leak")}]
        lines.append(json.dumps(record))
    note = {"v": 1, "type": "note", "level": "warning", "message": hostile("note"), "hint": hostile("hint")}
    lines.insert(-1, json.dumps(note))
    path.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """With a folder of runs: the demo's, planted, and a second one as it is."""
    folder = tmp_path_factory.mktemp("controller")
    run = folder / "runs" / ID
    shutil.copytree(REPOSITORY / "tests/fixtures/real/demo", run)
    for journal in run.glob("hosts/*/journal.jsonl"):
        plant_journal(journal)
    spec = json.loads((run / "run.json").read_text())
    spec["suite"] += hostile("suite")
    spec["inventory"] += hostile("inventory")
    spec["hosts"][0]["provenance"] = plant(spec["hosts"][0]["provenance"])
    (run / "run.json").write_text(json.dumps(spec))
    state = {
        "schema": spec["schema"],
        "id": ID,
        "status": "failed",
        "updated": spec["created"],
        "exit_code": 1,
    }
    host = {"name": "debian13-a", "status": "failed", "trials_done": 1, "trials_failed": 1, "leaks": 0}
    state["hosts"] = [{**host, "error": hostile("error")}]
    (run / "state.json").write_text(json.dumps(state))
    (run / "conductor.lock").touch()
    write_events(run / "events.jsonl", spec["created"])
    yield folder


def write_events(path: Path, time: str) -> None:
    where = {"host": "debian13-a", "benchmark": "operations.container.lifecycle", "block": 0}
    counts = {"trials": 1, "failed": 1, "leaked": 1}
    trial = {
        "combination": "containerd/crun",
        "status": "failed",
        "reason": hostile("failed") + "\nb: complete",
    }
    events: list[dict[str, Any]] = [
        {"type": "conductor", "pid": 1, "resumed": False},
        {"type": "phase", "host": "debian13-a", "phase": "reconnecting", "message": hostile("phase")},
        {"type": "trial", **where, **trial, "leaks": [], **counts},
        {
            "type": "note",
            "host": "debian13-a",
            "level": "warning",
            "message": hostile("note"),
            "hint": hostile("hint"),
        },
        {"type": "end", "status": "failed", "exit_code": 1, "message": hostile("end")},
    ]
    path.write_text("".join(json.dumps({**event, "time": time}) + "\n" for event in events))


def check(result: CommandResult, *tags: str) -> None:
    assert raw_sequences(result.output) == []
    assert b"Traceback" not in result.output
    for tag in tags:
        assert result.has(escaped_form(tag)), (tag, result.output[-3000:])


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        (("report",), ("note", "hint", "reason", "suite")),
        (("runs",), ("suite",)),
        (("attach", ID), ("failed", "note", "hint", "error", "end")),
        (("compare", ID, ID), ()),
        (("compare", ID, "--with", "containerd/crun"), ()),
        (("compare", ID, ID, "--markdown"), ()),
        (("query", "SELECT DISTINCT reason FROM trials WHERE reason IS NOT NULL"), ("reason",)),
        (("query", "--csv", "SELECT DISTINCT reason FROM trials WHERE reason IS NOT NULL"), ("reason",)),
        (("query", "--json", "SELECT DISTINCT reason FROM trials WHERE reason IS NOT NULL"), ()),
        (("query", "SELECT chr(27) || 'c' AS \"\x1b[8;31m\", '[/red]' AS markup"), ()),
        (("report", "--csv"), ()),
        (("report", "--json"), ()),
        (("report", "--benchfmt"), ()),
        (("report", "--openmetrics"), ()),
        (("runs", "--json"), ()),
    ],
    ids=lambda words: " ".join(words)[:40] if words and isinstance(words, tuple) else "",
)
def test_no_sequence_of_a_host_arrives_at_the_terminal(
    folder: Path, words: tuple[str, ...], tags: tuple[str, ...]
) -> None:
    check(on_terminal(words, folder), *tags)


def test_the_page_shows_them_as_text_too(folder: Path) -> None:
    check(through_pipes(["report"], folder), "note", "reason", "suite")
    page = (folder / "runs" / ID / "report.html").read_bytes()
    assert raw_sequences(page) == []
    assert escaped_form("note").encode() in page
    assert escaped_form("suite").encode() in page
    assert escaped_form("of-model").encode() in page


def test_data_keeps_what_the_journal_has(folder: Path) -> None:
    """The journal's bytes are never touched, and what another program reads from a pipe is what the host wrote."""
    journal = folder / "runs" / ID / "hosts/debian13-a/journal.jsonl"
    before = journal.read_bytes()
    question = "SELECT DISTINCT reason FROM trials WHERE reason IS NOT NULL"
    as_json = through_pipes(["query", "--json", question], folder)
    assert json.loads(as_json.output) == [{"reason": "runtime: " + hostile("reason")}]
    as_csv = through_pipes(["query", "--csv", question], folder)
    assert as_csv.output.decode() == f"reason\nruntime: {hostile('reason')}\n"
    assert journal.read_bytes() == before


def test_an_imported_run_is_no_other(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "run.tar", "w") as archive:
        archive.add(folder / "runs" / ID, arcname=ID)
    check(on_terminal(["import", "run", "run.tar"], tmp_path))
    check(on_terminal(["report"], tmp_path), "note", "reason", "suite")


def test_another_tools_results_are_no_other(tmp_path: Path) -> None:
    values = [{"Total": 0.5 + 0.01 * number} for number in range(8)]
    benchmark = {"Name": hostile("benchmark"), "Aggregated": {}, "Reports": values}
    entry = {"CRI": hostile("cri"), "OCI": hostile("oci").replace("/", ""), "Results": [benchmark]}
    (tmp_path / "results.json").write_text(json.dumps([entry]))
    check(on_terminal(["import", "touchstone", "results.json"], tmp_path))
    (tmp_path / "runs").mkdir(exist_ok=True)
    check(on_terminal(["report"], tmp_path))
    check(on_terminal(["runs"], tmp_path))
