# SPDX-License-Identifier: Apache-2.0
"""A zoo of playbooks that need no host: ansible-core and labctl's own runner carry them out in a folder of this machine.

A case is a folder below cases/: playbook.yaml with what it needs, and case.yaml where the usual is not meant:

    refused:  labctl refuses at load time what makes ansible-core fail (default false)
    check:    `--check` predicts the statuses of what then happens (default true)
    more:     what labctl says of a failed task or a refusal has these words

HOME is {{ home }}, a folder with a .profile; what tasks write goes to {{ out }}. Both sides begin with equal folders at the same
path, one after the other, and must end with the same statuses and the same files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.load.inventory import load_inventory
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.errors import ConfigError
from orchestrator.provision.events import Kind
from orchestrator.provision.host import Settings, Visit
from tests.peers.provision.sides import ANSIBLE, HERE, verdicts_of
from tests.unit.provision.conftest import LocalConnection, Recorder

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob("*/playbook.yaml"))
SECONDS = 120
pytestmark = pytest.mark.timeout(2 * SECONDS)

Statuses = list[tuple[str, str]]
Tree = dict[str, str]


@dataclass(frozen=True)
class Case:
    """As described above."""

    name: str
    refused: bool = False
    check: bool = True
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """``statuses`` are (place, status) of each task in order; ``said`` is what is said of what went wrong."""

    statuses: Statuses
    tree: Tree
    failed: bool
    said: str


def read_case(name: str) -> Case:
    path = CASES / name / "case.yaml"
    written: Mapping[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    return Case(name, **{**written, "more": tuple(written.get("more", ()))})


@pytest.fixture(scope="session", autouse=True)
def _ansible_is_there() -> None:
    if ANSIBLE.is_file():
        return
    problem = "there is no ansible-core to compare with: run `make .venv-peers/ansible`."
    if os.environ.get("CI") == "true" or os.environ.get("LABCTL_LAB_TESTS") == "1":
        pytest.fail(problem, pytrace=False)
    pytest.skip(problem)


@dataclass(frozen=True)
class Room:
    """The folders of one side, made anew by `empty`. ``top`` is the same for both sides, since paths stand in results."""

    top: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"out": str(self.top / "out"), "home": str(self.top / "home")}

    def empty(self, case: Case) -> Path:
        """The case's playbook, in a fresh copy of its folder."""
        shutil.rmtree(self.top, ignore_errors=True)
        for name in ("out", "home", "tmp"):
            (self.top / name).mkdir(parents=True)
        (self.top / "home/.profile").write_text("profile\n")
        shutil.copytree(CASES / case.name, self.top / "case", symlinks=True)
        with tarfile.open(self.top / "case/small.tar.gz", "w:gz") as archive:
            archive.add(self.top / "home/.profile", "inner/profile")
        return self.top / "case/playbook.yaml"

    def tree(self) -> Tree:
        """Each file below ``out`` and ``home`` with its mode and its text, each link with its target."""
        found: Tree = {}
        for folder in ("out", "home"):
            for path in sorted((self.top / folder).rglob("*")):
                name = str(path.relative_to(self.top))
                if path.is_symlink():
                    found[name] = f"-> {path.readlink()}"
                elif path.is_file():
                    found[name] = f"{path.stat().st_mode & 0o7777:o} {path.read_text()}"
                else:
                    found[name] = f"{path.stat().st_mode & 0o7777:o}"
        return found


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    room = Room(tmp_path / "room")
    monkeypatch.setenv("HOME", str(room.top / "home"))
    return room


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, room: Room) -> None:
    case = read_case(name)
    theirs = by_ansible(case, room)
    if case.refused:
        room.empty(case)
        with pytest.raises(ConfigError) as caught:
            load_playbook(room.top / "case/playbook.yaml", Language())
        assert theirs.failed, "ansible-core accepts what labctl refuses"
        ours = Result([], {}, True, str(caught.value))
    else:
        predicted = by_labctl(case, room, check=True) if case.check else None
        if predicted is not None:
            room.empty(case)
            assert predicted.tree == room.tree(), "check changed something"
        ours = by_labctl(case, room)
        assert (ours.statuses, ours.failed) == (theirs.statuses, theirs.failed), ours.said + theirs.said
        assert ours.tree == theirs.tree
        if predicted is not None:
            assert predicted.statuses == ours.statuses, predicted.said
    for words in case.more:
        assert words in ours.said


def by_ansible(case: Case, room: Room) -> Result:
    playbook = room.empty(case)
    inventory = room.top / "hosts.yaml"
    variables = {
        **room.variables,
        "ansible_connection": "local",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"h1": variables}}}))
    (room.top / "ansible.cfg").write_text("")
    done = subprocess.run(
        [str(ANSIBLE), "-i", str(inventory), str(playbook)],
        cwd=room.top,
        env={
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(room.top / "ansible.cfg"),
            "ANSIBLE_HOME": str(room.top / "tmp/ansible"),
            "ANSIBLE_REMOTE_TEMP": str(room.top / "tmp/remote"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_STDOUT_CALLBACK": "verdicts",
            "ANSIBLE_NOCOLOR": "true",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    verdicts = verdicts_of(done.stdout, playbook.parent)
    statuses = [(verdict.place, verdict.status) for verdict in verdicts]
    return Result(statuses, room.tree(), done.returncode != 0, done.stdout + done.stderr)


def by_labctl(case: Case, room: Room, check: bool = False) -> Result:
    playbook = room.empty(case)
    inventory_file = room.top / "hosts.yaml"
    inventory_file.write_text(yaml.safe_dump({"all": {"hosts": {"h1": room.variables}}}))
    language = Language()
    plays = load_playbook(playbook, language).plays
    inventory = load_inventory(inventory_file, playbook.parent)
    recorder = Recorder()
    connection = LocalConnection("h1", room.top / "tmp")
    settings = Settings(language, inventory, check=check)
    visit = Visit(inventory.host("h1"), plays, settings, recorder, lambda: nullcontext(connection))
    for play in plays:
        visit.carry_out(play)
    assert visit.report is not None
    results = [event for event in recorder.events if event.kind is Kind.RESULT and event.module != "meta"]
    folder = f"{playbook.parent}/"
    statuses = [(event.place.removeprefix(folder), str(event.status)) for event in results]
    said = "\n".join(event.msg for event in results) + (visit.report.error or "")
    return Result(statuses, room.tree(), visit.report.exit_code != 0, said)
