# SPDX-License-Identifier: Apache-2.0
"""What the measuring scripts share: labctl as a process of its own, its journals, and commands on a lab host."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.load.inventory import load_inventory
from remote_agent.contract.journal import Trial

SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class OnHost:
    """A host of a lab that is up and provisioned."""

    inventory: Path
    name: str

    @classmethod
    def first(cls, inventory: Path) -> OnHost:
        return cls(inventory, load_inventory(inventory).hosts[0].name)

    def shell(self, script: str, stdin: bytes = b"") -> str:
        """What ``script`` prints on the host, given ``stdin``. Ends the process where it fails."""
        return labctl("lab", "ssh", self.name, "--inventory", str(self.inventory), "--", script, stdin=stdin)

    def put(self, program: Path, path: str) -> None:
        self.shell(f"cat > {path} && chmod 755 {path}", program.read_bytes())

    def trials(self, suite: object) -> list[Trial]:
        """Execute a suite (as in its file) and give its trials, warm-up blocks among them, in order. Ends the process where one
        of them failed.
        """
        with tempfile.TemporaryDirectory(prefix="labctl-perf-") as name:
            folder = Path(name)
            (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
            words = ["--suite", str(folder / "suite.yaml"), "--limit", self.name, "--root", str(folder / "runs"), "--json"]  # fmt: skip
            labctl("run", str(self.inventory), *words)
            journal = next(folder.glob("runs/*/hosts/*/journal.jsonl"))
            records = [json.loads(line) for line in journal.read_text().splitlines()]
        trials = [Trial.from_json(record) for record in records if record["type"] == "trial"]
        failed = next((trial for trial in trials if trial.status != "ok"), None)
        if failed or not trials:
            sys.exit(f"There is no measurement: {failed.reason if failed else 'the run has no trial'}")
        return trials


def labctl(*words: str, stdin: bytes = b"") -> str:
    """What it prints. Ends the process where it fails."""
    command = [sys.executable, "-m", "orchestrator.cli.main", *words]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
        sys.exit(f"labctl {' '.join(words)[:200]} failed:\n{said[-3000:]}")
    return done.stdout.decode()


def counted(trials: Iterable[Trial], benchmark: str) -> list[Trial]:
    """Those of a benchmark, without its warm-up."""
    return [trial for trial in trials if trial.benchmark == benchmark and not trial.warmup]


def middle(trials: Sequence[Trial], metric: str) -> float:
    """The median of a metric, in its own unit."""
    return statistics.median(
        sample.value for trial in trials for sample in trial.samples if sample.metric == metric
    )
