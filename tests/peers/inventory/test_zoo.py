# SPDX-License-Identifier: Apache-2.0
"""What `labctl inventory` prints of each inventory of the zoo is what `ansible-inventory` prints, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.inventory import load_inventory
from tests.peers.inventory.sides import CASES, Answer, Case, ansible, labctl

ACTIONS = {"--list": ["--json"], "--graph": ["--graph"], "--graph --vars": ["--graph", "--vars"]}
"""Ansible's options, and labctl's for the same."""
Key = tuple[str, str]


def hosts(case: Case) -> list[str]:
    """Some of them: the first, the last, and what is between in a zoo that is not large."""
    names = [host.name for host in load_inventory(case.inventory).hosts]
    return names if len(names) < 20 else [names[0], names[-1]]


@pytest.fixture(scope="module")
def answers(ansible_folder: Path) -> dict[Key, Answer]:
    """By case and action; a host's name is the action ``--host NAME``."""
    asked: dict[Key, list[str | Path]] = {}
    for case in CASES:
        for action in (*ACTIONS, *(f"--host {name}" for name in hosts(case))):
            words = action.split(" ", 1) if action.startswith("--host") else action.split()
            asked[case.name, action] = ["ansible-inventory", "-i", case.inventory, *words, *case.options]
    return dict(zip(asked, ansible(list(asked.values()), ansible_folder), strict=True))


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_whole_inventory(case: Case, action: str, answers: dict[Key, Answer]) -> None:
    theirs = answers[case.name, action]
    assert theirs.status == 0, theirs.err
    assert labctl(case.inventory, *ACTIONS[action], "--show-passwords", *case.options) == theirs.out


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_host_by_itself(case: Case, answers: dict[Key, Answer]) -> None:
    for name in hosts(case):
        theirs = answers[case.name, f"--host {name}"]
        assert theirs.status == 0, theirs.err
        assert labctl(case.inventory, "--host", name, "--show-passwords", *case.options) == theirs.out


def test_the_zoo_is_large_enough_to_mean_something() -> None:
    assert len(CASES) >= 30
