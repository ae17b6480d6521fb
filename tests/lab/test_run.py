# SPDX-License-Identifier: Apache-2.0
"""Runs on real hosts: executed, pulled, resumed after any kill, cancelled, fetched; everything once, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs.events import read_events
from orchestrator.runs.process import owned, owner
from orchestrator.ssh import connect

if TYPE_CHECKING:
    from tests.lab.conftest import LabOfTests

pytestmark = pytest.mark.lab

SUITE = {
    "cri": ["containerd"],
    "oci": ["runc", "crun"],
    "benchmarks": {
        "operations.container.lifecycle": {"blocks": 2},
        "scalability.runtime.2": {"blocks": 1, "warmup": 0},
    },
}
BLOCKS = {"operations.container.lifecycle": 3, "scalability.runtime.2": 1}
COMBINATIONS = ("containerd/runc", "containerd/crun")


class Desk:
    """A place to type `labctl` at: a suite of its own, a folder of runs of its own."""

    def __init__(self, folder: Path, inventory: Path) -> None:
        self.inventory = inventory
        self.store = RunStore(folder / "runs")
        self.suite = folder / "small.yaml"
        self.suite.write_text(yaml.safe_dump(SUITE, sort_keys=False))

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "orchestrator.cli.main", *words, "--root", str(self.store.root)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def type(self, *words: str, timeout: float = 300) -> tuple[int, str]:
        with self.start(*words) as process:
            try:
                said, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return process.returncode, said

    def run(self, *options: str) -> subprocess.Popen[str]:
        return self.start("run", "--suite", str(self.suite), "--inventory", str(self.inventory), *options)

    def latest(self) -> RunFolder:
        until(lambda: bool(self.store.ids()), 20)
        return self.store.find("latest")


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def journal(folder: RunFolder, host: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.journal(host).read_text().splitlines()]


def assert_everything_once(folder: RunFolder) -> None:
    """Every host, benchmark, block and combination has one trial that went well, and left nothing."""
    wanted = {
        (name, block, each)
        for name, count in BLOCKS.items()
        for block in range(count)
        for each in COMBINATIONS
    }
    for host in folder.read_spec().hosts:
        trials = [record for record in journal(folder, host.name) if record["type"] == "trial"]
        counts = Counter((trial["benchmark"], trial["block"], trial["combination"]) for trial in trials)
        assert counts == dict.fromkeys(wanted, 1)
        assert [trial["reason"] for trial in trials if trial["status"] != "ok"] == []
        assert [trial["leaks"] for trial in trials if trial["leaks"]] == []


@pytest.fixture
def desk(tmp_path: Path, provisioned_lab: LabOfTests) -> Desk:
    return Desk(tmp_path, provisioned_lab.inventory)


def on(inventory: Path, number: int, command: str) -> str:
    """What ``command`` says on the inventory's host of that number."""
    loaded = load_inventory(inventory)
    with connect(endpoint_of(loaded.hosts[number], loaded)) as connection:
        return connection.run(command).stdout


def test_a_run_is_executed_on_both_hosts_in_turns(desk: Desk) -> None:
    code, said = desk.type("run", "--suite", str(desk.suite), "--inventory", str(desk.inventory), "--json")
    assert code == 0, said
    before, brace, state = said.partition("{")
    assert "operations.container.lifecycle has 2" in before, "too few blocks are said on standard error"
    assert json.loads(brace + state)["status"] == "complete"
    folder = desk.latest()
    assert_everything_once(folder)
    assert folder.samples.is_file()
    assert folder.estimates.is_file()
    first, second = (host.name for host in folder.read_spec().hosts)
    told = [event["host"] for event in read_events(folder.events)[0] if event["type"] == "block"]
    assert told == [first, second] * sum(BLOCKS.values())
    orders = {
        host: [record["order"] for record in journal(folder, host) if record["type"] == "block"]
        for host in (first, second)
    }
    assert all(sorted(order) == sorted(COMBINATIONS) for order in orders[first] + orders[second])


def test_the_agent_is_deployed_once_and_listens_on_nothing_but_its_socket(desk: Desk) -> None:
    look = "systemctl show --property MainPID --property NRestarts labctl-agent.service; ls /opt/labctl/agent"
    assert (
        desk.type("run", "--suite", str(desk.suite), "--inventory", str(desk.inventory), "--runs", "1")[0]
        == 0
    )
    before = on(desk.inventory, 0, look)
    assert (
        desk.type("run", "--suite", str(desk.suite), "--inventory", str(desk.inventory), "--runs", "1")[0]
        == 0
    )
    assert on(desk.inventory, 0, look) == before, "an unchanged agent is not restarted"
    assert on(desk.inventory, 0, "stat -c %a:%U /run/labctl/agent.sock").strip() in ("600:root", "700:root")
    pid = before.split("MainPID=")[1].split()[0]
    inodes = on(
        desk.inventory, 0, f"ls -l /proc/{pid}/fd | sed -n 's/.*socket:.\\([0-9]*\\).*/\\1/p'"
    ).split()
    listening = [
        line.split()[9] for line in on(desk.inventory, 0, "cat /proc/net/tcp /proc/net/tcp6").splitlines()[1:]
    ]
    assert inodes
    assert not set(inodes) & set(listening)


@pytest.mark.parametrize("turn", [0, 1], ids=["first-host", "second-host"])
@pytest.mark.parametrize("killed", ["conductor", "terminal", "both"])
def test_whatever_is_killed_attach_completes_the_run(desk: Desk, killed: str, turn: int) -> None:
    terminal = desk.run()
    folder = desk.latest()
    host = folder.read_spec().hosts[turn].name
    until(lambda: _has_the_turn(folder, host), 90)
    if killed in ("conductor", "both"):
        pid = owner(folder.lock)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    if killed in ("terminal", "both"):
        terminal.kill()
    said, _ = terminal.communicate(timeout=60)
    if killed == "conductor":
        assert terminal.returncode == 1
        assert f"labctl attach {folder.id}" in said
    elif killed == "terminal":
        assert owned(folder.lock), "the conductor outlives its terminal"
    code, said = desk.type("attach", folder.id)
    assert code == 0, said
    assert_everything_once(folder)
    kinds = [event["type"] for event in read_events(folder.events)[0]]
    assert kinds.count("conductor") == (1 if killed == "terminal" else 2)


def _has_the_turn(folder: RunFolder, host: str) -> bool:
    """It executes, and a trial of its is done: so the kill comes in the middle."""
    events = [event for event in read_events(folder.events)[0] if event.get("host") == host]
    phases = [event["phase"] for event in events if event["type"] == "phase"]
    return phases[-1:] == ["executing"] and any(event["type"] == "trial" for event in events)


def test_ctrl_c_twice_cancels_and_leaves_nothing(desk: Desk) -> None:
    terminal = desk.run("--runs", "30")
    folder = desk.latest()
    until(lambda: _has_the_turn(folder, folder.read_spec().hosts[0].name), 90)
    terminal.send_signal(signal.SIGINT)
    time.sleep(1)
    terminal.send_signal(signal.SIGINT)
    said, _ = terminal.communicate(timeout=120)
    assert terminal.returncode == 130, said
    state = folder.read_state()
    assert state is not None
    assert state.status == "cancelled", said
    for number, host in enumerate(folder.read_spec().hosts):
        assert journal(folder, host.name)[-1]["status"] == "cancelled"
        pods = on(
            desk.inventory, number, "ctr --namespace k8s.io containers ls --quiet; ls /run/netns 2>/dev/null"
        )
        assert pods.split() == []


def test_fetch_pulls_what_is_missing(desk: Desk) -> None:
    assert (
        desk.type("run", "--suite", str(desk.suite), "--inventory", str(desk.inventory), "--runs", "1")[0]
        == 0
    )
    folder = desk.latest()
    host = folder.read_spec().hosts[1].name
    whole = folder.journal(host).read_bytes()
    folder.journal(host).write_bytes(whole[: len(whole) // 2])
    code, said = desk.type("fetch")
    assert code == 0, said
    assert folder.journal(host).read_bytes() == whole
    assert "nothing new" in said


def test_an_unreachable_host_is_told_and_the_other_one_finishes(desk: Desk, tmp_path: Path) -> None:
    text = desk.inventory.read_text()
    inventory = load_inventory(desk.inventory)
    gone = inventory.hosts[1]
    away = desk.inventory.with_name(f"away-{os.getpid()}.yaml")
    address = str(gone.vars["ansible_host"])
    away.write_text(
        text.replace(f"ansible_host: {address}", "ansible_host: 127.0.0.1\n      ansible_port: 9")
    )
    try:
        code, said = desk.type("run", "--suite", str(desk.suite), "--inventory", str(away), "--runs", "1")
    finally:
        away.unlink()
    assert code == 3, said
    assert f"{gone.name}: " in said
    state = desk.latest().read_state()
    assert state is not None
    assert [host.status for host in state.hosts] == ["complete", "failed"]
    assert state.hosts[0].trials_done == 2 * (2 + 1)
