# SPDX-License-Identifier: Apache-2.0
"""A zoo of playbooks, every module and every keyword: ansible-core and labctl give the same verdicts and leave the same host.

A case is a folder below cases/: playbook.yaml, what it needs, and case.yaml where the usual is not meant:

    runs:     the command line's words of each run (default: two runs without any)
    check:    is what `--check` predicts, what then happens? (default true; false where a command decides)
    needs:    modules that labctl may not have yet: until it has, the playbook is refused for that

On the host a case has the folder {{ case_dir }}, which is there already.
"""

from __future__ import annotations

import difflib
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.load.modules import MODULES
from tests.peers.provision.conftest import Pair
from tests.peers.provision.sides import Applied, Side

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob("*/playbook.yaml"))
ON_HOST = "/srv/peers"
ANSIBLE_NEEDS = ("python3-apt", "python3-debian")
"""It would install the one by itself, and fails without the other; labctl needs neither."""
pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

Snapshot = dict[str, str]
Delta = dict[str, str]


@dataclass(frozen=True)
class Case:
    """As described above."""

    name: str
    runs: tuple[tuple[str, ...], ...] = ((), ())
    check: bool = True
    needs: tuple[str, ...] = ()

    @property
    def playbook(self) -> Path:
        return CASES / self.name / "playbook.yaml"


def read_case(name: str) -> Case:
    path = CASES / name / "case.yaml"
    written: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    if "runs" in written:
        written["runs"] = tuple(tuple(words.split()) for words in written["runs"])
    return Case(name, **{**written, "needs": tuple(written.get("needs", ()))})


@dataclass
class Known:
    """What both hosts were like after the last case, so that a case is judged by what it changed."""

    snapshots: dict[str, Snapshot] = field(default_factory=dict)

    def deltas(self, pair: Pair) -> tuple[Delta, Delta]:
        before = dict(self.snapshots)
        ansible, labctl = both(pair, lambda side: side.snapshot())
        self.snapshots = {"ansible": ansible, "labctl": labctl}
        return delta(before["ansible"], ansible), delta(before["labctl"], labctl)


def both(pair: Pair, work: Any) -> tuple[Any, Any]:
    """The work on both sides, at the same time."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(work, pair.ansible), pool.submit(work, pair.labctl)
        return first.result(), second.result()


def delta(before: Snapshot, after: Snapshot) -> Delta:
    """What is new or different, and what is gone."""
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    return {**changed, **dict.fromkeys(before.keys() - after.keys(), "gone")}


@pytest.fixture(scope="module")
def known(pair: Pair) -> Known:
    def prepare(side: Side) -> Snapshot:
        side.ssh(f"mkdir -p {' '.join(f'{ON_HOST}/{name}' for name in NAMES)}")
        side.ssh(f"apt-get update && apt-get -y --no-install-recommends install {' '.join(ANSIBLE_NEEDS)}")
        return side.snapshot()

    ansible, labctl = both(pair, prepare)
    return Known({"ansible": ansible, "labctl": labctl})


def test_the_hosts_begin_alike(known: Known) -> None:
    assert known.snapshots["ansible"] == known.snapshots["labctl"]


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, pair: Pair, known: Known) -> None:
    case = read_case(name)
    variables = {"case_dir": f"{ON_HOST}/{name}", "case_name": name}
    inventories = both(pair, lambda side: side.inventory(variables))
    if missing := [module for module in case.needs if module not in MODULES]:
        refused = pair.labctl.apply(case.playbook, inventories[1])
        assert refused.failed and missing[0] in refused.stderr, refused.stderr
        return
    problems: list[str] = []
    for number, words in enumerate(case.runs, start=1):
        which = f"run {number} {' '.join(words)}"
        predicted = _predicted(case, pair, inventories[1], words)
        ansible, labctl = both(pair, lambda side, words=words: _apply(case, pair, side, inventories, words))
        problems += compare(which, ansible, labctl)
        if predicted is not None and _statuses(predicted) != _statuses(labctl):
            problems.append(
                f"{which}: --check said\n{predicted.text()}\nand what happened is\n{labctl.text()}"
            )
        theirs, ours = known.deltas(pair)
        for path in sorted(theirs.keys() | ours.keys()):
            if theirs.get(path) != ours.get(path):
                told = f"ansible: {theirs.get(path, 'as before')}, labctl: {ours.get(path, 'as before')}"
                problems.append(f"{which}: {path}: {told}{_contents(pair, path)}")
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def _apply(
    case: Case, pair: Pair, side: Side, inventories: tuple[Path, Path], words: tuple[str, ...]
) -> Applied:
    return side.apply(case.playbook, inventories[0] if side is pair.ansible else inventories[1], words)


def compare(what: str, ansible: Applied, labctl: Applied) -> list[str]:
    """What differs: the verdict for each task of each host, and that of the whole."""
    problems = [
        f"{what}: {name} said nothing: {side.stdout}{side.stderr}"
        for name, side in (("ansible", ansible), ("labctl", labctl))
        if not side.verdicts
    ]
    for host in sorted({verdict.host for verdict in (*ansible.verdicts, *labctl.verdicts)}):
        if ansible.of(host) != labctl.of(host):
            lines = difflib.unified_diff(
                [str(verdict) for verdict in ansible.of(host)],
                [str(verdict) for verdict in labctl.of(host)],
                "ansible",
                "labctl",
                lineterm="",
                n=1,
            )
            said = [f"{v.place}: ansible: {v.said}" for v in ansible.of(host) if v.said]
            said += [f"{v.place}: labctl: {v.said}" for v in labctl.of(host) if v.said]
            problems.append("\n".join((f"{what}:", *lines, *said)))
    if labctl.failed != ansible.failed:
        problems.append(f"{what}: ansible failed: {ansible.failed}, labctl: {labctl.failed} {labctl.stderr}")
    return problems


def _contents(pair: Pair, path: str) -> str:
    """How a file differs, for a person to read."""
    command = f"test ! -f {shlex.quote(path)} || head -c 3000 {shlex.quote(path)}"
    ansible, labctl = (side.ssh(command).splitlines() for side in (pair.ansible, pair.labctl))
    lines = difflib.unified_diff(ansible, labctl, "ansible", "labctl", lineterm="", n=0)
    return "".join(f"\n    {line}" for line in lines) if path.startswith("/") else ""


def _predicted(case: Case, pair: Pair, inventory: Path, words: tuple[str, ...]) -> Applied | None:
    if not case.check or "--check" in words:
        return None
    return pair.labctl.apply(case.playbook, inventory, (*words, "--check", "--diff"))


def _statuses(applied: Applied) -> list[tuple[str, str, str]]:
    return [(verdict.host, verdict.place, verdict.status) for verdict in applied.verdicts]
