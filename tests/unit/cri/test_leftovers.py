# SPDX-License-Identifier: Apache-2.0
"""What a benchmark that died leaves behind beyond pods: pulled images, halted containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remote_agent.cri import leftovers
from remote_agent.cri.client import Cri
from remote_agent.cri.endings import Endings
from remote_agent.cri.leftovers import ours, remove_ours
from remote_agent.cri.pods import CriPod, PodPlan
from remote_agent.gen.runtime.v1 import cri_pb2 as pb
from remote_agent.host.read import Absent
from tests.fixtures.fake_cri import IMAGE, FakeCri

PULLED = "127.0.0.1:5051/labctl/layers:1"
KEPT = (IMAGE, "docker.io/library/a:1", "127.0.0.1:5051/mine/b:1", "registry.example:5051/labctl/c:1")


@pytest.fixture
def cri(fake: FakeCri) -> Iterator[Cri]:
    with Cri(str(fake.socket)) as client:
        yield client


def test_a_pulled_image_is_a_leftover_and_others_are_not(fake: FakeCri, cri: Cri) -> None:
    fake.images = (*KEPT, PULLED)
    assert [(leak.kind, leak.what) for leak in ours(cri)] == [("image", PULLED)]
    assert remove_ours(cri) == []
    assert list(fake.images) == list(KEPT)


def test_an_image_that_has_another_name_too_is_left_alone(fake: FakeCri, cri: Cri) -> None:
    fake.images, fake.same = (IMAGE, PULLED), {PULLED: IMAGE}
    assert ours(cri) == []
    assert remove_ours(cri) == []
    assert fake.images == (IMAGE, PULLED)
    assert "RemoveImage" not in fake.names()


class Halted:
    """The program of a container that is halted until it is resumed."""

    def __init__(self, order: list[str], paused: bool) -> None:
        self.order, self.is_paused = order, paused

    def paused(self) -> bool:
        return self.is_paused

    def resume(self) -> int:
        self.order.append("resume")
        self.is_paused = False
        return 1


@pytest.mark.parametrize("paused", [True, False])
def test_a_halted_container_goes_on_before_it_is_stopped(
    fake: FakeCri, cri: Cri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paused: bool
) -> None:
    asked: list[str] = []
    order: list[str] = []
    program = Halted(order, paused)

    def found(container: str) -> Halted:
        asked.append(container)
        order.append(f"stops so far: {fake.names().count('StopPodSandbox')}")
        return program

    monkeypatch.setattr(leftovers, "of_container", found)
    fake.containers["theirs"] = pb.CreateContainerRequest()
    fake.started.add("theirs")
    pod = CriPod(cri, PodPlan("runc", "r", "t", IMAGE, ("sh",), "/labctl/m1", tmp_path, 10), 0, Endings(cri))
    pod.run_sandbox(), pod.create(), pod.start()
    assert remove_ours(cri) == []
    assert asked == [pod.container]
    assert order == ["stops so far: 0", *(["resume"] if paused else [])]
    assert list(fake.containers) == ["theirs"]


def test_a_container_whose_program_is_not_known_is_removed_all_the_same(
    cri: Cri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(container: str) -> Halted:
        raise Absent("nobody knows")

    monkeypatch.setattr(leftovers, "of_container", absent)
    pod = CriPod(cri, PodPlan("runc", "r", "t", IMAGE, ("sh",), "/labctl/m1", tmp_path, 10), 0, Endings(cri))
    pod.run_sandbox(), pod.create(), pod.start()
    assert remove_ours(cri) == []
    assert ours(cri) == []
