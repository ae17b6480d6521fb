# SPDX-License-Identifier: Apache-2.0
"""The two sides of the comparison: Ansible's commands, many at once (many.py), and labctl's verb."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from orchestrator.cli.inventory import inventory
from orchestrator.model.errors import LabctlError

HERE = Path(__file__).parent
ZOO = HERE / "zoo"
PYTHON = HERE.parents[2] / ".venv-peers/bin/python"


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Case:
    """A folder of the zoo. ``play`` beside the inventory stands for a playbook's folder."""

    name: str

    @property
    def inventory(self) -> Path:
        (found,) = (ZOO / self.name).glob("inventory*")
        return found

    @property
    def options(self) -> list[str]:
        play = ZOO / self.name / "play"
        return ["--playbook-dir", str(play)] if play.exists() else []


CASES = tuple(Case(folder.name) for folder in sorted(ZOO.iterdir()))


def ansible(commands: Sequence[Sequence[str | Path]], folder: Path) -> list[Answer]:
    """What Ansible says to each command line, without anybody's own configuration; ``folder`` takes what it keeps."""
    configuration = folder / "ansible.cfg"
    configuration.touch()
    words = [[str(word) for word in command] for command in commands]
    environ = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    done = subprocess.run(
        [PYTHON, HERE / "many.py"],
        input=json.dumps(words),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environ,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [Answer(*answer) for answer in json.loads(done.stdout)]


def labctl(*words: str | Path) -> str:
    """What ``labctl inventory`` prints. Raises the errors of our tree."""
    done = CliRunner().invoke(inventory, [str(word) for word in words], standalone_mode=False)
    if isinstance(done.exception, LabctlError):
        raise done.exception
    assert done.exception is None and done.return_value == 0, (done.output, done.exception)
    return done.stdout
