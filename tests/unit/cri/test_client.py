# SPDX-License-Identifier: Apache-2.0
"""The client against a fake runtime behind real gRPC."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grpc
import pytest

from remote_agent.cri.client import Cri, CriError, timed
from remote_agent.cri.describe import describe, handler_binaries
from remote_agent.cri.endings import Endings
from remote_agent.cri.leftovers import ours, remove_ours
from remote_agent.cri.pods import CriPod, PodPlan
from remote_agent.gen.runtime.v1 import cri_pb2 as pb
from tests.fixtures.fake_cri import IMAGE, Failure, FakeCri


@pytest.fixture
def plan(tmp_path: Path) -> PodPlan:
    return PodPlan("crun", "run-1", "t.1", IMAGE, ("/catatonit", "-P"), "/labctl/m1", tmp_path / "logs", 10)


def test_version_status_and_handlers(fake: FakeCri) -> None:
    with Cri(str(fake.socket)) as cri:
        assert cri.version().runtime == "fake"
        status = cri.status()
        assert (status.handlers, status.ready) == (frozenset({"runc", "crun"}), True)
        fake.network_ready = False
        assert cri.status().problems == ("NetworkReady is false: cni config uninitialized",)


def test_a_runtime_of_before_cri_1_30_tells_its_handlers_and_driver_in_its_configuration(
    fake: FakeCri,
) -> None:
    fake.lists_handlers = fake.has_runtime_config = False
    with Cri(str(fake.socket)) as cri:
        assert cri.status().handlers == frozenset({"runc", "crun"})
        assert cri.cgroup_driver() == "cgroupfs"
        fake.systemd = True
        assert cri.cgroup_driver() == "systemd"
        assert describe(cri)["snapshotter"] == "overlayfs"
        assert handler_binaries(cri.status().config) == {"/usr/sbin/runc"}


@pytest.mark.parametrize(("systemd", "driver"), [(True, "systemd"), (False, "cgroupfs")])
def test_the_cgroup_driver_that_the_runtime_tells(fake: FakeCri, systemd: bool, driver: str) -> None:
    fake.systemd = systemd
    with Cri(str(fake.socket)) as cri:
        assert cri.cgroup_driver() == driver
    assert "Status" not in fake.names()


def test_images(fake: FakeCri) -> None:
    with Cri(str(fake.socket)) as cri:
        image = cri.image(IMAGE)
        assert image is not None
        assert image.id == "sha256:1"
        assert cri.image("nothing:1") is None


def test_an_error_names_the_call_the_code_and_the_runtimes_first_line(fake: FakeCri) -> None:
    fake.failures["Version"] = Failure(grpc.StatusCode.INTERNAL, "no such thing\ngoroutine 1 [running]")
    with Cri(str(fake.socket)) as cri, pytest.raises(CriError) as caught:
        cri.version()
    assert (caught.value.call, caught.value.code) == ("Version", "INTERNAL")
    assert str(caught.value) == "Version: no such thing (INTERNAL)"


def test_a_socket_where_nobody_listens(tmp_path: Path) -> None:
    with Cri(str(tmp_path / "none.sock")) as cri, pytest.raises(CriError) as caught:
        cri.version()
    assert caught.value.code == "UNAVAILABLE"


def test_a_runtime_that_hangs_ends_at_the_deadline(fake: FakeCri) -> None:
    fake.delays_s["Version"] = 1.0
    with Cri(str(fake.socket)) as cri:
        begun = time.monotonic()
        with pytest.raises(CriError) as caught:
            timed("Version", cri.runtime.Version, pb.VersionRequest(), 0.1)
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert time.monotonic() - begun < 0.9


def test_timed_gives_the_calls_own_time(fake: FakeCri) -> None:
    fake.delays_s["Version"] = 0.05
    with Cri(str(fake.socket)) as cri:
        _, took = timed("Version", cri.runtime.Version, pb.VersionRequest(), 5)
    assert 50e6 <= took < 500e6


def test_timed_reads_the_clock_around_the_call_and_nowhere_else() -> None:
    events: list[str] = []
    ticks = iter((100, 350))

    def clock() -> int:
        events.append("clock")
        return next(ticks)

    def method(request: object, timeout: float) -> str:
        events.append(f"call {request} {timeout}")
        return "reply"

    assert timed("X", method, "request", 2.0, clock=clock) == ("reply", 250)
    assert events == ["clock", "call request 2.0", "clock"]


def test_a_pods_life_as_the_runtime_sees_it(fake: FakeCri, plan: PodPlan) -> None:
    with Cri(str(fake.socket)) as cri:
        pod = CriPod(cri, plan, 0, Endings(cri))
        assert not fake.calls, "requests are built without a call"
        steps = (
            pod.run_sandbox,
            pod.create,
            pod.start,
            pod.stop,
            pod.remove,
            pod.stop_sandbox,
            pod.remove_sandbox,
        )
        assert all(step() > 0 for step in steps)
    assert fake.names() == [
        "RunPodSandbox", "CreateContainer", "StartContainer", "StopContainer", "RemoveContainer", "StopPodSandbox",
        "RemovePodSandbox",
    ]  # fmt: skip
    run, create = fake.requests("RunPodSandbox")[0], fake.requests("CreateContainer")[0]
    assert run.runtime_handler == "crun"
    assert run.config.linux.cgroup_parent == "/labctl/m1"
    assert run.config.log_directory.startswith(str(plan.logs))
    assert dict(run.config.labels) == {"labctl.run": "run-1", "labctl.trial": "t.1"}
    assert create.sandbox_config == run.config
    assert create.config.image.image == create.config.image.user_specified_image == IMAGE
    assert list(create.config.command) == ["/catatonit", "-P"]
    assert create.config.log_path
    assert fake.requests("StopContainer")[0].timeout == 10
    assert (fake.pods, fake.containers) == ({}, {})


def test_no_two_pods_have_a_name_or_uid_in_common(fake: FakeCri, plan: PodPlan) -> None:
    with Cri(str(fake.socket)) as cri:
        for number in (0, 0, 1):
            CriPod(cri, plan, number, Endings(cri)).run_sandbox()
    metadata = [request.config.metadata for request in fake.requests("RunPodSandbox")]
    assert len({one.uid for one in metadata}) == len({one.name for one in metadata}) == 3


def test_a_container_is_ready_when_its_log_says_so(fake: FakeCri, plan: PodPlan) -> None:
    with Cri(str(fake.socket)) as cri:
        pod = CriPod(cri, _with(plan, ready="ready"), 0, Endings(cri))
        pod.run_sandbox(), pod.create(), pod.start()
        pod.await_ready()
        fake.says = "almost ready"
        pod = CriPod(cri, _with(plan, ready="ready"), 1, Endings(cri))
        pod.run_sandbox(), pod.create(), pod.start()
        with (
            patch("remote_agent.cri.pods.READY_S", 0.05),
            pytest.raises(CriError, match="did not log 'ready'"),
        ):
            pod.await_ready()


def test_a_cancel_is_heard_while_a_container_gets_ready(fake: FakeCri, plan: PodPlan) -> None:
    class Stop(Exception):
        pass

    def checkpoint() -> None:
        if "StartContainer" in fake.names():
            raise Stop

    fake.says = None
    with Cri(str(fake.socket)) as cri:
        pod = CriPod(cri, _with(plan, ready="ready", checkpoint=checkpoint), 0, Endings(cri))
        pod.run_sandbox(), pod.create(), pod.start()
        with pytest.raises(Stop):
            pod.await_ready()


def test_a_container_that_had_to_be_killed_is_no_measurement(fake: FakeCri, plan: PodPlan) -> None:
    fake.delays_s["StopContainer"] = 1.1
    with Cri(str(fake.socket)) as cri:
        pod = CriPod(cri, _with(plan, stop_timeout_s=1), 0, Endings(cri))
        pod.run_sandbox(), pod.create(), pod.start()
        with pytest.raises(CriError, match="did not end on its stop signal within 1 s"):
            pod.stop()


def test_leftovers_are_ours_alone(fake: FakeCri, plan: PodPlan) -> None:
    fake.pods["theirs"] = pb.RunPodSandboxRequest()
    fake.containers["theirs"] = pb.CreateContainerRequest()
    with Cri(str(fake.socket)) as cri:
        pod = CriPod(cri, plan, 0, Endings(cri))
        pod.run_sandbox(), pod.create()
        assert sorted(leak.kind for leak in ours(cri)) == ["container", "pod"]
        assert remove_ours(cri) == []
        assert ours(cri) == []
    assert (list(fake.pods), list(fake.containers)) == (["theirs"], ["theirs"])
    assert "theirs" not in {request.pod_sandbox_id for request in fake.requests("StopPodSandbox")}


@pytest.mark.parametrize(("name", "starts"), [("cri-o", 1), ("containerd", 0)])
def test_cri_o_can_stop_only_what_was_started(fake: FakeCri, plan: PodPlan, name: str, starts: int) -> None:
    fake.name = name
    fake.containers["theirs"] = pb.CreateContainerRequest()
    with Cri(str(fake.socket)) as cri:
        pod = CriPod(cri, plan, 0, Endings(cri))
        pod.run_sandbox(), pod.create()
        fake.failures["StartContainer"] = Failure(grpc.StatusCode.INTERNAL, "no")
        assert remove_ours(cri) == []
        assert ours(cri) == []
    assert [request.container_id for request in fake.requests("StartContainer")] == [pod.container] * starts


def test_removal_is_tried_again_and_then_told(fake: FakeCri, plan: PodPlan) -> None:
    with Cri(str(fake.socket)) as cri:
        CriPod(cri, plan, 0, Endings(cri)).run_sandbox()
        fake.failures["RemovePodSandbox"] = Failure(grpc.StatusCode.INTERNAL, "busy", times=1)
        assert remove_ours(cri) == []
        CriPod(cri, plan, 0, Endings(cri)).run_sandbox()
        fake.failures["RemovePodSandbox"] = Failure(grpc.StatusCode.INTERNAL, "busy", times=99)
        assert [str(error) for error in remove_ours(cri)] == ["RemovePodSandbox: busy (INTERNAL)"]


def _with(plan: PodPlan, **changes: Any) -> PodPlan:
    return PodPlan(**{**{name: getattr(plan, name) for name in PodPlan.__slots__}, **changes})
