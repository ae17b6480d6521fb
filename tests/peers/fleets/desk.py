# SPDX-License-Identifier: Apache-2.0
"""A project's folder, two lab hosts, and the engines that work on them: ansible-playbook, ansible-runner, labctl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.results.store import RunFolder, RunStore

REPOSITORY = Path(__file__).parents[3]
PLAYBOOKS = REPOSITORY / "playbooks"
PEERS = REPOSITORY / ".venv-peers/bin"
SUITE = {
    "cri": ["containerd"],
    "oci": ["runc", "crun"],
    "benchmarks": {"operations.container.lifecycle": {"blocks": 2}},
}
BLOCKS = {"operations.container.lifecycle": 3}
COMBINATIONS = ("containerd/runc", "containerd/crun")
LACKING = {"containerd_restrict_oom_score_adj": True}
"""What labctl sees of a system container by itself, and Ansible has to be told."""
SECONDS = 400


@dataclass(frozen=True)
class Done:
    status: int
    out: str

    def recap(self) -> dict[str, dict[str, int]]:
        """Ansible's, of each host."""
        lines = self.out.rpartition("PLAY RECAP")[2].splitlines()[1:]
        rows = [line.split(":", 1) for line in lines if " ok=" in line]
        return {
            name.strip(): {key: int(count) for key, count in (word.split("=") for word in rest.split())}
            for name, rest in rows
        }


@dataclass(frozen=True)
class Desk:
    """``project`` is what a controller of Ansible's would be given; ``own`` is where labctl works."""

    own: Path
    inventory: Path

    @property
    def project(self) -> Path:
        return self.own / "project"

    @property
    def private(self) -> Path:
        """ansible-runner's private data directory."""
        return self.own / "private"

    @property
    def store(self) -> RunStore:
        return RunStore(self.project / "runs")

    def lay_out(self) -> None:
        self.project.mkdir(parents=True)
        shutil.copytree(PLAYBOOKS, self.project / "playbooks")
        (self.own / "small.yaml").write_text(yaml.safe_dump(SUITE, sort_keys=False))
        (self.own / "ansible.cfg").touch()

    def environ(self) -> dict[str, str]:
        """Nobody's own configuration of Ansible; host keys are checked, also where ansible-runner would not."""
        return {
            "PATH": f"{PEERS}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "HOME": str(self.own),
            "ANSIBLE_CONFIG": str(self.own / "ansible.cfg"),
            "ANSIBLE_HOST_KEY_CHECKING": "True",
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_NOCOLOR": "1",
        }

    def labctl(self, *words: str | Path) -> Done:
        command = [sys.executable, "-m", "orchestrator.cli.main", *words]
        return self._finish(
            subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, **self._io())
        )

    def prepare(self, *words: str) -> RunFolder:
        """A run for the engines, and a fresh one for each."""
        where = ["--inventory", str(self.inventory), "--root", str(self.store.root)]
        done = self.labctl("run", "--prepare", "--suite", "small.yaml", "--json", *where, *words)
        assert done.status == 0, done.out
        # What comes before the JSON is standard error: the plan has too few blocks.
        return self.store.find(json.loads(done.out[done.out.index("{") :])["id"])

    def start_ansible(self, playbook: str, *words: str, own_group: bool = False) -> subprocess.Popen[str]:
        path = self.project / "playbooks" / playbook
        command: list[str | Path] = [PEERS / "ansible-playbook", "-i", self.inventory, path]
        return subprocess.Popen(
            [*command, *words], env=self.environ(), start_new_session=own_group, **self._io()
        )

    def ansible(self, playbook: str, *words: str) -> Done:
        return self._finish(self.start_ansible(playbook, *words))

    def runner(self, *words: str | Path, piped: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [PEERS / "ansible-runner", *words],
            input=piped,
            capture_output=True,
            cwd=self.own,
            env=self.environ(),
            timeout=SECONDS,
            check=False,
        )

    def _io(self) -> dict[str, Any]:
        return {"cwd": self.own, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}

    @staticmethod
    def _finish(process: subprocess.Popen[str]) -> Done:
        with process:
            try:
                out, _ = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Done(process.returncode, out)


def finished(process: subprocess.Popen[str]) -> Done:
    return Desk._finish(process)


def journal(folder: RunFolder, host: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.journal(host).read_text().splitlines()]


def assert_everything_once(folder: RunFolder, hosts: Sequence[str]) -> None:
    """Each host's journal has one trial of every block and combination, which went well and left nothing."""
    wanted = {
        (name, block, each)
        for name, count in BLOCKS.items()
        for block in range(count)
        for each in COMBINATIONS
    }
    for host in hosts:
        trials = [record for record in journal(folder, host) if record["type"] == "trial"]
        counts = Counter((trial["benchmark"], trial["block"], trial["combination"]) for trial in trials)
        assert counts == dict.fromkeys(wanted, 1)
        assert [trial["reason"] for trial in trials if trial["status"] != "ok"] == []
        assert [trial["leaks"] for trial in trials if trial["leaks"]] == []
        assert journal(folder, host)[-1]["status"] == "complete"
