# SPDX-License-Identifier: Apache-2.0
"""What labctl accepts, ansible-playbook accepts: the playbooks that labctl ships, and every case of the zoo."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.peers.provision.sides import ANSIBLE, HERE, REPOSITORY

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
SHIPPED = sorted((REPOSITORY / "playbooks").glob("*.yaml"))
INVENTORY = "all: {children: {subjects: {hosts: {subject: }}, others: {hosts: {other: }}}}\n"


@pytest.mark.usefixtures("ansible_is_there")
@pytest.mark.parametrize(
    "playbooks", [SHIPPED, sorted(HERE.glob("cases/*/playbook.yaml"))], ids=["shipped", "zoo"]
)
def test_ansible_accepts_the_syntax(playbooks: list[Path], tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(INVENTORY)
    done = _syntax_check(tmp_path, playbooks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("playbook: ") == len(playbooks) > 2


@pytest.mark.usefixtures("ansible_is_there")
def test_ansible_would_say_so(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(INVENTORY)
    (tmp_path / "wrong.yaml").write_text("- hosts: all\n  tasks: [{nosuchmodule: {}}]\n")
    assert "nosuchmodule" in _syntax_check(tmp_path, [tmp_path / "wrong.yaml"]).stderr


def _syntax_check(folder: Path, playbooks: list[Path]) -> subprocess.CompletedProcess[str]:
    words = [str(ANSIBLE), "--syntax-check", "-i", str(folder / "hosts.yaml"), *map(str, playbooks)]
    environment = {
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "ANSIBLE_NOCOLOR": "true",
    }
    return subprocess.run(words, capture_output=True, text=True, timeout=200, check=False, env=environment)
