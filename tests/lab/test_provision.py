# SPDX-License-Identifier: Apache-2.0
"""`labctl provision` against real hosts: idempotent, predicting, and one host's failure its own."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from tests.lab.conftest import LAB_TARGET

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]
ARTIFACTS = REPOSITORY / ".labctl/artifacts.yaml"
BLOBS = "/var/cache/labctl/blobs"
"""Where a host keeps what the controller sent."""


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
    planned = json.loads(labctl("plan", provisioned_lab.inventory, "--json").stdout)["hosts"]
    assert [[entry["task"] for entry in host["changes"]] for host in planned] == [
        ["containerd : Configure containerd", "containerd : Restart containerd"],
        [],
    ]
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


def sh(lab: LabOfTests, command: str, host: int = 0) -> str:
    """On one of the lab's hosts."""
    name = f"{lab.inventory.stem}-{host + 1}"
    done = labctl("lab", "ssh", "-i", lab.inventory, name, "--", command)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def built() -> dict[str, Any]:
    """The vars file that the last build left."""
    found: dict[str, Any] = yaml.safe_load(ARTIFACTS.read_text())
    return found


def another_build(folder: Path, component: str, padding: int = 0) -> tuple[Path, str]:
    """A vars file with another artifact of the component (the same files, and one of ``padding`` bytes more), and its key."""
    variables = built()
    entry = variables["labctl_artifacts"]["targets"][LAB_TARGET]["components"][component]
    key = hashlib.sha256(f"{entry['key']}{time.time_ns()}".encode()).hexdigest()[:16]
    path = folder / f"{component}-{key}.tar"
    with tarfile.open(entry["path"]) as old, tarfile.open(path, "w") as new:
        for member in old:
            content = old.extractfile(member) if member.isreg() else None
            member.name = member.name.replace(entry["key"], key)
            new.addfile(member, content)
        info = tarfile.TarInfo(f"{component}/{key}/NOTE")
        info.size, info.mode = padding, 0o644
        new.addfile(info, io.BytesIO(bytes(padding)))
    entry.update(key=key, path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    file = folder / f"{key}.yaml"
    file.write_text(yaml.safe_dump(variables))
    return file, key


def test_a_flipped_byte_on_a_host_is_mended_and_said(provisioned_lab: LabOfTests) -> None:
    sums = "cd /opt/labctl && sha256sum runc/current/bin/runc"
    before, key = sh(provisioned_lab, sums), sh(provisioned_lab, "readlink /opt/labctl/runc/current")
    flip = "printf '\\001' | dd of=/opt/labctl/runc/current/bin/runc bs=1 seek=5000 conv=notrunc 2>/dev/null"
    sh(provisioned_lab, flip)
    assert sh(provisioned_lab, sums) != before
    done = labctl("provision", provisioned_lab.inventory)
    assert done.returncode == 0, done.stderr
    assert f"runc/{key}/bin/runc was not as in the archive: mended" in done.stdout
    assert sh(provisioned_lab, sums) == before


def test_a_program_of_a_debian_package_is_mended_too(provisioned_lab: LabOfTests) -> None:
    flip = "printf '\\001' | dd of=/usr/bin/crun bs=1 seek=5000 conv=notrunc 2>/dev/null"
    sh(provisioned_lab, flip, host=1)
    done = labctl("provision", provisioned_lab.inventory)
    assert done.returncode == 0, done.stderr
    assert "Mend /usr/bin/crun, not as in its package" in done.stdout
    assert "/usr/bin/crun" not in sh(provisioned_lab, "dpkg --verify crun || true", host=1)


def test_another_build_of_an_oci_runtime_is_in_use_at_once_and_restarts_nothing(
    provisioned_lab: LabOfTests, tmp_path: Path
) -> None:
    started = "systemctl show -p ExecMainStartTimestampMonotonic containerd"
    before, old = sh(provisioned_lab, started), sh(provisioned_lab, "readlink /opt/labctl/runc/current")
    file, key = another_build(tmp_path, "runc")
    hosts = recap(labctl("provision", provisioned_lab.inventory, "-e", f"@{file}", "--json"))
    assert {host["changed"] for host in hosts.values()} == {2}, "unpacked, and the link switched"
    assert sh(provisioned_lab, "readlink /opt/labctl/runc/current") == key
    sh(provisioned_lab, f"test -x /opt/labctl/runc/{old}/bin/runc")  # side by side
    assert sh(provisioned_lab, started) == before
    back = recap(labctl("provision", provisioned_lab.inventory, "--json"))
    assert {host["changed"] for host in back.values()} == {1}, "the link alone"


def test_another_build_of_containerd_restarts_it(provisioned_lab: LabOfTests, tmp_path: Path) -> None:
    started = "systemctl show -p ExecMainStartTimestampMonotonic containerd"
    before = sh(provisioned_lab, started)
    file, _ = another_build(tmp_path, "containerd")
    limit = ("--limit", f"{provisioned_lab.inventory.stem}-1")
    assert labctl("provision", provisioned_lab.inventory, "-e", f"@{file}", *limit).returncode == 0
    assert sh(provisioned_lab, started) != before
    assert labctl("provision", provisioned_lab.inventory).returncode == 0


def test_a_controller_killed_in_an_upload_leaves_nothing_half_installed(
    provisioned_lab: LabOfTests, tmp_path: Path
) -> None:
    old = sh(provisioned_lab, "readlink /opt/labctl/runc/current")
    file, key = another_build(tmp_path, "runc", padding=700 << 20)
    words = ("provision", str(provisioned_lab.inventory), "-e", f"@{file}")
    limit = ("--limit", f"{provisioned_lab.inventory.stem}-1")
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli.main", *words, *limit],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as controller:
        arriving = f"timeout 60 sh -c 'until ls {BLOBS}/.incoming-* 2>/dev/null; do sleep 0.05; done'"
        sh(provisioned_lab, arriving)
        controller.kill()
    assert sh(provisioned_lab, "readlink /opt/labctl/runc/current") == old
    sh(provisioned_lab, "/usr/local/bin/runc --version")
    sh(provisioned_lab, f"timeout 60 sh -c 'while ls {BLOBS}/.incoming-* 2>/dev/null; do sleep 0.1; done'")
    sh(provisioned_lab, f"test ! -e /opt/labctl/runc/{key}")
    again = labctl(*words, *limit)
    assert again.returncode == 0, again.stderr
    assert sh(provisioned_lab, "readlink /opt/labctl/runc/current") == key
    assert labctl("provision", provisioned_lab.inventory).returncode == 0
    sh(provisioned_lab, f"rm -r /opt/labctl/runc/{key}; find {BLOBS} -size +600M -delete")


@pytest.mark.parametrize(
    ("command", "runtime"),
    [("crictl", "containerd"), ("crictl-containerd", "containerd"), ("crictl-crio", "cri-o")],
)
def test_crictl_needs_no_option(provisioned_lab: LabOfTests, command: str, runtime: str) -> None:
    said = sh(provisioned_lab, f"{command} version && {command} images && {command} ps")
    assert f"RuntimeName:  {runtime}" in said and "localhost/labctl/busybox" in said
    assert "WARN" not in said


def test_an_unpack_that_was_cut_off_is_completed(provisioned_lab: LabOfTests) -> None:
    """As a host that lost its power leaves it: a file missing, another half-written beside its place."""
    folder = "/opt/labctl/containerd/current/bin"
    sh(provisioned_lab, f"mv {folder}/ctr {folder}/.ctr.labctl-x1", host=1)
    done = labctl("provision", provisioned_lab.inventory)
    assert done.returncode == 0 and "bin/ctr was missing: mended" in done.stdout
    assert sh(provisioned_lab, f"ls -A {folder}", host=1) == sh(provisioned_lab, f"ls -A {folder}")
