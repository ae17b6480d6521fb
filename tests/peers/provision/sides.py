# SPDX-License-Identifier: Apache-2.0
"""The two sides of the comparison: ansible-core on one lab host, labctl on another, each told in the same words.

Both sides call their host ``subject`` (and, as a second host, ``other``: the same machine again), so that not even a
playbook that writes its host's name can tell them apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator.model.lab import LabHost

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
ANSIBLE = REPOSITORY / ".venv-peers/bin/ansible-playbook"
SECONDS = 900


@dataclass(frozen=True)
class Verdict:
    """What became of a task on a host. ``items`` are a loop's: (label, status)."""

    host: str
    place: str
    status: str
    ignored: bool = False
    items: tuple[tuple[str, str], ...] = ()
    said: str = field(default="", compare=False)

    def __str__(self) -> str:
        items = "".join(f"\n      [{label}] {status}" for label, status in self.items)
        return f"{self.host} {self.place} {self.status}{' ignored' if self.ignored else ''}{items}"


@dataclass(frozen=True)
class Applied:
    """``failed``: the command said so. ``stdout`` and ``stderr`` are for a person."""

    verdicts: tuple[Verdict, ...]
    failed: bool
    stdout: str
    stderr: str

    def of(self, host: str) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.host == host)

    def text(self) -> str:
        return "\n".join(map(str, self.verdicts))


class Side:
    """One host, and the program that brings it to what a playbook says. ``work`` is a folder of its own."""

    def __init__(self, host: LabHost, work: Path) -> None:
        self.host, self.work = host, work
        work.mkdir(parents=True, exist_ok=True)

    def inventory(self, variables: Mapping[str, Any]) -> Path:
        """An inventory in which the host is both ``subject`` and ``other``."""
        host = self.host
        options = (
            f"-o UserKnownHostsFile={host.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
        )
        common = {
            "ansible_user": host.user,
            "ansible_host": str(host.address),
            "ansible_ssh_private_key_file": str(host.key_file),
            "ansible_ssh_common_args": options,
            "ansible_python_interpreter": "/usr/bin/python3",
            "labctl_known_hosts": str(host.known_hosts),
            "labctl_machine": "this-machine",
            **variables,
        }
        groups = {
            "subjects": {"hosts": {"subject": {"host_says": "subject"}}, "vars": {"group_says": "subjects"}},
            "others": {"hosts": {"other": {"host_says": "other"}}, "vars": {"group_says": "others"}},
        }
        path = self.work / "hosts.yaml"
        path.write_text(yaml.safe_dump({"all": {"vars": common, "children": groups}}))
        return path

    def apply(
        self, playbook: Path, inventory: Path, words: Sequence[str] = (), cwd: Path | None = None
    ) -> Applied:
        raise NotImplementedError

    def ssh(self, command: str, stdin: str = "") -> str:
        """What a command on the host says."""
        host = self.host
        options = ("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "LogLevel=ERROR")
        flags = [
            part for option in (*options, f"UserKnownHostsFile={host.known_hosts}") for part in ("-o", option)
        ]
        words = ["ssh", "-i", str(host.key_file), *flags, f"{host.user}@{host.address}", command]
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, errors="replace", timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def snapshot(self) -> dict[str, str]:
        """What the host is like now."""
        found: dict[str, str] = json.loads(self.ssh("python3 -", (HERE / "snapshot.py").read_text()))
        return found


class AnsibleSide(Side):
    """ansible-core. ``sockets`` is a folder with a short name."""

    def __init__(self, host: LabHost, work: Path, sockets: Path) -> None:
        super().__init__(host, work)
        settings = work / "ansible.cfg"  # and not the user's
        settings.write_text("")
        self._environment = {
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(settings),
            "ANSIBLE_HOME": str(work / "home"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_STDOUT_CALLBACK": "verdicts",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
            # The same host, asked once.
            "ANSIBLE_GATHERING": "smart",
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(work / "facts"),
        }

    def apply(
        self, playbook: Path, inventory: Path, words: Sequence[str] = (), cwd: Path | None = None
    ) -> Applied:
        done = self._run("-i", inventory, *words, playbook, cwd=cwd)
        return Applied(
            verdicts_of(done.stdout, playbook.parent), done.returncode != 0, done.stdout, done.stderr
        )

    def _run(self, *words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(ANSIBLE), *map(str, words)],
            cwd=cwd or self.work,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


class LabctlSide(Side):
    """labctl, of this work tree."""

    def apply(
        self, playbook: Path, inventory: Path, words: Sequence[str] = (), cwd: Path | None = None
    ) -> Applied:
        command = [sys.executable, "-m", "orchestrator.cli.main", "provision", str(inventory)]
        done = subprocess.run(
            [*command, "--playbook", str(playbook), "--json", *words],
            cwd=cwd or self.work,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Applied(
            verdicts_of(done.stdout, playbook.parent), done.returncode != 0, done.stdout, done.stderr
        )


def label_of(event: Mapping[str, Any]) -> str:
    """Ansible leaves the label of a withheld item empty, labctl says that it is withheld."""
    label = str(event.get("label", ""))
    return "" if label == "(withheld)" else label


def verdicts_of(stdout: str, folder: Path) -> tuple[Verdict, ...]:
    """From either side's JSON lines; places are relative to the playbook's folder."""
    events = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
    found: list[Verdict] = []
    items: dict[str, list[tuple[str, str]]] = {}
    for event in events:
        if event.get("kind") == "item":
            items.setdefault(event["host"], []).append((label_of(event), event["status"]))
        elif event.get("kind") == "result" and event.get("module") != "meta":  # of which Ansible says nothing
            said = event.get("msg", "") if event["status"] == "failed" else ""
            place = str(event["place"]).removeprefix(f"{folder}/")
            mine = tuple(items.pop(event["host"], ()))
            found.append(
                Verdict(event["host"], place, event["status"], event.get("ignored", False), mine, said)
            )
    return tuple(found)
