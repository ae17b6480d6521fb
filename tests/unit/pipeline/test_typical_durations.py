# SPDX-License-Identifier: Apache-2.0
"""Typical durations: what the tool makes of journals, and the file that comes with labctl."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from orchestrator.load.suite import list_suites
from orchestrator.model.errors import ConfigError, UsageError
from orchestrator.model.run import BenchmarkPlan
from orchestrator.pipeline.typical_durations import (
    FILE,
    MachineKind,
    all_params,
    read_durations,
    shipped_durations,
    write_durations,
)
from orchestrator.shipped import shipped
from remote_agent.benchmarks.registry import find
from tools.typical_durations import machine_kind, main, typical_durations

DEMO = shipped() / "tests/fixtures/real/demo"
LIFECYCLE = "operations.container.lifecycle"


def _records(run: Path, host: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / f"hosts/{host}/journal.jsonl").read_text().splitlines()]


def _rewrite(run: Path, host: str, records: list[dict[str, Any]]) -> None:
    path = run / f"hosts/{host}/journal.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of a real run of two hosts."""
    return Path(shutil.copytree(DEMO, tmp_path / "run"))


def test_the_tool_writes_the_medians_of_all_hosts_of_a_real_run(run: Path, tmp_path: Path) -> None:
    assert main([str(run), "--output", str(tmp_path / "out.json")]) == 0
    durations = read_durations(tmp_path / "out.json")
    assert durations.machine == MachineKind("AMD EPYC", 2, True, "systemd-nspawn", "2026-11-25")
    assert [benchmark.name for benchmark in durations.benchmarks] == [LIFECYCLE, "scalability.runtime.5"]
    seconds = [
        (record["elapsed_ns"] + record["cleanup_ns"]) / 1e9
        for host in ("debian13-a", "debian13-b")
        for record in _records(run, host)
        if record["type"] == "trial"
        and not record["warmup"]
        and (record["benchmark"], record["combination"]) == (LIFECYCLE, "containerd/crun")
    ]
    assert len(seconds) == 20
    value = durations.benchmarks[0].seconds["containerd/crun"]
    assert value == pytest.approx(median(seconds), rel=0.005)
    assert len(f"{value:g}".replace(".", "").lstrip("0")) <= 3
    assert durations.benchmarks[0].params == find(LIFECYCLE).params


@pytest.mark.parametrize("status", ["failed", "unsupported"])
def test_only_trials_that_succeeded_are_typical(run: Path, status: str) -> None:
    for host in ("debian13-a", "debian13-b"):
        records = _records(run, host)
        for record in records:
            if record["type"] == "trial" and record["combination"] == "containerd/crun":
                record.update(status=status, elapsed_ns=int(9e11), reason="no", samples=[])
        _rewrite(run, host, records)
    for benchmark in typical_durations([run]).benchmarks:
        assert set(benchmark.seconds) == {"containerd/runc"}


def test_a_run_under_way_is_read_as_far_as_it_is(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "hosts/debian13-b/journal.jsonl").unlink()
    path = run / "hosts/debian13-a/journal.jsonl"
    path.write_text(path.read_text()[:-1000])
    assert typical_durations([run]).benchmarks
    assert "debian13-b has no journal with a fingerprint" in capsys.readouterr().err


def test_runs_of_two_kinds_of_machine_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = _records(run, "debian13-b")
    for record in records:
        if record["type"] == "fingerprint":
            record["facts"]["cpu"]["count"] = 8
    _rewrite(run, "debian13-b", records)
    assert main([str(run), "--output", str(run / "out.json")]) == 2
    said = capsys.readouterr().err
    assert "Two kinds of machine: a virtual machine with 2 CPUs" in said
    assert "with 8 CPUs" in said and "debian13-b" in said
    assert not (run / "out.json").exists()


def test_runs_without_a_trial_are_refused(run: Path) -> None:
    for host in ("debian13-a", "debian13-b"):
        _rewrite(run, host, [record for record in _records(run, host) if record["type"] != "trial"])
    with pytest.raises(UsageError, match="no trial has succeeded"):
        typical_durations([run])


@pytest.mark.parametrize(
    ("kind", "disk", "stolen", "virtual"),
    [
        ("none", "vda", False, False),
        ("kvm", "sda", False, True),
        ("systemd-nspawn", "vda", False, True),
        ("systemd-nspawn", "sda", True, True),
        ("systemd-nspawn", "nvme0n1", False, None),
        (None, "sda", False, None),
    ],
)
def test_a_machine_is_called_virtual_only_where_something_shows_it(
    kind: str | None, disk: str, stolen: bool, virtual: bool | None
) -> None:
    facts = {
        "cpu": {"model": "X", "count": 1},
        "virtualisation": {"kind": kind},
        "storage": {"disks": {disk: {}}},
    }
    machine = machine_kind(facts, stolen, "2026-11-30")
    assert machine.virtual is virtual
    words = {True: "a virtual machine", False: "a physical machine", None: "a machine"}
    assert str(machine) == f"{words[virtual]} with 1 CPU (X, 2026-11-30)"


def test_defaults_are_written_out_because_a_release_may_change_them() -> None:
    work = find("limits.cpu.time").params
    assert all_params(BenchmarkPlan("limits.cpu.time", 1, params={"events": 3})) == {**work, "events": 3}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    durations = typical_durations([DEMO])
    write_durations(tmp_path / "out.json", durations)
    assert read_durations(tmp_path / "out.json") == durations


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"machine": {}, "benchmarks": []}',
        '{"machine": {"cpu": "", "cpus": 1, "virtual": null, "host": "", "date": ""},'
        ' "benchmarks": [{"name": "x", "params": {}, "seconds": {}}]}',
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "typical.json").write_text(text)
    with pytest.raises(ConfigError, match=r"typical\.json: no typical durations can be read"):
        read_durations(tmp_path / "typical.json")


def test_the_shipped_file_is_no_suite_and_fits_the_benchmarks_of_today() -> None:
    """An entry whose parameters are not the benchmark's is of another release: write the file anew."""
    assert Path(FILE).stem not in list_suites([shipped() / "suites"])
    durations = shipped_durations()
    for benchmark in durations.benchmarks:
        assert set(benchmark.params) == set(find(benchmark.name).params), benchmark.name
    for name in (LIFECYCLE, "scalability.runtime.5"):
        assert durations.seconds(BenchmarkPlan(name, 1), "containerd/runc-mine"), "the demo is known"
