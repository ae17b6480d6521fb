# SPDX-License-Identifier: Apache-2.0
"""The folder of a project: what `labctl init` writes into it. What is there already stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.files import write_text
from orchestrator.lab.fresh import write_first
from orchestrator.lab.lifecycle import PROVIDERS
from orchestrator.lab.provider import choose
from orchestrator.lab.system import System
from orchestrator.model.errors import LabError, UsageError
from orchestrator.shipped import shipped

INVENTORY = Path("inventories/lab.yaml")
SUITE = Path("suites/first.yaml")
IGNORED = Path(".gitignore")
PLAYBOOKS = Path("playbooks")

SUITE_TEXT = """\
# What a run executes. `labctl run --suite first` runs it, `labctl list --long` says what each benchmark times.
description: The first suite of this project; change what it compares, and with which benchmarks
cri: [containerd]
oci: [runc, crun]
baseline: containerd/runc
filter: [operations.container.lifecycle]
runs: 10
"""
IGNORED_TEXT = """\
# What labctl makes: keys, logs, artifacts' places, and the results of runs.
/.labctl/
/runs/
"""


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A file or folder of the project. ``new``: it was written; else it was there, and stays as it is."""

    path: Path
    new: bool
    note: str = ""


def write_project(folder: Path, playbooks: bool) -> Iterator[ProjectFile]:
    """Write what ``folder`` lacks, and yield each part; ``playbooks``: also a copy of those that come with labctl.

    Raises UsageError: the folder cannot be written; LabError: no subnet is free for a lab.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield _inventory(folder)
        yield _text(folder, SUITE, SUITE_TEXT)
        yield _text(folder, IGNORED, IGNORED_TEXT)
        if playbooks:
            yield _playbooks(folder)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be written: {error.strerror}.", "Name another folder."
        ) from error


def _inventory(folder: Path) -> ProjectFile:
    if (folder / INVENTORY).exists():
        return ProjectFile(INVENTORY, new=False)
    provider, problem = _provider()
    name = write_first(folder / INVENTORY, provider, System())
    kind = "virtual machines" if provider == "vm" else "containers"
    note = f"two Debian hosts as {kind} of this machine, lab {name}"
    return ProjectFile(INVENTORY, new=True, note=f"{note}. {problem}" if problem else note)


def _provider() -> tuple[str, str]:
    """The kind of hosts that work here, else the best; and why this machine cannot make them yet."""
    names: Sequence[str] = list(PROVIDERS)
    try:
        return choose(None, PROVIDERS, System()).provider.name, ""
    except LabError:
        problem = PROVIDERS[names[0]](System()).problem()
        return names[0], str(problem or "")


def _text(folder: Path, path: Path, text: str) -> ProjectFile:
    if (folder / path).exists():
        return ProjectFile(path, new=False)
    write_text(folder / path, text)
    return ProjectFile(path, new=True)


def _playbooks(folder: Path) -> ProjectFile:
    if (folder / PLAYBOOKS).exists():
        return ProjectFile(PLAYBOOKS, new=False)
    shutil.copytree(
        shipped() / PLAYBOOKS, folder / PLAYBOOKS, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    return ProjectFile(
        PLAYBOOKS, new=True, note="for ansible-core; labctl itself runs those that come with it"
    )
