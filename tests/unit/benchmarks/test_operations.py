# SPDX-License-Identifier: Apache-2.0
"""operations against a fake host: what is called, what is recorded, and what ends a trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from remote_agent.benchmarks import containers, images, logs, sandbox, waterfall
from remote_agent.benchmarks.bench import Bench, BenchError, NotSupported
from remote_agent.benchmarks.reach import Executed
from remote_agent.contract.benchmark import Benchmark
from tests.fixtures.fake_host import FakeGroup, FakeHost, FakeOci, FakePod, bench_of

FOREIGN = "docker.io/library/busybox:1"


def done(benchmark: Benchmark, host: FakeHost, **params: object) -> Bench:
    bench = bench_of(benchmark, host, params)
    benchmark.function(bench)
    return bench


def value(bench: Bench, metric: str) -> float:
    (found,) = [sample.value for sample in bench.samples if sample.metric == metric]
    return found


def items(bench: Bench, metric: str) -> list[float]:
    return [sample.value for sample in bench.samples if sample.metric == metric]


@pytest.mark.parametrize(
    ("benchmark_", "call"),
    [(containers.EXEC, "exec"), (containers.STATS, "stats"), (containers.STATUS, "status")],
)
def test_a_call_is_made_once_to_warm_up_and_then_counted(benchmark_: Benchmark, call: str) -> None:
    host = FakeHost()
    bench = done(benchmark_, host, calls=4)
    assert host.calls.count(call) == 5
    assert items(bench, "Each") == [len(call) / 1e9] * 4
    assert value(bench, benchmark_.primary) == len(call) / 1e9


def test_the_median_of_the_calls_is_recorded_and_the_first_is_not_among_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter([900, 10, 50, 30])
    monkeypatch.setattr(FakePod, "status", lambda pod: next(times))
    bench = done(containers.STATUS, FakeHost(), calls=3)
    assert items(bench, "Each") == pytest.approx([10e-9, 50e-9, 30e-9])
    assert value(bench, "ContainerStatus") == pytest.approx(30e-9)


def test_a_command_that_fails_in_the_container_is_no_measurement() -> None:
    host = FakeHost(execute=lambda pod, command: Executed(0, 127, "", "true: not found\n"))
    with pytest.raises(BenchError, match="true ended with 127 in the container: true: not found"):
        done(containers.EXEC, host)


def test_an_update_lowers_and_raises_and_is_looked_for_on_the_host() -> None:
    host = FakeHost()
    bench = done(containers.UPDATE, host, rounds=3)
    assert host.calls.count("update") == 6
    assert host.pods[0].group.quota == (100_000, 100_000)
    assert value(bench, "Update") == value(bench, "Lower") == value(bench, "Raise") == len("update") / 1e9


def test_an_update_is_shown_only_when_the_host_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def late(group: FakeGroup) -> tuple[int, int] | None:
        looks.append(1)
        return group.quota if len(looks) % 4 == 0 else (1, 100_000)

    monkeypatch.setattr(FakeGroup, "cpu_quota_us", late)
    host = FakeHost()
    bench = done(containers.UPDATE, host, rounds=1)
    assert len(looks) == 12  # thrice: at first, lowered, raised
    assert len(host.rests) == 9
    assert value(bench, "LowerShown") == pytest.approx(
        1.5e-3, rel=1e-4
    )  # three rests of half a millisecond since the call


def test_a_quota_that_the_host_never_shows_is_not_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeGroup, "cpu_quota_us", lambda group: None)
    host = FakeHost()
    bench = bench_of(containers.UPDATE, host)
    ticks = iter(range(0, 10**13, 10**9))
    bench.clock = lambda: next(ticks)
    with pytest.raises(
        NotSupported, match=r"takes a CPU quota of 100000 us, and its control group .* shows no quota"
    ):
        containers.UPDATE.function(bench)
    assert bench.samples == ()


def test_a_pause_is_followed_by_a_resume_and_both_are_checked() -> None:
    host = FakeHost()
    bench = done(containers.PAUSE, host, rounds=3)
    assert [call for call in host.calls if call in ("pause", "resume")] == ["pause", "resume"] * 3
    assert (value(bench, "Pause"), value(bench, "Resume")) == (50e-9, 60e-9)
    assert "OUTSIDE CRI" in containers.PAUSE.summary


def test_a_container_is_not_left_paused_when_something_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    resumes = iter([NotSupported("it says no"), None])

    def resume(oci: FakeOci) -> int:
        if error := next(resumes):
            raise error
        oci.halted = False
        oci.host.calls.append("resumed")
        return 1

    monkeypatch.setattr(FakeOci, "resume", resume)
    host = FakeHost()
    with pytest.raises(NotSupported, match="it says no"):
        done(containers.PAUSE, host)
    assert "resumed" in host.calls


def test_a_pause_that_does_not_pause_or_has_no_program_is_not_supported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NotSupported, match="no program"):
        done(containers.PAUSE, FakeHost(no_oci="no program"))
    monkeypatch.setattr(FakeOci, "paused", lambda oci: False)
    with pytest.raises(
        NotSupported, match="/opt/oci says that the container is running when it should be paused"
    ):
        done(containers.PAUSE, FakeHost())


def _writing(host: FakeHost, chunks: list[str]) -> Callable[[], None]:
    """With each rest the container writes the next of ``chunks`` to its log."""

    def write() -> None:
        if chunks:
            with host.pods[0].log_file.open("a") as log:
                log.write(chunks.pop(0))

    return write


END = f"2026 stdout F {logs.END}\n"


def test_throughput_is_from_the_first_growth_to_the_last_line(tmp_path: Path) -> None:
    host = FakeHost(logs=tmp_path)
    half = "x" * 500_000
    host.resting = _writing(host, ["", half, "", half, "x" * 10, END])
    bench = bench_of(logs.LOGS, host, {"megabytes": 1})
    now = [0]
    bench.clock = lambda: now[0] * 1_000_000

    def sleep(seconds: float) -> None:
        now[0] += 1
        host.sleep(seconds)

    bench.sleep = sleep
    logs.LOGS.function(bench)
    assert value(bench, "Written") == pytest.approx(0.004)  # seen to grow at rest 2, whole at rest 6
    assert value(bench, "Throughput") == pytest.approx(250)


def test_a_log_that_grows_before_it_is_watched_or_never_ends_is_no_measurement(tmp_path: Path) -> None:
    host = FakeHost(logs=tmp_path)
    host.resting = _writing(host, ["x" * 2_000_000])
    bench = bench_of(logs.LOGS, host, {"megabytes": 1})
    ticks = iter(range(0, 10**15, 10**9))
    bench.clock = lambda: next(ticks)
    with pytest.raises(BenchError, match="has not all of what the container writes within 60 s"):
        logs.LOGS.function(bench)


def test_the_script_of_the_log_benchmark_writes_what_is_counted() -> None:
    script = logs.script(3)
    assert script.count("/block ") + script.count("/block;") == 3 + 1  # thrice read, once written
    assert len(logs.LINE) + 1 == 100
    assert logs.LINES * 100 == logs.MEGABYTE


def test_a_log_is_renamed_before_it_is_reopened(tmp_path: Path) -> None:
    host = FakeHost(logs=tmp_path)
    bench = done(logs.REOPEN, host, rounds=2)
    assert sorted(path.name for path in host.pods[0].log_file.parent.iterdir()) == [
        "main.log", "main.log.0", "main.log.1",
    ]  # fmt: skip
    assert value(bench, "ReopenContainerLog") == len("reopen_log") / 1e9


def test_a_reopen_without_a_new_file_is_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakePod, "reopen_log", lambda pod: 1)
    bench = bench_of(logs.REOPEN, FakeHost(logs=tmp_path))
    ticks = iter(range(0, 10**15, 10**9))
    bench.clock = lambda: next(ticks)
    with pytest.raises(BenchError, match="no new log file"):
        logs.REOPEN.function(bench)


def test_an_image_is_pulled_only_when_it_is_gone_and_is_removed_again() -> None:
    host = FakeHost()
    bench = done(images.PULL, host)
    assert [call for call in host.calls if "image" in call or call == "pull"] == [
        "remove_image", "pull", "remove_image",
    ]  # fmt: skip
    assert images.PULLED in host.images.gone
    assert value(bench, "PullImage") == 4e-9
    host.calls.clear()
    assert value(done(images.REMOVE, host), "RemoveImage") == 6e-9
    assert [call for call in host.calls if "image" in call or call == "pull"] == ["pull", "remove_image"]
    assert images.PULLED in host.images.gone


@pytest.mark.parametrize("benchmark_", [images.PULL, images.REMOVE])
@pytest.mark.parametrize("name", [FOREIGN, "127.0.0.1:5051/mine:1", "x127.0.0.1:5051/labctl/a:1"])
def test_no_image_is_removed_that_is_not_ours(benchmark_: Benchmark, name: str) -> None:
    host = FakeHost()
    with pytest.raises(BenchError, match="is not pulled"):
        done(benchmark_, host, pull=name)
    assert host.calls == []


@pytest.mark.parametrize("benchmark_", [images.PULL, images.REMOVE])
def test_no_image_is_removed_that_somebody_else_has_under_another_name(benchmark_: Benchmark) -> None:
    host = FakeHost()
    host.images.also = (FOREIGN,)
    with pytest.raises(BenchError, match=f"also named {FOREIGN}"):
        done(benchmark_, host)
    assert "remove_image" not in host.calls


def test_a_sandbox_has_no_container() -> None:
    host = FakeHost()
    bench = done(sandbox.LIFECYCLE, host)
    assert host.calls == ["run_sandbox", "usage", "stop_sandbox", "remove_sandbox"]
    parts = ("RunPodSandbox", "StopPodSandbox", "RemovePodSandbox")
    assert value(bench, "Whole") == pytest.approx(sum(value(bench, part) for part in parts))


def test_a_stage_that_the_host_does_not_tell_is_left_out_and_never_zero() -> None:
    host = FakeHost()
    host.traced = replace(host.traced, shim_ns=None, first_line_ns=500)
    bench = done(waterfall.WATERFALL, host)
    assert "ShimStarted" not in {sample.metric for sample in bench.samples}
    assert value(bench, "FirstLine") == 499e-9  # the call was at 1
    assert value(bench, "SandboxUp") < value(bench, "Created") < value(bench, "Started")
    host.traced = replace(host.traced, first_line_ns=None)
    with pytest.raises(BenchError, match="no line with a time"):
        done(waterfall.WATERFALL, host)
