# SPDX-License-Identifier: Apache-2.0
"""What each host ran: in run.json, in the report's tables, and a warning where two hosts did not run the same."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.pipeline.report import digest, digested, report
from orchestrator.report.html import render_html
from orchestrator.report.terminal import printed
from orchestrator.results.provenance import provenance
from orchestrator.results.store import RunFolder
from tests.fixtures.synthetic import write_run

RUNC = {"version": "1.5.2", "source": "module", "key": "18df4852f8bed33e", "files": {"bin/runc": "ab" * 32}}
CRUN = {"version": "1.21-1", "source": "debian", "key": "b3e5dfe2ed7a5ce3", "files": {}}


def told(folder: Path, host: str, **facts: Any) -> None:
    """The host's fingerprints say ``facts`` too."""
    path = RunFolder(folder).journal(host)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        if record["type"] == "fingerprint":
            record["facts"] |= facts
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_run(tmp_path)
    for host in ("h1", "h2"):
        told(
            folder,
            host,
            components={"runc": RUNC, "crun": CRUN},
            adapters={"oom-score-adj-runc": "cd" * 32} if host == "h1" else {},
            system={"configs": {"/etc/containerd/config.toml": "ef" * 32}},
        )
    return folder


def test_run_json_says_it_of_each_host_and_stays_a_run(folder: Path) -> None:
    before = json.loads((folder / "run.json").read_text())
    digest(folder)
    after = json.loads((folder / "run.json").read_text())
    hosts = {host["name"]: host["provenance"] for host in after["hosts"]}
    assert hosts["h1"] == {
        "components": {
            "runc": {"version": "1.5.2", "source": "module", "key": "18df4852f8bed33e"},
            "crun": {"version": "1.21-1", "source": "debian", "key": "b3e5dfe2ed7a5ce3"},
        },
        "configurations": {"/etc/containerd/config.toml": "ef" * 32},
        "adapters": {"oom-score-adj-runc": "cd" * 32},
    }
    assert hosts["h2"]["adapters"] == {}
    assert {**after, "hosts": None} == {**before, "hosts": None}


def test_estimates_are_not_made_again_because_of_it(folder: Path) -> None:
    digest(folder)
    written = (folder / "estimates.json").stat().st_mtime_ns
    digested(folder)
    assert (folder / "estimates.json").stat().st_mtime_ns == written


def test_a_run_of_before_there_was_provenance_is_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    text = json.loads((folder / "run.json").read_text())
    for host in text["hosts"]:
        host.pop("provenance", None)
    (folder / "run.json").write_text(json.dumps(text))
    assert all(host.provenance == {} for host in RunFolder(folder).read_spec().hosts)
    digest(folder)


def test_the_reports_show_it(folder: Path) -> None:
    made = report(folder)
    text = printed(made, Console(file=io.StringIO(), width=100, highlight=False, emoji=False, markup=False))
    html = render_html(made)
    assert "1.5.2 (18df4852)" in text
    assert "1.21-1, debian (b3e5dfe2)" in text
    assert "oom-score-adj-runc" in text
    for shown in ("18df4852f8bed33e", "/etc/containerd/config.toml", "ef" * 32, "cd" * 32):
        assert shown in html
    assert "Adapters are in place: oom-score-adj-runc." in [
        notice.message for notice in made.estimates.notices if notice.host == "h1"
    ]
    assert not [
        notice for notice in made.estimates.notices if notice.host == "h2" and "Adapters" in notice.message
    ]


def test_alike_components_are_no_warning_and_unlike_ones_are(folder: Path) -> None:
    assert not [
        notice for notice in report(folder).estimates.notices if "do not run the same" in notice.message
    ]
    mine = {**RUNC, "version": "1.5.2-mine", "source": "checkout", "key": "ffff0000ffff0000"}
    told(folder, "h2", components={"runc": mine})
    messages = [notice.message for notice in report(folder).estimates.notices]
    assert (
        "The hosts do not run the same runc: 1.5.2 (module, 18df4852) on h1, 1.5.2-mine (checkout, ffff0000) on h2."
        in messages
    )
    assert "The hosts do not run the same crun: 1.21-1 (debian, b3e5dfe2) on h1, none on h2." in messages


def test_a_host_that_has_told_nothing_has_none() -> None:
    assert provenance({}) == {}
