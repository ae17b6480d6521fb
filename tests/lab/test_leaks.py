# SPDX-License-Identifier: Apache-2.0
"""The leak audit on a real, provisioned host: one leak of every kind is planted, and each is named, and nothing else."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.results.store import RunStore
from orchestrator.ssh import connect
from remote_agent.agent.executor import cgroup_parents
from remote_agent.benchmarks.bench import IMAGE
from remote_agent.host.audit import SETTLE_S

if TYPE_CHECKING:
    from orchestrator.model.inventory import Inventory
    from tests.lab.conftest import LabOfTests

pytestmark = pytest.mark.lab

SUITE = {
    "cri": ["containerd"],
    "oci": ["runc"],
    "benchmarks": {"operations.container.lifecycle": {"blocks": 1, "warmup": 0}},
}
SOCKETS = {"containerd": "/run/containerd/containerd.sock", "crio": "/run/crio/crio.sock"}
NAME = "leaktest"

AUDIT = """\
import json, sys
from remote_agent.agent.executor import CriExecutor
from remote_agent.agent.spec import RunSpec
spec = RunSpec.from_json(json.loads(sys.argv[1]))
seen = CriExecutor(settle_s=float(sys.argv[2]), forget_s=0).leaks(spec, frozenset())
print(json.dumps(sorted([leak.kind, leak.what] for leak in seen)))
"""
"""What a trial's audit sees, through the very executor that the agent runs."""

POD = """\
import sys
from remote_agent.cri.client import Cri
from remote_agent.cri.endings import Endings
from remote_agent.cri.pods import CriPod, PodPlan
from pathlib import Path
with Cri(sys.argv[1]) as cri:
    plan = PodPlan(sys.argv[4], "leaktest", "leaktest", sys.argv[2], ("/bin/true",), sys.argv[3], Path("/run/leaktest"), 1)
    pod = CriPod(cri, plan, 0, Endings(cri))
    pod.run_sandbox()
    pod.create()
    print(pod.id, pod.container)
"""

UNPOD = """\
import sys
from remote_agent.cri.client import Cri
from remote_agent.cri.leftovers import remove_ours
with Cri(sys.argv[1]) as cri:
    sys.exit("; ".join(map(str, remove_ours(cri))) or None)
"""


class Host:
    """The first host of the lab, its agent deployed by a run."""

    def __init__(self, inventory: Inventory) -> None:
        self.name = inventory.hosts[0].name
        self._endpoint = endpoint_of(inventory.hosts[0], inventory)

    def sh(self, command: str) -> str:
        with connect(self._endpoint) as connection:
            done = connection.run(command)
        assert done.exit_status == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def python(self, program: str, *words: str) -> str:
        """In the deployed agent's own Python."""
        base = "here=$(readlink -f /opt/labctl/agent/current) && PYTHONPATH=$here:$here/wheels"
        return self.sh(f"{base} python3 -P -s -c {shlex.join([program, *words])}")

    def audit(self, settle_s: float = 0) -> set[tuple[str, str]]:
        """Every leak's kind and name; with ``settle_s``, what does not go within so many seconds."""
        spec = {
            "run_id": NAME, "host": self.name, "seed": 1,
            "combinations": [
                {"cri": cri, "handler": "runc", "socket": socket} for cri, socket in SOCKETS.items()
            ],
            "benchmarks": [{"name": "operations.container.lifecycle"}],
        }  # fmt: skip
        return {
            (kind, what) for kind, what in json.loads(self.python(AUDIT, json.dumps(spec), str(settle_s)))
        }

    @property
    def parent(self) -> str:
        return cgroup_parents(self.name)[0]


@pytest.fixture
def host(tmp_path: Path, provisioned_lab: LabOfTests) -> Host:
    """After a real run, which deploys the agent and makes the bridge."""
    suite, root = tmp_path / "one.yaml", tmp_path / "runs"
    suite.write_text(yaml.safe_dump(SUITE, sort_keys=False))
    command = [sys.executable, "-m", "orchestrator.cli.main", "run", "--suite", str(suite)]
    command += ["--inventory", str(provisioned_lab.inventory), "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    spec = RunStore(root).find("latest").read_spec()
    inventory = load_inventory(provisioned_lab.inventory)
    assert inventory.hosts[0].name == spec.hosts[0].name
    return Host(inventory)


@pytest.fixture
def clean(host: Host) -> Iterator[Host]:
    """Nothing is there before; whatever the test plants by hand is gone after it."""
    assert host.audit(SETTLE_S) == set()
    yield host
    for remove in (*(remove for _, remove, _ in planted(host)), f"rm -rf /run/{NAME}"):
        host.sh(f"{{ {remove}; }} >/dev/null 2>&1 || true")
    for socket in SOCKETS.values():
        host.python(UNPOD, socket)


def planted(host: Host) -> list[tuple[str, str, tuple[str, str]]]:
    """How each is planted and removed, and what the audit must call it. On cgroup v1, one hierarchy stands for all."""
    mount = f"/run/containerd/{NAME}"
    lease = "/var/lib/cni/networks/labctl/10.88.250.250"
    group = f"{host.sh(HIERARCHY)}{host.parent}/{NAME}"
    return [
        ("ip link add vleak0 type veth peer name vleak1 && ip link set vleak0 master cni-labctl",
         "ip link del vleak0", ("veth", "vleak0")),
        (f"mkdir -p $(dirname {lease}) && echo {NAME} >{lease}", f"rm {lease}", ("lease", "10.88.250.250")),
        (f"ip netns add {NAME}", f"ip netns del {NAME}", ("netns", NAME)),
        (f"mkdir -p {mount} && mount -t tmpfs none {mount}", f"umount {mount} && rmdir {mount}", ("mount", mount)),
        (f"mkdir -p {group}", f"rmdir {group} {group.rsplit('/', 1)[0]}",
         ("cgroup", group.removeprefix("/sys/fs/cgroup/"))),
        ("cp /bin/sleep /run/containerd-shim-leaktest && "
         "{ /run/containerd-shim-leaktest 300 >/dev/null 2>&1 </dev/null & echo $! >/run/leaktest.pid; }",
         "kill $(cat /run/leaktest.pid); rm -f /run/leaktest.pid /run/containerd-shim-leaktest",
         ("process", "containerd-shim-leaktest PID")),
    ]  # fmt: skip


HIERARCHY = "[ -e /sys/fs/cgroup/cgroup.controllers ] && echo /sys/fs/cgroup || echo /sys/fs/cgroup/pids"


def test_each_leak_is_named_alone_and_is_gone_when_removed(clean: Host) -> None:
    for plant, remove, (kind, what) in planted(clean):
        clean.sh(plant)
        pid = clean.sh("cat /run/leaktest.pid") if "PID" in what else ""
        assert clean.audit() == {(kind, what.replace("PID", pid))}, plant
        clean.sh(remove)
        assert clean.audit(SETTLE_S) == set(), remove


EVERY_POD = {"pod", "container", "netns", "veth", "mount", "cgroup", "lease", "process"}
HOLDS = {
    ("containerd", "runc"): EVERY_POD,
    ("containerd", "runsc"): EVERY_POD,
    ("crio", "runc"): EVERY_POD | {"ipcns", "utsns"},
    ("crio", "runsc"): EVERY_POD | {"ipcns", "utsns"},
}


@pytest.mark.parametrize(("cri", "handler"), list(HOLDS))
def test_a_stray_pod_is_named_with_all_that_it_holds(clean: Host, cri: str, handler: str) -> None:
    clean.sh(f"mkdir -p /run/{NAME}")
    pod, container = clean.python(POD, SOCKETS[cri], IMAGE, clean.parent, handler).split()
    seen = clean.audit()
    assert {("pod", pod), ("container", container)} <= seen
    assert {kind for kind, _ in seen} == HOLDS[cri, handler]
    single = ("netns", "veth", "lease", *(("process",) if (cri, handler) == ("containerd", "runc") else ()))
    named = {kind: [what for each, what in seen if each == kind] for kind in single}
    assert {kind: len(found) for kind, found in named.items()} == dict.fromkeys(named, 1), (
        "one pod has one of each"
    )
    assert all(pod in what or container in what for kind, what in seen if kind == "cgroup")
    clean.python(UNPOD, SOCKETS[cri])
    assert clean.audit(SETTLE_S) == set()
