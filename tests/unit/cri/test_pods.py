# SPDX-License-Identifier: Apache-2.0
"""What a pod asks of its runtime, and how it reads the answers."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from remote_agent.benchmarks.reach import BenchError, Limits, NotSupported, Shape
from remote_agent.cri.client import Cri, CriError
from remote_agent.cri.endings import Endings
from remote_agent.cri.images import CriImages
from remote_agent.cri.lines import logged_at, nanoseconds, without_prefixes
from remote_agent.cri.pods import CriPod, PodPlan
from tests.fixtures.fake_cri import IMAGE, Failure, FakeCri, serving


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCri]:
    with serving(tmp_path / "cri.sock") as running:
        yield running


@pytest.fixture
def cri(fake: FakeCri) -> Iterator[Cri]:
    with Cri(str(fake.socket)) as client:
        yield client


def _pod(cri: Cri, logs: Path, shape: Shape | None = None) -> CriPod:
    plan = PodPlan("runc", "r", "t", "image:1", ("sh",), "/labctl/m1", logs, 10)
    return CriPod(cri, plan, 0, Endings(cri), shape)


def test_a_shape_changes_image_command_limits_and_mounts(fake: FakeCri, cri: Cri, tmp_path: Path) -> None:
    limits = Limits(cpu_quota_us=20_000, memory_bytes=1 << 24, unified={"pids.max": "9"})
    pod = _pod(cri, tmp_path, Shape("other:2", ("work", "hard"), limits=limits, mounts={"/data": "/srv"}))
    pod.run_sandbox()
    pod.create()
    config = fake.requests("CreateContainer")[0].config
    assert (config.image.image, list(config.command)) == ("other:2", ["work", "hard"])
    assert [(mount.container_path, mount.host_path) for mount in config.mounts] == [("/data", "/srv")]
    resources = config.linux.resources
    assert (resources.cpu_quota, resources.cpu_period, resources.memory_limit_in_bytes) == (
        20_000,
        100_000,
        1 << 24,
    )
    assert dict(resources.unified) == {"pids.max": "9"}


def test_without_a_shape_there_are_no_limits(fake: FakeCri, cri: Cri, tmp_path: Path) -> None:
    pod = _pod(cri, tmp_path)
    pod.run_sandbox()
    pod.create()
    assert not fake.requests("CreateContainer")[0].config.linux.HasField("resources")


def test_exec_update_stats_and_reopen(fake: FakeCri, cri: Cri, tmp_path: Path) -> None:
    pod = _pod(cri, tmp_path)
    pod.run_sandbox()
    pod.create()
    done = pod.exec(["echo", "hi"], 3)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "echo hi", "")
    assert done.took_ns > 0
    assert fake.requests("ExecSync")[0].timeout == 3
    pod.update(Limits(memory_bytes=1 << 25))
    linux = fake.requests("UpdateContainerResources")[0].linux
    assert (linux.memory_limit_in_bytes, linux.cpu_quota) == (1 << 25, 0)
    stats = pod.stats()
    assert (stats.cpu_ns, stats.memory_bytes) == (5, None), "what is not told is not zero"
    assert pod.reopen_log() > 0
    assert pod.info()["runtimeSpec"]["linux"]["cgroupsPath"] == f"/labctl/m1/{pod.container}"


def test_a_log_is_read_without_its_prefixes(cri: Cri, tmp_path: Path) -> None:
    pod = _pod(cri, tmp_path)
    assert pod.log() == ""
    pod.log_file.parent.mkdir(parents=True)
    pod.log_file.write_text("2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:00Z stderr F two\n")
    assert pod.log() == "one\ntwo\n"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("T stdout P part, T\nT stdout F end\n", "part, Tend\n"),
        ("T stdout F \nT stdout F a  b\n", "\na  b\n"),
        ("torn li", ""),
        ("T stdout P:x half", "half"),
        ("T stderr P sh: T\nT stdout F held 64\nT stderr F refused\n", "held 64\nsh: Trefused\n"),
    ],
)
def test_parts_are_joined(log: str, said: str) -> None:
    assert without_prefixes(log) == said


def test_images_are_pulled_listed_and_removed(fake: FakeCri, cri: Cri) -> None:
    images = CriImages(cri)
    assert not images.has("new:1")
    assert images.pull("new:1") > 0
    assert images.has("new:1")
    assert images.list() > 0
    assert images.remove("new:1") > 0
    assert not images.has("new:1")


@pytest.mark.parametrize(("runs", "raised"), [(True, NotSupported), (False, CriError)])
def test_a_reopen_that_takes_a_running_container_for_a_stopped_one_is_not_supported(
    fake: FakeCri, cri: Cri, tmp_path: Path, runs: bool, raised: type[Exception]
) -> None:
    pod = _pod(cri, tmp_path)
    pod.run_sandbox(), pod.create(), pod.start()
    if not runs:
        fake.end(pod.container)
    fake.failures["ReopenContainerLog"] = Failure(grpc.StatusCode.UNKNOWN, "container is not running")
    with pytest.raises(raised, match="container is not running"):
        pod.reopen_log()
    assert pod.reopen_log() > 0


def test_an_image_has_all_its_names(fake: FakeCri, cri: Cri) -> None:
    images = CriImages(cri)
    assert images.names("127.0.0.1:1/labctl/a:1") == ()
    images.pull("127.0.0.1:1/labctl/a:1")
    assert images.names("127.0.0.1:1/labctl/a:1") == ("127.0.0.1:1/labctl/a:1",)
    fake.same["127.0.0.1:1/labctl/a:1"] = IMAGE
    assert images.names("127.0.0.1:1/labctl/a:1") == (IMAGE, "127.0.0.1:1/labctl/a:1")


def test_when_a_line_was_logged_is_told_on_the_clock_of_the_calls(cri: Cri, tmp_path: Path) -> None:
    pod = _pod(cri, tmp_path)
    with pytest.raises(BenchError, match="no line that begins with 'held'"):
        pod.logged_ns("held")
    pod.log_file.parent.mkdir()
    before = time.monotonic_ns()
    stamp = datetime.datetime.now(datetime.UTC).isoformat()
    pod.log_file.write_text(f"{stamp} stdout F filling\n{stamp} stdout F held 64\n")
    assert before - 2_000_000 <= pod.logged_ns("held") <= time.monotonic_ns()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:01.123456789Z", 1_123_456_789),
        ("1970-01-01T01:00:02.000000001+01:00", 2_000_000_001),
        ("1969-12-31T23:00:00-01:00", 0),
    ],
)
def test_a_logs_time_is_read_to_the_nanosecond(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected
    assert logged_at(f"{text} stderr F a\n{text} stdout P b c", "b c") == expected
    assert logged_at(f"{text} stderr F a\n", "b") is None


def test_a_container_runs_until_it_has_ended(fake: FakeCri, cri: Cri, tmp_path: Path) -> None:
    pod = _pod(cri, tmp_path)
    pod.run_sandbox()
    pod.create()
    assert pod.running() is False
    pod.start()
    assert pod.running() is True
    fake.end(pod.container)
    assert pod.running() is False


def test_where_the_runtime_keeps_its_images(fake: FakeCri, cri: Cri) -> None:
    assert cri.image_folder() == str(fake.socket.parent)
