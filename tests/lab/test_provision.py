# SPDX-License-Identifier: Apache-2.0
"""`labctl provision` against real hosts: idempotent, predicting, and one host's failure its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]


class LabOfTests(Protocol):
    @property
    def inventory(self) -> Path: ...


def labctl(*words: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", *map(str, words)]
    environment = {
        "PYTHONPATH": str(REPOSITORY),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(Path.home()),
    }
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def recap(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The report of each host, by its name."""
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["kind"] == "recap", done.stdout
    return {host["host"]: host for host in last["hosts"]}


def test_a_second_time_nothing_changes(provisioned_lab: LabOfTests) -> None:
    done = labctl("provision", provisioned_lab.inventory, "--json")
    assert done.returncode == 0, done.stderr
    hosts = recap(done)
    assert len(hosts) == 2
    assert {(host["changed"], host["failed"], host["unreachable"]) for host in hosts.values()} == {(0, 0, 0)}
    assert all(host["ok"] > 10 for host in hosts.values())


def test_a_prediction_says_what_a_stray_edit_needs(provisioned_lab: LabOfTests, tmp_path: Path) -> None:
    spoil = tmp_path / "spoil.yaml"
    spoil.write_text(
        "- hosts: all[0]\n  tasks:\n    - shell: echo '# stray' >> /etc/containerd/config.toml\n"
    )
    assert labctl("provision", provisioned_lab.inventory, "-p", spoil).returncode == 0
    predicted = labctl("provision", provisioned_lab.inventory, "--check", "--diff")
    assert predicted.returncode == 0, predicted.stderr
    assert "would change  containerd : Configure containerd" in predicted.stdout
    assert "-# stray" in predicted.stdout
    mended = recap(labctl("provision", provisioned_lab.inventory, "--json", "--tags", "containerd"))
    assert sorted(host["changed"] for host in mended.values()) == [0, 2]  # the file, and the restart


def test_a_failing_host_leaves_the_other_fine(lab: LabOfTests, tmp_path: Path) -> None:
    playbook = tmp_path / "fails.yaml"
    playbook.write_text("""\
- hosts: all
  tasks:
    - name: first
      command: "true"
      changed_when: false
    - name: fails on one
      shell: echo the reason >&2; exit 7
      when: inventory_hostname == groups['all'][0]
    - name: last
      command: "true"
      changed_when: false
""")
    done = labctl("provision", lab.inventory, "-p", playbook)
    assert done.returncode == 1
    assert "fails on one: The command ended with 7: the reason" in done.stderr
    assert f"at {playbook}:6" in done.stdout
    again = recap(labctl("provision", lab.inventory, "-p", playbook, "--retry-failed", "--json"))
    assert [(host["ok"], host["failed"]) for host in again.values()] == [(1, 1)]
    whole = recap(labctl("provision", lab.inventory, "-p", playbook, "--json"))
    assert sorted((host["ok"], host["failed"], host["skipped"]) for host in whole.values()) == [
        (1, 1, 0),
        (2, 0, 1),
    ]


def test_an_unreachable_host_is_exit_3_and_the_other_goes_on(lab: LabOfTests, tmp_path: Path) -> None:
    playbook = tmp_path / "fine.yaml"
    playbook.write_text('- hosts: all\n  tasks:\n    - {command: "true", changed_when: false}\n')
    inventory = tmp_path / "lab.yaml"
    text = lab.inventory.read_text().replace("{{ inventory_dir }}", str(lab.inventory.parent))
    inventory.write_text(text + "    nobody: {ansible_host: 127.0.0.1, ansible_port: 1}\n")
    done = labctl("provision", inventory, "-p", playbook, "--json")
    assert done.returncode == 3
    hosts = recap(done)
    assert sorted((host["ok"], host["unreachable"]) for host in hosts.values()) == [(0, 1), (1, 0), (1, 0)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--tags", "contanerd"), "Did you mean 'containerd'?"),
        (("--limit", "nosuch"), "nosuch"),
        (("-p", "nosuch.yaml"), "there is no such playbook"),
        (("-e", "a"), "NAME=VALUE"),
    ],
)
def test_usage_errors_are_exit_2(lab: LabOfTests, words: tuple[str, ...], says: str) -> None:
    done = labctl("provision", lab.inventory, *words)
    assert (done.returncode, says in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_facts(lab: LabOfTests) -> None:
    shown = labctl("facts", lab.inventory)
    assert shown.returncode == 0
    assert "Debian 13" in shown.stdout
    found = json.loads(labctl("facts", lab.inventory, "--json").stdout)
    assert all(host["facts"]["labctl"]["cgroup"]["writable"] for host in found.values())


def test_a_connection_lost_in_the_middle_is_one_sentence(lab: LabOfTests, tmp_path: Path) -> None:
    playbook = tmp_path / "lost.yaml"
    playbook.write_text("""\
- hosts: all
  tasks:
    - {name: first, command: "true", changed_when: false}
    - name: the session ends
      shell: kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)
      when: inventory_hostname == groups['all'][0]
    - {name: last, command: "true", changed_when: false}
""")
    done = labctl("provision", lab.inventory, "-p", playbook, "--json")
    assert done.returncode == 3, done.stdout + done.stderr
    lost, fine = sorted(recap(done).values(), key=lambda host: -int(host["unreachable"]))
    assert (lost["unreachable"], lost["failed"], lost["ok"]) == (1, 0, 1)
    assert "broke" in lost["error"] and "\n" not in lost["error"]
    assert (fine["ok"], fine["skipped"], fine["exit_code"]) == (2, 1, 0)
