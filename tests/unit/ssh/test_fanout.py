# SPDX-License-Identifier: Apache-2.0
"""Fan-out: every host ends, in order, at most so many at a time."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from orchestrator.model.errors import HostError, LabctlError
from orchestrator.model.inventory import Host
from orchestrator.ssh import fan_out

HOSTS = [Host(f"h{number}", (), {}) for number in range(12)]


def test_results_are_in_the_order_of_the_hosts_whoever_ends_first() -> None:
    def work(host: Host) -> str:
        time.sleep(0.05 if host.name == "h0" else 0)
        if host.name in {"h3", "h7"}:
            raise HostError(host.name, "broke.")
        return host.name.upper()

    ended: list[str] = []
    results = fan_out(HOSTS, work, on_end=lambda host, _: ended.append(host.name))
    assert list(results.succeeded) == [host.name for host in HOSTS if host.name not in {"h3", "h7"}]
    assert results.succeeded["h1"] == "H1"
    assert list(results.failed) == ["h3", "h7"]
    assert ended[-1] == "h0"
    assert sorted(ended) == sorted(host.name for host in HOSTS)


def test_who_ends_is_told_with_its_value_or_its_error() -> None:
    def work(host: Host) -> int:
        if host.name == "h1":
            raise HostError("h1", "broke.")
        return 1

    told: dict[str, int | LabctlError] = {}
    fan_out(HOSTS[:2], work, on_end=lambda host, outcome: told.update({host.name: outcome}))
    assert told["h0"] == 1
    assert isinstance(told["h1"], HostError)


@pytest.mark.parametrize("forks", [1, 3, 64])
def test_never_more_at_a_time_than_forks(forks: int) -> None:
    lock, all_there = threading.Lock(), threading.Event()
    now, most, wanted = 0, 0, min(forks, len(HOSTS))

    def work(host: Host) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now == wanted:
                all_there.set()
        all_there.wait(20)
        time.sleep(0.02)
        with lock:
            now -= 1

    fan_out(HOSTS, work, forks=forks)
    assert most == wanted


def test_no_hosts_are_no_results() -> None:
    assert fan_out([], lambda host: 1).succeeded == {}


def test_a_defect_is_raised_and_not_hidden_among_failures() -> None:
    with pytest.raises(ZeroDivisionError):
        fan_out(HOSTS, lambda host: 1 // 0)


def test_ctrl_c_is_heard_while_hosts_are_at_work() -> None:
    begun: list[str] = []
    release = threading.Event()

    def work(host: Host) -> None:
        begun.append(host.name)
        release.wait(10)

    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fan_out(HOSTS, work, forks=2)
    assert time.monotonic() - began < 2
    release.set()
    time.sleep(0.05)
    assert begun == ["h0", "h1"]
