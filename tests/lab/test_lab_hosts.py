# SPDX-License-Identifier: Apache-2.0
"""Lab hosts, for real: up, once more up, killed and up again, interrupted, and gone without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.lab.state import LABS
from orchestrator.lab.system import Processes

pytestmark = pytest.mark.lab

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def labctl(*arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def ssh(inventory: Path, host: str, command: str) -> str:
    done = labctl("lab", "ssh", "-i", str(inventory), host, "--", command, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def traces(marks: tuple[str, ...], folder: Path) -> dict[str, list[str]]:
    """Everything on this machine whose name has one of ``marks``, by kind.

    Folders are not walked to their depth: files of other labs, which are in use, come and go under the walk.
    """

    def marked(lines: list[str]) -> list[str]:
        return [line for line in lines if any(mark in line for mark in marks)]

    def output(*command: str) -> list[str]:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True
        ).stdout.splitlines()

    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    running = [pid for pid in numbers if pid != os.getpid() and Processes().identify(pid)]
    lines = [_command_line(pid) for pid in running]
    return {
        "links": marked(output("ip", "-o", "link")),
        "addresses": marked(output("ip", "-o", "-4", "address")),
        "routes": marked(output("ip", "-4", "route")),
        "nft": marked(output("nft", "list", "tables")),
        "mounts": marked(Path("/proc/self/mountinfo").read_text().splitlines()),
        "namespaces": marked(output("ls", "-A", "/run/netns") if Path("/run/netns").exists() else []),
        "processes": marked(lines),
        "cgroups": marked([str(path) for depth in ("", "*/", "*/*/")
                           for path in Path("/sys/fs/cgroup").glob(f"{depth}*labctl-*")]),
        "folders": marked([str(path) for base in (LABS, Path("/run/systemd/nspawn"), Path("/run/lock"))
                           for depth in ("*", "*/*") for path in base.glob(depth)]),
        "keys": [str(path) for path in folder.glob(".labctl/**/*")],
    }  # fmt: skip


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@pytest.fixture
def inventory(own_inventory: Path) -> Path:
    return own_inventory


@pytest.fixture
def left(inventory: Path) -> Callable[[], dict[str, list[str]]]:
    """Asks what of the lab is on this machine, by kind; kinds without any are left out."""
    settings = inventory.read_text()
    bridge = settings.split("bridge: ")[1].split()[0]
    subnet = settings.split("gateway: ")[1].split()[0].rpartition(".")[0]
    marks = (inventory.stem, inventory.stem.replace("-", "_"), f"{bridge}:", f"{bridge} ", f"{subnet}.")

    def ask() -> dict[str, list[str]]:
        found = traces(marks, inventory.parent)
        return {kind: lines for kind, lines in found.items() if lines}

    return ask


def state_of(inventory: Path) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = json.loads(
        (LABS / inventory.stem / "state.json").read_text()
    )["hosts"]
    return found


def test_a_lab_comes_stays_heals_and_goes_without_a_trace(
    inventory: Path, left: Callable[[], dict[str, list[str]]]
) -> None:
    names = [f"{inventory.stem}-1", f"{inventory.stem}-2"]
    forward = FORWARD.read_text()
    assert left() == {}

    up = labctl("lab", "up", str(inventory))
    assert up.returncode == 0, up.stderr
    seen = left()
    assert {"links", "addresses", "nft", "mounts", "processes", "cgroups", "folders", "keys"} <= seen.keys()
    for name in names:
        assert ssh(inventory, name, "hostname; ls /sys/class/net").split() == [name, "host0", "lo"]
        assert ssh(inventory, name, "systemctl is-system-running").strip() == "running"
    # Each host's services are in a cgroup tree that is its own.
    assert all("/ssh.service" in ssh(inventory, n, "systemctl show -p ControlGroup ssh") for n in names)

    processes = {name: host["process"] for name, host in state_of(inventory).items()}
    again = labctl("lab", "up", str(inventory))
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("already up") == 2
    assert {name: host["process"] for name, host in state_of(inventory).items()} == processes

    os.kill(processes[names[0]]["pid"], signal.SIGKILL)
    status = labctl("lab", "status", "--json", str(inventory))
    assert status.returncode == 1
    assert [host["standing"] for host in json.loads(status.stdout)["hosts"]] == ["stopped", "running"]
    healed = labctl("lab", "up", str(inventory))
    assert healed.returncode == 0, healed.stderr
    after = {name: host["process"] for name, host in state_of(inventory).items()}
    assert after[names[0]] != processes[names[0]]
    assert after[names[1]] == processes[names[1]]
    assert ssh(inventory, names[0], "systemctl is-system-running").strip() == "running"

    down = labctl("lab", "down", str(inventory))
    assert down.returncode == 0, down.stderr
    assert left() == {}
    assert FORWARD.read_text() == forward
    nothing = labctl("lab", "down", str(inventory))
    assert (nothing.returncode, "not there" in nothing.stdout) == (0, True)


@pytest.mark.parametrize("moment", ["bridge", "copying", "booting"])
def test_down_finds_all_that_a_killed_up_has_begun(
    moment: str, inventory: Path, left: Callable[[], dict[str, list[str]]]
) -> None:
    command = [sys.executable, "-m", "orchestrator.cli.main", "lab", "up", str(inventory)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as up:
        assert up.stderr is not None
        seen = any(moment in line for line in up.stderr)
        time.sleep(0.3 if moment == "booting" else 0.05)
        os.kill(up.pid, signal.SIGKILL)
    assert seen
    assert left() != {}
    down = labctl("lab", "down", str(inventory))
    assert down.returncode == 0, down.stderr
    assert left() == {}


def test_a_host_with_another_key_is_refused(inventory: Path) -> None:
    name = f"{inventory.stem}-1"
    assert labctl("lab", "up", str(inventory)).returncode == 0
    known = inventory.parent / ".labctl/lab" / inventory.stem / "known_hosts"
    first, second = known.read_text().splitlines()
    swapped = [first.split()[0], *second.split()[1:]], [second.split()[0], *first.split()[1:]]
    known.write_text("".join(" ".join(words) + "\n" for words in swapped))
    refused = labctl("lab", "ssh", "-i", str(inventory), name, "--", "true")
    assert refused.returncode == 255
    # `up` knows the keys, because it made them: it mends the file without asking any host.
    assert labctl("lab", "up", str(inventory)).returncode == 0
    assert ssh(inventory, name, "hostname").strip() == name


def test_a_network_in_use_is_refused_before_anything_is_made(
    inventory: Path, left: Callable[[], dict[str, list[str]]]
) -> None:
    bridge = inventory.read_text().split("bridge: ")[1].split()[0]
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True, timeout=30)
    try:
        refused = labctl("lab", "up", str(inventory))
        assert refused.returncode == 1
        assert f"already has a network interface {bridge}" in refused.stderr
        assert labctl("lab", "down", str(inventory)).returncode == 0
        assert set(left()) == {"links"}, "the bridge is not ours, and stays"
    finally:
        subprocess.run(["ip", "link", "delete", bridge], check=True, timeout=30)
    assert left() == {}
