# SPDX-License-Identifier: Apache-2.0
"""What sysbench 1.0.20 printed is read as it stands; what is missing is named, and never made up."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from remote_agent.benchmarks import performance, sysbench
from remote_agent.benchmarks.bench import BenchError
from remote_agent.benchmarks.reach import Ended, Shape
from remote_agent.benchmarks.sysbench import FIELDS, Result, parse
from remote_agent.contract.benchmark import Benchmark
from tests.fixtures.fake_host import SYSBENCH, FakeHost, bench_of, usual_log

CPU = (SYSBENCH / "cpu.txt").read_text()


def test_real_outputs_are_read_to_the_last_digit() -> None:
    assert parse(CPU) == Result(1.5220, 1000, 0.59, 1.48, 36.08, 1479.03)
    memory = parse((SYSBENCH / "memory.txt").read_text())
    assert (memory.total_s, memory.events) == (0.8124, 10240)
    assert memory.fine_avg_ms == pytest.approx(0.0786660)
    assert parse((SYSBENCH / "seqwr.txt").read_text()).total_s == 0.7051


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_line_is_named(field: str) -> None:
    said, pattern = FIELDS[field]
    without = "\n".join(line for line in CPU.splitlines() if not re.search(pattern, line))
    with pytest.raises(BenchError, match=f"has no {said}; it ends with"):
        parse(without)


def test_no_output_and_no_work_are_errors() -> None:
    with pytest.raises(BenchError, match="nothing at all"):
        parse("")
    with pytest.raises(BenchError, match="did no work"):
        parse(re.sub(r"(number of events: +)\d+", r"\g<1>0", CPU))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (sysbench.cpu(20_000, 10_000), "cpu --cpu-max-prime=20000 --events=10000"),
        (sysbench.memory("1M", "100G"), "memory --memory-block-size=1M --memory-total-size=100G"),
        (sysbench.sequential("seqrd", 2048), "--file-test-mode=seqrd --file-fsync-freq=0 --events=131072"),
        (sysbench.random_reads(2048, 10_000), "--file-test-mode=rndrd --events=10000"),
        (sysbench.random_writes(2048, 10_000), "--file-test-mode=rndwr --events=22672"),
        (sysbench.random_writes(204, 1_000), "--events=2152"),
    ],
)
def test_the_commands_do_the_thesis_work(command: tuple[str, ...], expected: str) -> None:
    assert expected in " ".join(command)
    assert command[-2:] == ("--time=0", "run"), "without it sysbench 1.0 stops after ten seconds"


def _execute(host: FakeHost, benchmark: Benchmark = performance.READ) -> dict[str, float]:
    bench = bench_of(benchmark, host)
    benchmark.function(bench)
    return {sample.metric: sample.value for sample in bench.samples}


def test_each_mode_has_its_own_result() -> None:
    def log(shape: Shape) -> str:
        told = usual_log(shape)
        return told.replace("0.7051s", "3.5s", 1).replace("0.7051s", "0.25s", 1)

    assert _execute(FakeHost(logged=log)) == {"SeqRead": 3.5, "RndRead": 0.25}


def test_the_pod_is_looked_at_before_the_work_begins() -> None:
    host = FakeHost()
    _execute(host)
    assert host.calls == ["run_sandbox", "create", "usage", "start", "await_end"]


def test_less_work_than_was_asked_for_fails_the_trial() -> None:
    with pytest.raises(BenchError, match="RndRead: sysbench did 9999 events of 10000"):
        _execute(FakeHost(logged=lambda shape: usual_log(shape).replace("  10000\n", "  9999\n")))


def test_a_mode_without_a_result_fails_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysbench, "LOG_S", 0.02)
    with pytest.raises(BenchError, match="RndRead: its output has no total time"):
        _execute(FakeHost(logged=lambda shape: usual_log(shape).split("== RndRead")[0]))


def test_a_log_that_comes_late_is_waited_for() -> None:
    looks = iter(["", "== SeqRead\n"])
    assert _execute(FakeHost(logged=lambda shape: next(looks, None) or usual_log(shape)))["SeqRead"] > 0


def test_a_container_that_fails_is_quoted() -> None:
    ended = Ended(1, "Error", 10**9, 0, "event")
    host = FakeHost(ended=lambda shape: ended, logged=lambda shape: "FATAL: no space left on device\n")
    with pytest.raises(BenchError, match=r"exit code 1 \(Error\).*no space left on device"):
        _execute(host)


def test_the_script_runs_in_a_shell_and_stops_at_the_first_failure(tmp_path: Path) -> None:
    commands = {"First": ("echo", "one thing"), "Second": ("false",), "Third": ("echo", "never")}
    shell, option, text = sysbench.script(commands, first=("echo", "no part of it"))
    text = text.replace(sysbench.FOLDER, shlex.quote(str(tmp_path / "work")))
    done = subprocess.run([shell, option, text], capture_output=True, text=True, timeout=10, check=False)
    assert done.stdout == "== First\none thing\n== Second\n"
    assert done.returncode == 1
    assert sysbench.script({"Only": ("sysbench", "cpu")}) == ("sysbench", "cpu")


def test_the_mean_latency_is_finer_than_what_is_printed() -> None:
    found = _execute(FakeHost(), performance.MEMORY_MINAVG)
    assert found["AvgLatency"] == pytest.approx(0.0786660)
    assert found["MinLatency"] == 0.03
