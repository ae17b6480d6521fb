# SPDX-License-Identifier: Apache-2.0
"""Everything also works as a user who is not root and has sudo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
import yaml
from click.testing import CliRunner

from orchestrator.cli.main import cli
from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.ssh import connect

pytestmark = pytest.mark.lab

USER = "labctl-operator"
MAKE = f"""set -e
useradd --create-home --shell /bin/bash {USER}
install -d -m 700 -o {USER} -g {USER} /home/{USER}/.ssh
install -m 600 -o {USER} -g {USER} /root/.ssh/authorized_keys /home/{USER}/.ssh/authorized_keys
echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}
echo 'echo Welcome, this profile prints.' >> /home/{USER}/.profile
"""
REMOVE = f"rm -f /etc/sudoers.d/{USER}; pkill -KILL -u {USER}; sleep 0.3; userdel --remove --force {USER}"
SUITE = {
    "cri": ["containerd"],
    "oci": ["runc", "crun"],
    "benchmarks": {"operations.container.lifecycle": {"blocks": 1}},
}


class LabOfTests(Protocol):
    @property
    def inventory(self) -> Path: ...


@pytest.fixture
def operators_inventory(provisioned_lab: LabOfTests) -> Iterator[Path]:
    """The lab's inventory, as it would be for an operator with sudo on the first host."""
    loaded = load_inventory(provisioned_lab.inventory)
    first = loaded.hosts[0]
    endpoint = endpoint_of(first, loaded)
    written = yaml.safe_load(provisioned_lab.inventory.read_text())
    written["all"]["vars"] |= {"ansible_user": USER, "ansible_become": True}
    written["all"]["hosts"] = {first.name: written["all"]["hosts"][first.name]}
    # Beside the lab's own: its paths begin at the inventory's folder.
    path = provisioned_lab.inventory.with_name("operator.yaml")
    path.write_text(yaml.safe_dump(written))
    with connect(endpoint) as connection:
        made = connection.run(MAKE)
        try:
            assert made.exit_status == 0, made.stderr
            yield path
        finally:
            connection.run(REMOVE)
            path.unlink()


def labctl(*words: str | Path) -> str:
    done = CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)
    assert done.return_value == 0, (done.output, done.exception)
    return done.output


def test_an_operator_with_sudo_provisions_and_runs(operators_inventory: Path, tmp_path: Path) -> None:
    assert "changed=0" in labctl("provision", operators_inventory)
    suite = tmp_path / "one.yaml"
    suite.write_text(yaml.safe_dump(SUITE))
    said = labctl("run", "--suite", suite, "--inventory", operators_inventory, "--root", tmp_path / "runs")
    assert "Complete: 4 trials, 0 failed, 0 leaks" in said
