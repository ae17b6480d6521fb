# SPDX-License-Identifier: Apache-2.0
"""Whatever a file has become, loading it ends with a value or with one sentence that names file and line. `make fuzz`: 20,000 files."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import randoms

from orchestrator.load.inventory import endpoint_of, load_inventory, select_hosts
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.errors import ConfigError, ConfigErrors, UsageError
from tests.fixtures.mutate import mutated

FILES = int(os.environ.get("LABCTL_FUZZ", "400"))
"""Of each of the two kinds half."""
SECONDS = 10.0
"""What one file may take at most, on a machine that is busy; usually it is some milliseconds."""
TOP = Path(__file__).parents[3]
ZOO = TOP / "tests/peers/inventory/zoo"
WHOLE_FILE = (
    "no such inventory",
    "is an INI inventory",
    "is a program that prints an inventory",
    "the inventory has no hosts",
    "there is no such playbook",
)
"""Sentences about a file as a whole, which name no line."""


@dataclass(frozen=True)
class Tree:
    """A folder with files that are mutated one at a time, and what is loaded then."""

    folder: Path
    files: tuple[Path, ...]
    load: Callable[[], None]


def load_whole_inventory(path: Path, play: Path | None) -> None:
    inventory = load_inventory(path, play)
    for host in inventory.hosts[:20]:
        endpoint_of(host, inventory, {})
    select_hosts(inventory, "all:!nosuch*", of_play=True)


def inventories(tmp_path: Path) -> Iterator[Tree]:
    shutil.copytree(TOP / "inventories", tmp_path / "shipped")
    shutil.copytree(ZOO, tmp_path / "zoo", symlinks=True)
    tops = [*(tmp_path / "shipped").glob("*.yaml"), *(tmp_path / "zoo").glob("*/inventory*")]
    for top in sorted(tops):
        folder = top.parent
        files = (
            (top,)
            if folder.name == "shipped"
            else tuple(sorted(it for it in folder.rglob("*") if it.is_file()))
        )
        play = folder / "play" if (folder / "play").exists() else None
        yield Tree(folder, files, partial(load_whole_inventory, top, play))


def playbooks(tmp_path: Path) -> Iterator[Tree]:
    folder = tmp_path / "playbooks"
    shutil.copytree(TOP / "playbooks", folder)
    cases = TOP / "tests/peers/provision/cases"
    if cases.is_dir():
        shutil.copytree(cases, tmp_path / "cases", symlinks=True)
    language = Language()
    for playbook in sorted([*folder.glob("*.yaml"), *tmp_path.glob("cases/*/playbook.yaml")]):
        files = (playbook, *sorted(playbook.parent.glob("roles/*/*/*.yaml")))
        yield Tree(
            playbook.parent,
            tuple(filter(loaded_by(playbook), files)),
            partial(load_it, playbook, language),
        )


def load_it(playbook: Path, language: Language) -> None:
    load_playbook(playbook, language)


def loaded_by(playbook: Path) -> Callable[[Path], bool]:
    """The playbook itself, and what is in the roles that it names."""
    text = playbook.read_text()
    return lambda file: file == playbook or file.parts[-3] in text


@pytest.mark.parametrize("kind", [inventories, playbooks])
@pytest.mark.timeout(7200)
def test_a_broken_file_is_one_sentence_with_file_and_line(
    kind: Callable[[Path], Iterator[Tree]], tmp_path: Path
) -> None:
    trees = list(kind(tmp_path))
    others = [file.read_bytes() for tree in trees for file in tree.files]
    refused = 0

    @settings(max_examples=FILES // 2, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(chance=randoms(use_true_random=False))
    def one_file(chance: random.Random) -> None:
        nonlocal refused
        tree = chance.choice(trees)
        file = chance.choice(tree.files)
        whole = file.read_bytes()
        broken = mutated(whole, others, chance)
        file.write_bytes(broken)
        try:
            refused += is_refused(tree, f"mutation of {file.relative_to(tmp_path)}", broken)
        finally:
            file.write_bytes(whole)

    one_file()
    assert refused > FILES // 8, "nothing was broken"


def is_refused(tree: Tree, what: str, broken: bytes) -> bool:
    began = time.monotonic()
    try:
        tree.load()
    except UsageError as error:
        for single in error.errors if isinstance(error, ConfigErrors) else (error,):
            problem = wrong_with(single, tree)
            assert not problem, f"{what}: {problem}: {single}\n{broken!r}"
        return True
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}\n{broken!r}") from error
    finally:
        assert time.monotonic() - began < SECONDS, f"{what} took too long\n{broken!r}"
    return False


def wrong_with(error: UsageError, tree: Tree) -> str | None:
    if any(words in error.message for words in WHOLE_FILE):
        return None
    if not isinstance(error, ConfigError):
        return "no ConfigError"
    file = Path(str(error.file))
    if not (file.is_relative_to(tree.folder) and file.is_file()):
        return f"names no file of the tree ({error.file})"
    last = file.read_bytes().count(b"\n") + 2
    lines = len(file.read_bytes().decode("utf-8", "replace").splitlines()) + 2
    if error.line is None or not 1 <= error.line <= max(last, lines):
        return f"names no line of {file.name} ({error.line})"
    if "\n" in error.message or len(error.message) > 2000:
        return "is not one sentence"
    return None
