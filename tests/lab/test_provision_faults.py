# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on hosts, and what is odd about them: each is survived, or is one clear sentence. Real hosts, real faults."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab.lifecycle import Labs
from orchestrator.lab.system import Clock
from orchestrator.model.lab import HostStanding
from orchestrator.pipeline.lab import lab_down, lab_status, lab_up
from tests.lab.conftest import quiet, write_inventory

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

EVERYTHING = """\
- hosts: all
  tasks:
    - copy: {content: "{{ ansible_facts.distribution }}\\n", dest: /etc/labctl-test}
    - template: {src: page.j2, dest: /etc/labctl-page}
    - unarchive: {src: some.tar, dest: /opt}
    - command: /opt/program
      register: said
      changed_when: false
    - assert: {that: said.stdout == "it runs"}
"""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a lab of one host, for the tests of this module alone: they do things to it."""
    path = write_inventory(tmp_path_factory.mktemp("odd"), f"odd{os.getpid()}", hosts=1)
    labs = Labs()
    try:
        result = lab_up(path, quiet, labs)
        assert result.ok, result
        yield path
    finally:
        removed = lab_down(path, quiet, labs)
    assert removed is not None and removed.ok, removed


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """A playbook with a blob, a template, an archive and a program in it."""
    (tmp_path / "page.j2").write_text("{{ inventory_hostname }}\n")
    with tarfile.open(tmp_path / "some.tar", "w") as archive:
        script = b"#!/bin/sh\necho it runs\n"
        entry = tarfile.TarInfo("program")
        entry.size, entry.mode = len(script), 0o755
        archive.addfile(entry, io.BytesIO(script))
    return playbook(tmp_path, EVERYTHING)


def playbook(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text)
    return path


def labctl(*words: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def provision(inventory: Path, playbook: Path, *words: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The one host's report, and the events before it."""
    done = labctl("provision", inventory, "-p", playbook, "--json", *words)
    assert "Traceback" not in done.stdout + done.stderr
    *events, recap = [json.loads(line) for line in done.stdout.splitlines()]
    (host,) = recap["hosts"]
    assert host["exit_code"] == done.returncode, done.stdout + done.stderr
    return host, events


def sh(inventory: Path, command: str) -> str:
    """As root, by OpenSSH and not by labctl's own."""
    done = labctl("lab", "ssh", "-i", inventory, f"{inventory.stem}-1", "--", command)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@contextmanager
def on_host(inventory: Path, do: str, undo: str) -> Iterator[None]:
    sh(inventory, do)
    try:
        yield
    finally:
        sh(inventory, undo)


def assert_works(inventory: Path, everything: Path) -> None:
    sh(inventory, "rm -rf /etc/labctl-test /etc/labctl-page /opt/program")
    first, _ = provision(inventory, everything)
    assert (first["changed"], first["failed"], first["error"]) == (3, 0, None)
    second, _ = provision(inventory, everything)
    assert (second["changed"], second["failed"], second["error"]) == (0, 0, None)


@pytest.mark.parametrize("shell", ["tcsh", "fish"])
def test_a_login_shell_that_is_not_sh(inventory: Path, everything: Path, tmp_path: Path, shell: str) -> None:
    install = tmp_path / "install.yaml"
    install.write_text(
        f"- hosts: all\n  tasks:\n    - apt: {{name: {shell}, update_cache: true, install_recommends: false}}\n"
    )
    assert provision(inventory, install)[0]["error"] is None
    with on_host(inventory, f"chsh -s /usr/bin/{shell} root", "chsh -s /bin/bash root"):
        assert shell in sh(inventory, "echo $shell $SHELL")
        assert labctl("ping", inventory).returncode == 0
        assert_works(inventory, everything)


def test_a_profile_and_a_server_that_print(inventory: Path, everything: Path) -> None:
    noise = (
        "cp ~/.bashrc ~/.bashrc.kept; { echo 'echo noise; echo noise >&2; printf torn'; cat ~/.bashrc.kept; } >~/.bashrc; "
        "echo welcome >/etc/motd; echo 'Banner /etc/motd' >/etc/ssh/sshd_config.d/noise.conf; systemctl reload ssh"
    )
    silence = "mv ~/.bashrc.kept ~/.bashrc; rm /etc/ssh/sshd_config.d/noise.conf; systemctl reload ssh"
    with on_host(inventory, noise, silence):
        assert sh(inventory, "true").startswith("noise")
        assert labctl("ping", inventory).returncode == 0
        assert_works(inventory, everything)


def test_a_tmp_where_nothing_may_be_executed(inventory: Path, everything: Path) -> None:
    mount = "mount -t tmpfs -o noexec,nosuid,nodev none"
    with on_host(inventory, f"{mount} /tmp; {mount} /var/tmp", "umount /tmp /var/tmp"):
        assert_works(inventory, everything)


def test_a_full_disk_is_said_and_leaves_the_old_file(inventory: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 300_000)
    text = "- hosts: all\n  tasks:\n    - copy: {src: big, dest: /srv/small/file}\n"
    with on_host(
        inventory,
        "mkdir -p /srv/small; mount -t tmpfs -o size=64k none /srv/small; echo old >/srv/small/file",
        "umount /srv/small",
    ):
        host, _ = provision(inventory, playbook(tmp_path, text))
        assert (host["exit_code"], host["failed"]) == (1, 1)
        assert host["error"] == "copy: /srv/small/file: No space left on device."
        assert sh(inventory, "cat /srv/small/*; ls -A /srv/small") == "old\nfile"


def test_a_full_cache_is_said(inventory: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"y" * 300_000)
    text = "- hosts: all\n  tasks:\n    - copy: {src: big, dest: /srv/file}\n"
    cache = "/var/cache/labctl"
    with on_host(inventory, f"mkdir -p {cache}; mount -t tmpfs -o size=64k none {cache}", f"umount {cache}"):
        host, _ = provision(inventory, playbook(tmp_path, text))
        assert (host["exit_code"], host["failed"]) == (1, 1)
        assert "No space left on device" in host["error"]
        assert "\n" not in host["error"]
    assert provision(inventory, playbook(tmp_path, text))[0]["changed"] == 1


HOLD = """\
import fcntl, time
lock = open('/var/lib/dpkg/lock-frontend', 'w')
fcntl.lockf(lock, fcntl.LOCK_EX)
time.sleep(6)
"""


def test_a_held_package_lock_is_waited_for_with_a_message(inventory: Path, tmp_path: Path) -> None:
    text = "- hosts: all\n  tasks:\n    - apt: {name: tree, state: present, update_cache: true, install_recommends: false}\n"
    sh(inventory, f'systemd-run --quiet --collect python3 -c "{HOLD}"; sleep 1')
    host, events = provision(inventory, playbook(tmp_path, text))
    assert (host["error"], host["changed"]) == (None, 1)
    (waiting,) = [event["msg"] for event in events if event["kind"] == "progress" and "lock" in event["msg"]]
    assert "python3 (process " in waiting


REBOOT = """\
- hosts: all
  tasks:
    - command: touch /etc/before
      args: {creates: /etc/before}
      register: before
    - shell: sync; systemctl reboot --force --force; sleep 60
      when: before is changed
    - copy: {content: done, dest: /etc/after}
"""


def test_a_host_that_reboots_in_the_middle_is_lost_and_completed_afterwards(
    inventory: Path, tmp_path: Path
) -> None:
    path = playbook(tmp_path, REBOOT)
    lost, _ = provision(inventory, path)
    assert (lost["exit_code"], lost["unreachable"]) == (3, 1)
    assert "broke" in lost["error"] and "\n" not in lost["error"]

    def stopped() -> bool:
        return lab_status(inventory).hosts[0].standing == HostStanding.STOPPED

    assert Clock().wait_until(stopped, 60)
    assert labctl("lab", "up", inventory).returncode == 0
    completed, _ = provision(inventory, path, "--retry-failed")
    assert (completed["exit_code"], completed["changed"]) == (0, 1)
    assert sh(inventory, "cat /etc/after") == "done"


def test_a_host_without_python(inventory: Path, everything: Path) -> None:
    sh(inventory, "DEBIAN_FRONTEND=noninteractive apt-get -y -q purge python3-minimal")
    facts = labctl("facts", inventory)
    assert (facts.returncode, "Traceback" in facts.stderr) == (1, False)
    assert "python3 is missing on this host" in facts.stderr
    predicted, _ = provision(inventory, everything, "--check")
    assert "python3 is missing on this host" in predicted["error"]
    assert_works(inventory, everything)
