# SPDX-License-Identifier: Apache-2.0
"""A virtual machine, for real: what it offers, that it heals, that a killed `up` is found, and that nothing is left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.lab.state import LABS, StateFile
from orchestrator.lab.system import Clock, Processes, tail
from orchestrator.lab.vm import port_is_free
from orchestrator.model.lab import HostStanding
from orchestrator.pipeline.lab import lab_status, read_lab
from tests.lab.conftest import LabOfTests
from tests.lab.test_lab_hosts import labctl, ssh
from tests.lab.test_matrix import combinations, execute, trials

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture
def left(own_vm_inventory: Path) -> Callable[[], list[str]]:
    """Asks what of the lab is on this machine: processes, folders, locks, keys, a port that is taken."""
    spec = read_lab(own_vm_inventory)

    def ask() -> list[str]:
        folders = [str(path) for base in (LABS, Path("/run/lock")) for path in base.glob(f"*{spec.name}*")]
        keys = [str(path) for path in own_vm_inventory.parent.glob(".labctl/**/*")]
        pids = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        running = [pid for pid in pids if f"labctl-{spec.name}." in _command_line(pid)]
        taken = [host.where for host in spec.hosts if not port_is_free(str(host.address), host.port)]
        return [*folders, *keys, *running, *taken]

    return ask


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text() if Processes().identify(int(pid)) else ""
    except OSError:
        return ""


def console(lab: LabOfTests) -> str:
    """The end of what the machine's kernel has said: the only witness where it no longer answers."""
    log = StateFile.of(lab.spec.name).path.parent / lab.spec.hosts[0].name / "boot.log"
    return f"\nIts console:\n{tail(log)}"


def test_it_is_reached_and_is_what_no_container_is(vm_lab: LabOfTests) -> None:
    assert labctl("ping", str(vm_lab.inventory)).returncode == 0, console(vm_lab)
    answer = labctl("facts", "--json", str(vm_lab.inventory))
    assert answer.returncode == 0, answer.stdout + answer.stderr + console(vm_lab)
    facts = json.dumps(json.loads(answer.stdout))
    assert '"cap_sys_resource": true' in facts
    assert '"cgroup_version": 2' in facts or '"version": 2' in facts, facts[:3000]
    name = vm_lab.spec.hosts[0].name
    # A kernel of its own, with modules that load; the disk has grown to its size; nothing has failed.
    said = ssh(
        vm_lab.inventory,
        name,
        "modprobe -a overlay bridge veth && systemctl is-system-running; df --output=size -BG /",
    )
    assert said.split()[0] == "running"
    assert int(said.split()[-1].rstrip("G")) > 15
    row = lab_status(vm_lab.inventory).hosts[0]
    assert row.how is not None and row.how.startswith(("emulated: ", "accelerated by KVM"))


def who_gave_addresses(inventory: Path, host: str) -> list[str]:
    """To both ends of a veth pair such as CNI makes: the kernel, or udev, which comes later (addr_assign_type, in sysfs)."""
    made = "ip link add veth0a1b2c3d type veth peer name veth3d2c1b0a && udevadm settle"
    asked = "cat /sys/class/net/veth0a1b2c3d/addr_assign_type /sys/class/net/veth3d2c1b0a/addr_assign_type"
    said = ssh(inventory, host, f"{made}; {asked}; ip link del veth0a1b2c3d")
    return [{"1": "kernel", "3": "udev"}[number] for number in said.split()]


@pytest.mark.long
def test_the_thesis_matrix_in_a_virtual_machine_without_any_adapter(
    provisioned_lab: LabOfTests, vm_lab: LabOfTests, tmp_path: Path
) -> None:
    """A kernel of its own, cgroup v2, every capability: what the adapters are for is not there."""
    cri, oci = "containerd, crio", "runc, runsc"
    provision = labctl("provision", str(vm_lab.inventory))
    assert provision.returncode == 0, provision.stdout[-3000:] + provision.stderr[-3000:] + console(vm_lab)
    facts = json.loads(labctl("facts", str(vm_lab.inventory), "--json").stdout)
    (host,) = facts
    own = facts[host]["facts"]["labctl"]
    assert (own["cgroup"]["version"], own["cap_sys_resource"]) == (2, True)
    # CRI-O speaks an older protocol with gVisor's shim on every host: that is no adapter for what a host lacks.
    assert not [name for name in own["adapters"] if "oom" in name or "uid" in name], own["adapters"]
    assert who_gave_addresses(vm_lab.inventory, host) == ["kernel", "kernel"]
    run = execute(vm_lab.inventory, tmp_path, cri, oci, runs=1, warmup=0)
    found = trials(run, host)
    assert Counter((trial["combination"], trial["status"]) for trial in found) == {
        (name, "ok"): 1 for name in combinations(cri, oci)
    }, found
    assert not any(trial["leaks"] for trial in found)


def test_a_killed_up_and_a_killed_machine_heal_and_go_without_a_trace(
    own_vm_inventory: Path, left: Callable[[], list[str]]
) -> None:
    assert left() == []
    command = [sys.executable, "-m", "orchestrator.cli.main", "lab", "up", str(own_vm_inventory)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as up:
        assert up.stderr is not None
        assert any("emulated" in line or "KVM" in line for line in up.stderr)
        os.kill(up.pid, signal.SIGKILL)
    assert left() != []
    healed = labctl("lab", "up", str(own_vm_inventory))
    assert healed.returncode == 0, healed.stderr

    name = read_lab(own_vm_inventory).hosts[0].name
    state = StateFile.of(own_vm_inventory.stem).read()
    process = state.hosts[name].process if state else None
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    # A process of some gigabytes takes its time to end, and is unhealthy until it has.
    assert Clock().wait_until(lambda: not Processes().alive(process), 60)
    assert lab_status(own_vm_inventory).hosts[0].standing == HostStanding.STOPPED

    down = labctl("lab", "down", str(own_vm_inventory))
    assert down.returncode == 0, down.stderr
    assert left() == []
