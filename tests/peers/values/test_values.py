# SPDX-License-Identifier: Apache-2.0
"""What a template, an expression and a template file have for a value is what ansible-core's engine has, to its type.

A file of the zoo has ``vars``, and beside them lists of cases: ``values`` (as they stand in a playbook), ``expressions`` (of ``when``)
and ``files`` (a template file's text, or {text, with: its options}). A case is alike where both have the same value, or neither has
one. ``stricter`` are values that labctl refuses on purpose.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.peers.inventory.sides import PYTHON
from tests.peers.values.ours import Answer, answers

ZOO = Path(__file__).parent / "zoo"
FILES = sorted(ZOO.glob("*.yaml"))
ENVIRON = {"ZOO_HOME": "/home/zoo"}


@pytest.fixture(scope="module")
def theirs(ansible_folder: Path) -> dict[Path, list[Answer]]:
    environ = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(Path.home()),
        "ANSIBLE_HOME": str(ansible_folder / "home"),
        "ANSIBLE_CONFIG": str(ansible_folder / "ansible.cfg"),
        **ENVIRON,
    }
    (ansible_folder / "ansible.cfg").touch()
    done = subprocess.run(
        [PYTHON, Path(__file__).parent / "oracle.py"],
        input=json.dumps([str(path) for path in FILES]),
        capture_output=True,
        text=True,
        cwd=ansible_folder,
        env=environ,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    return {path: [(kind, text) for kind, text in each] for path, each in zip(FILES, found, strict=True)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_zoo(path: Path, theirs: dict[Path, list[Answer]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", ENVIRON["ZOO_HOME"])
    problems: list[str] = []
    for (kind, case, ours), ansible in zip(answers(path), theirs[path], strict=True):
        refused = ours[0] == "error"
        alike = refused if kind == "stricter" or ansible[0] == "error" else ours == ansible
        if not alike:
            problems.append(f"{kind} {case!r}\n  ansible {' '.join(ansible)}\n  labctl  {' '.join(ours)}")
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def test_the_zoo_is_large_enough_to_mean_something(theirs: dict[Path, list[Answer]]) -> None:
    kinds = [kind for each in theirs.values() for kind, _ in each]
    assert kinds.count("value") > 500
    assert kinds.count("error") > 100
