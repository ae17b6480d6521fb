# SPDX-License-Identifier: Apache-2.0
"""A container's end is learnt from the runtime's event; from its status where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from remote_agent.benchmarks.reach import BenchError, Shape
from remote_agent.cri.client import Cri
from remote_agent.cri.endings import NET_S, Endings
from remote_agent.cri.pods import CriPod, PodPlan
from tests.fixtures.fake_cri import FakeCri, serving


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCri]:
    with serving(tmp_path / "cri.sock") as running:
        yield running


@pytest.fixture
def endings(fake: FakeCri) -> Iterator[Endings]:
    with Cri(str(fake.socket)) as cri:
        endings = Endings(cri)
        yield endings
        endings.close()


def _nothing() -> None:
    return None


def test_an_event_ends_the_wait(fake: FakeCri, endings: Endings) -> None:
    endings.watch()
    endings.watch()
    fake.started.add("c1")
    Timer(0.1, fake.end, ("c1", 3)).start()
    asked = time.monotonic_ns()
    ended = endings.of("c1", 5, _nothing)
    assert (ended.exit_code, ended.ran_ns, ended.how) == (3, 500, "event")
    assert asked < ended.seen_ns < asked + NET_S * 1e9
    assert fake.names().count("GetContainerEvents") == 1, "one subscription for all containers"


def test_an_end_whose_event_is_missed_is_found_by_its_status(fake: FakeCri, endings: Endings) -> None:
    endings.watch()
    fake.end("c1", tell=False)
    assert endings.of("c1", 5, _nothing).how == "status"


def test_an_event_that_is_late_is_still_one(fake: FakeCri, endings: Endings) -> None:
    endings.watch()
    fake.end("c1", tell=False)
    Timer(1.5 * NET_S, fake.end, ("c1",)).start()
    asked = time.monotonic_ns()
    ended = endings.of("c1", 5, _nothing)
    assert ended.how == "event"
    assert ended.seen_ns > asked + 1.2 * NET_S * 1e9


def test_a_runtime_without_events_is_asked_for_the_status(fake: FakeCri, endings: Endings) -> None:
    fake.sends_events = False
    endings.watch()
    Timer(0.1, fake.end, ("c1",)).start()
    begun = time.monotonic()
    assert endings.of("c1", 5, _nothing).how == "status"
    assert time.monotonic() - begun < NET_S, "it is asked often where no event will come"


def test_a_container_that_does_not_end_is_said(endings: Endings) -> None:
    endings.watch()
    with pytest.raises(BenchError, match=r"did not end within 0\.2 s"):
        endings.of("c1", 0.2, _nothing)


def test_only_a_pod_whose_shape_ends_subscribes(fake: FakeCri, endings: Endings, tmp_path: Path) -> None:
    plan = PodPlan("runc", "r", "t", "image", ("sh",), "/labctl/m1", tmp_path, 10)
    with Cri(str(fake.socket)) as cri:
        stays, ends = (CriPod(cri, plan, 0, endings, Shape(ends=value)) for value in (False, True))
        stays.run_sandbox()
        stays.create()
        assert "GetContainerEvents" not in fake.names()
        with pytest.raises(BenchError, match="does not say that it ends"):
            stays.await_end(1)
        ends.run_sandbox()
        ends.create()
        fake.end(ends.container)
        assert ends.await_end(5).exit_code == 0
        assert "GetContainerEvents" in fake.names()
