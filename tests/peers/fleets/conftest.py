# SPDX-License-Identifier: Apache-2.0
"""Two lab hosts, one provisioned by labctl and the other by ansible-core, and runs that each engine has executed on both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from orchestrator.lab.container import ContainerProvider
from orchestrator.lab.lifecycle import Labs
from orchestrator.lab.system import System
from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.model.errors import LabError
from orchestrator.pipeline.lab import lab_down, lab_up
from orchestrator.results.store import RunFolder
from orchestrator.ssh import connect
from tests.lab.conftest import quiet, write_inventory
from tests.peers.fleets.desk import LACKING, PEERS, Desk, Done, finished


def _demand(problem: str | LabError | None) -> None:
    if problem is None:
        return
    if os.environ.get("CI") == "true" or os.environ.get("LABCTL_LAB_TESTS") == "1":
        pytest.fail(f"these tests must run here, and cannot: {problem}", pytrace=False)
    pytest.skip(str(problem))


@pytest.fixture(scope="session")
def ansible_core() -> None:
    """Skips where it is not installed; fails there, where tests must not be skipped."""
    if not (PEERS / "ansible-runner").is_file():
        _demand("ansible-core and ansible-runner are not there: run `make .venv-peers/ansible`.")


@pytest.fixture(scope="module")
def desk(ansible_core: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The two hosts, up and provisioned, each by another engine at the same time."""
    _demand(ContainerProvider.of_machine(System()).problem())
    folder, labs = tmp_path_factory.mktemp("fleet"), Labs()
    desk = Desk(folder / "own", write_inventory(folder, f"fleet{os.getpid()}"))
    desk.lay_out()
    try:
        result = lab_up(desk.inventory, quiet, labs)
        assert result.ok, result
        _lay_out_private(desk)
        _provision(desk)
        yield desk
    finally:
        removed = lab_down(desk.inventory, quiet, labs)
    assert removed is not None and removed.ok, removed


def _provision(desk: Desk) -> None:
    """One host by labctl, the other by ansible-runner, which starts ansible-playbook."""
    packed = desk.labctl("build", "--source", "debian", "--pack", desk.project)
    assert packed.status == 0, packed.out[-3000:]
    ours, theirs = hosts_of(desk)
    site = ("-p", desk.project / "playbooks/site.yaml", "--source", "debian")
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(desk.labctl, "provision", desk.inventory, "--limit", ours, *site)
        words = ("run", desk.private, "--project-dir", desk.project, "-p", "playbooks/site.yaml")
        other = pool.submit(desk.runner, *words, "--ident", "provision", "--limit", theirs)
        assert one.result().status == 0, one.result().out[-6000:]
        assert other.result().returncode == 0, other.result().stdout[-6000:]


def _lay_out_private(desk: Desk) -> None:
    """ansible-runner's folder: the playbooks, an inventory that names no path of this machine, and the key.

    Without what provisioning needs in its project: all of it travels to the node of a mesh.
    """
    (desk.private / "env").mkdir(parents=True)
    (desk.private / "inventory").mkdir()
    shutil.copytree(desk.project / "playbooks", desk.private / "project/playbooks")
    loaded = load_inventory(desk.inventory)
    endpoint = endpoint_of(loaded.hosts[0], loaded)
    assert endpoint.key_file is not None and endpoint.known_hosts is not None
    shutil.copy(endpoint.key_file, desk.private / "env/ssh_key")
    for project in (desk.project, desk.private / "project"):
        shutil.copy(endpoint.known_hosts, project / "known_hosts")
    known = "-o UserKnownHostsFile={{ playbook_dir }}/../known_hosts"
    hosts = {host.name: {"ansible_host": host.vars["ansible_host"]} for host in loaded.hosts}
    shared = {"ansible_user": "root", "ansible_ssh_common_args": known, **LACKING}
    inventory = {"all": {"hosts": hosts, "vars": shared}}
    (desk.private / "inventory/hosts.json").write_text(json.dumps(inventory))
    environ = {"ANSIBLE_HOST_KEY_CHECKING": "True", "ANSIBLE_PIPELINING": "True"}
    (desk.private / "env/envvars").write_text(json.dumps(environ))


def hosts_of(desk: Desk) -> tuple[str, str]:
    first, second = (host.name for host in load_inventory(desk.inventory).hosts)
    return first, second


def on(desk: Desk, number: int, command: str) -> str:
    """What ``command`` says on the inventory's host of that number."""
    loaded = load_inventory(desk.inventory)
    with connect(endpoint_of(loaded.hosts[number], loaded)) as connection:
        return connection.run(command).stdout


@dataclass(frozen=True)
class Executed:
    """A run, and what its engine said at the end and when it was asked again."""

    folder: RunFolder
    first: Done
    again: Done


@pytest.fixture(scope="module")
def by_ansible(desk: Desk) -> Executed:
    """ansible-playbook, killed while the first host executes."""
    folder = desk.prepare()
    words = ("run.yaml", "-e", f"run={folder.id}")
    first, _ = hosts_of(desk)
    process = desk.start_ansible(*words, "--limit", first, own_group=True)
    try:
        until(lambda: executing(desk, 0) == folder.id, 120)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    finished(process)
    return Executed(folder, desk.ansible(*words), desk.ansible(*words))


@pytest.fixture(scope="module")
def by_labctl(desk: Desk) -> Executed:
    folder = desk.prepare()
    words = (
        "provision",
        desk.inventory,
        "-p",
        desk.project / "playbooks/run.yaml",
        "-e",
        f"run={folder.id} labctl_project={desk.project}",
        "--json",
    )
    return Executed(folder, desk.labctl(*words), desk.labctl(*words))


def executing(desk: Desk, number: int) -> str:
    """The run that the host's agent is at, in the middle of a trial."""
    said = on(
        desk, number, "[ -S /run/labctl/agent.sock ] && labctl-agent status --json 2>/dev/null || echo '{}'"
    )
    status = json.loads(said)
    return str(status["run_id"]) if status.get("trial") else ""


def until(condition: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
