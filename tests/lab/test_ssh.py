# SPDX-License-Identifier: Apache-2.0
"""`labctl ping` on real hosts: all of them, one that is not there, one that shows another key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.lab


def labctl_ping(inventory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", "ping", str(inventory), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def copied(lab: Any, **more_hosts: dict[str, Any]) -> Path:
    """The lab's inventory beside itself (its keys are named from there), with more hosts."""
    content = yaml.safe_load(lab.inventory.read_text())
    content["all"].setdefault("hosts", {}).update(more_hosts)
    path: Path = lab.inventory.with_name("copied.yaml")
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_every_host_answers(lab: Any) -> None:
    done = labctl_ping(lab.inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines} == {host.name for host in lab.spec.hosts}
    assert all(" ok " in line and "root" in line and "Debian GNU/Linux 13" in line for line in lines)


def test_a_host_that_is_not_there_keeps_no_other(lab: Any) -> None:
    gateway = str(lab.spec.hosts[0].address).rpartition(".")[0]
    path = copied(lab, gone={"ansible_host": f"{gateway}.250", "ansible_timeout": 5})
    done = labctl_ping(path, "--json")
    assert done.returncode == 3
    rows = {row["host"]: row for row in json.loads(done.stdout)}
    assert [name for name, row in rows.items() if not row["ok"]] == ["gone"]
    assert "gone" in rows["gone"]["error"]
    assert rows["gone"]["hint"]
    assert all(row["round_trip_ms"] < 50 for name, row in rows.items() if name != "gone")


def test_a_wrong_host_key_is_one_sentence(lab: Any, tmp_path: Path) -> None:
    first = lab.spec.hosts[0]
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True, timeout=30)
    key = " ".join(other.with_suffix(".pub").read_text().split()[:2])
    known = tmp_path / "known_hosts"
    known.write_text(f"{first.address} {key}\n")
    path = copied(lab, changed={"ansible_host": str(first.address), "labctl_known_hosts": str(known)})
    done = labctl_ping(path, "--limit", "changed")
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 1
    assert f"{known}:1" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
