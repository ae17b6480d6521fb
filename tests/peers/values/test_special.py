# SPDX-License-Identifier: Apache-2.0
"""Special variables, loops and errors of a whole play: what its debug tasks say, and which of its tasks fail, by both."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from orchestrator.load.inventory import load_inventory, select_hosts
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.provision.compile import Options, compile_task
from orchestrator.provision.files import Blobs
from orchestrator.provision.scope import ValueProblem, Variables
from tests.peers.inventory.sides import PYTHON

HERE = Path(__file__).parent / "special"
CALLBACK = Path(__file__).parents[1] / "provision/callback"
Said = tuple[str, str, str]
"""A task's line, its status and what it says: nothing where it failed, since both have words of their own."""


def theirs(folder: Path) -> dict[str, list[Said]]:
    (folder / "ansible.cfg").touch()
    environ = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACK),
        "ANSIBLE_STDOUT_CALLBACK": "verdicts",
    }
    words = [PYTHON.parent / "ansible-playbook", "-i", HERE / "hosts.yaml", HERE / "playbook.yaml"]
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environ,
        timeout=300,
        check=False,
    )
    found: dict[str, list[Said]] = {}
    for event in (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")):
        said = "" if event["status"] in ("failed", "skipped") else event["msg"]
        place = Path(event["place"]).name
        if event["kind"] == "item" or said != "All items completed":
            found.setdefault(event["host"], []).append((place, event["status"], said))
    assert found, done.stderr
    return found


def ours() -> dict[str, list[Said]]:
    language, inventory = Language(os.environ), load_inventory(HERE / "hosts.yaml", HERE)
    (play,) = load_playbook(HERE / "playbook.yaml", language).plays
    names = [host.name for host in select_hosts(inventory, str(play.hosts.value), of_play=True)]
    found: dict[str, list[Said]] = {}
    for name in names:
        variables = Variables(language, inventory, inventory.host(name), {}, False)
        variables.company = (names, names)
        scopes = variables.for_play(play, [])
        options = Options(language, Blobs(), HERE)
        found[name] = []
        for task in play.tasks:
            place = f"{task.origin.file.name}:{task.origin.line}"
            try:
                compiled = compile_task(task, scopes.scope(task), options, 0)
            except ValueProblem:
                found[name].append((place, "failed", ""))
                continue
            variables.live.update(compiled.facts)
            for unit in compiled.units:
                result = unit.result or {}
                status = "failed" if result["failed"] else "skipped" if result.get("skipped") else "ok"
                said = str(result.get("msg", "")) if status == "ok" else ""
                found[name].append((place, status, said))
    return found


def lines(found: dict[str, list[Said]]) -> Iterator[str]:
    for host in sorted(found):
        for said in found[host]:
            yield " ".join((host, *said))


def test_a_whole_play(ansible_folder: Path) -> None:
    assert list(lines(ours())) == list(lines(theirs(ansible_folder)))
