# SPDX-License-Identifier: Apache-2.0
"""A host without python3: it is installed with apt, or said in one sentence why it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.bootstrap import COMMAND

PLAYBOOK = "- hosts: all\n  tasks:\n    - {command: 'true', changed_when: false}\n"


@pytest.fixture
def program(folder: Path) -> str:
    """What the runner's command says and does on a host that has python3 once the file ``installed`` is there."""
    missing = "echo 'labctl: python3 is missing on this host: install it.' >&2; exit 127"
    return f"test -e {folder}/installed || {{ {missing}; }}; {COMMAND}"


def apt(folder: Path, script: str) -> None:
    (folder / "bin").mkdir()
    path = folder / "bin/apt-get"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_it_is_installed_and_the_playbook_goes_on(play: Any, folder: Path, program: str) -> None:
    apt(folder, f'echo "$@" >>{folder}/calls; case "$*" in *install*) : >{folder}/installed;; esac')
    done = play(PLAYBOOK, program=program)
    assert (done.report.exit_code, done.report.error) == (0, None)
    assert done.results == [("Install python3", "changed"), ("command", "ok")]
    update, install = (folder / "calls").read_text().splitlines()
    assert update.endswith("update")
    assert "DPkg::Lock::Timeout" in install
    assert install.endswith("install python3")


def test_a_prediction_installs_nothing(play: Any, folder: Path, program: str) -> None:
    apt(folder, f": >{folder}/installed")
    done = play(PLAYBOOK, program=program, check=True)
    assert (done.report.exit_code, done.report.error) == (1, "python3 is missing on this host: install it.")
    assert not (folder / "installed").exists()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (None, "python3 is missing on this host, and so is apt-get."),
        (
            "echo 'W: odd' >&2; echo 'E: Unable to locate package python3' >&2; exit 100",
            "python3 is missing on this host, and apt-get could not install it: Unable to locate package python3",
        ),
    ],
)
def test_why_it_cannot_be_is_one_sentence(
    play: Any, folder: Path, program: str, script: str | None, says: str
) -> None:
    if script is not None:
        apt(folder, script)
    done = play(PLAYBOOK, program=program)
    assert (done.report.exit_code, done.report.error) == (1, says)
    assert done.report.hint
