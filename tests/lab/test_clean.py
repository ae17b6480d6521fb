# SPDX-License-Identifier: Apache-2.0
"""`labctl clean` on real hosts: bare ones, and one that was provisioned and is purged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.pipeline import reach
from tests.lab.conftest import LabOfTests

LISTING = (
    "find /etc /opt /usr /var/lib /root -xdev ! -path '/var/lib/apt/*' ! -path '/var/lib/dpkg/*' ! -path '/usr/share/mime/*'"
    " ! -path '/var/lib/systemd/*' ! -name ld.so.cache ! -name '*.pyc' ! -name __pycache__ | sort"
)


def labctl(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", *words]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )


def said(inventory: Path, command: str) -> list[str]:
    """What the command prints on each host."""
    results = reach.select(inventory).on_each(lambda _, connection: connection.run(command).stdout)
    assert not results.failed
    return list(results.succeeded.values())


def test_bare_hosts_have_nothing_to_clean(lab: LabOfTests) -> None:
    done = labctl("clean", str(lab.inventory), "--purge", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_purge_that_nobody_confirms_is_refused(lab: LabOfTests) -> None:
    done = labctl("clean", str(lab.inventory), "--purge")
    assert done.returncode == 2
    assert "--yes" in done.stderr


@pytest.mark.timeout(600)
def test_a_purged_host_is_as_it_was_and_can_be_provisioned_again(own_inventory: Path) -> None:
    assert labctl("lab", "up", str(own_inventory)).returncode == 0
    before = said(own_inventory, LISTING)
    provisioned = labctl("provision", str(own_inventory))
    assert provisioned.returncode == 0, provisioned.stdout + provisioned.stderr
    assert said(own_inventory, LISTING) != before
    # What CRI-O keeps of a pull lies elsewhere than its images.
    said(
        own_inventory, "crictl-crio pull 127.0.0.1:5051/labctl/busybox:1 && test -d /var/lib/containers/cache"
    )
    purged = labctl("clean", str(own_inventory), "--purge", "--yes")
    assert purged.returncode == 0, purged.stdout + purged.stderr
    after = said(own_inventory, LISTING)
    for was, is_now in zip(before, after, strict=True):
        assert sorted(set(is_now.splitlines()) - set(was.splitlines())) == []
        assert sorted(set(was.splitlines()) - set(is_now.splitlines())) == []
    again = labctl("clean", str(own_inventory), "--purge", "--yes")
    assert again.stdout.count("changed=0") == len(before), again.stdout
    assert labctl("provision", str(own_inventory)).returncode == 0
