# SPDX-License-Identifier: Apache-2.0
"""What the runner does without: its dataclasses are as the real ones, and it imports nothing that quick steps do not need."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract import lean

HEAVY = (
    "dataclasses",
    "hashlib",
    "inspect",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "typing",
    "urllib.parse",
)


def both(body: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The same class, made by the runner's decorator and by dataclasses'."""
    return body(lean), body(dataclasses)


def example(kind: Any) -> Any:
    @kind.dataclass(frozen=True, slots=True)
    class Example:
        name: str
        size: int = 3
        parts: list[int] = kind.field(default_factory=list)

        @property
        def double(self) -> int:
            return self.size * 2

    return Example


ARGUMENTS: list[tuple[Any, Any]] = [
    (("a",), {}),
    (("a", 5), {"parts": [1]}),
    ((), {"name": "a", "size": 4}),
    ((), {}),
    (("a", 1, [], 2), {}),
    (("a",), {"name": "b"}),
    (("a",), {"length": 1}),
]


@pytest.mark.parametrize(("values", "named"), ARGUMENTS)
def test_made_as_the_real_ones(values: Any, named: Any) -> None:
    def told(kind: Any) -> Any:
        try:
            made = example(kind)(*values, **named)
        except TypeError:
            return "refused"
        return (
            made.name,
            made.size,
            made.parts,
            made.double,
            repr(made).rpartition(".")[2].rpartition(">")[2],
        )

    ours, real = both(told)
    assert (ours[:4], ours != "refused") == (real[:4], real != "refused")


def test_each_has_a_list_of_its_own() -> None:
    for kind in both(example):
        assert kind("a").parts is not kind("b").parts


def test_nothing_can_be_set_and_nothing_added() -> None:
    for kind in both(example):
        made = kind("a")
        for name in ("name", "length"):
            with pytest.raises((AttributeError, TypeError)):
                setattr(made, name, 1)
        with pytest.raises(AttributeError):
            del made.name
        assert not hasattr(made, "__dict__")


def test_alike_are_equal_and_another_class_is_not() -> None:
    for kind, other in (both(example), both(example)[::-1]):
        assert kind("a", 1) == kind("a", 1) != kind("a", 2)
        assert kind("a", 1) != other("a", 1)
    assert hash(lean_pair(1)) == hash(lean_pair(1)) != hash(lean_pair(2))


def lean_pair(second: int) -> Any:
    @lean.dataclass(frozen=True, slots=True)
    class Pair:
        first: int
        second: int

    return Pair(1, second)


def test_replace_and_repr() -> None:
    (ours, real), replaced = both(example), (lean.replace, dataclasses.replace)
    one, other = (replace(kind("a"), size=9) for kind, replace in zip((ours, real), replaced, strict=True))
    assert (one.name, one.size) == (other.name, other.size) == ("a", 9)
    assert repr(one) == "Example(name='a', size=9, parts=[])"
    assert repr(other).endswith(repr(one))


def test_only_frozen_ones_with_slots() -> None:
    with pytest.raises(TypeError, match="frozen=True, slots=True"):
        lean.dataclass(frozen=False, slots=True)


def test_quick_steps_wait_for_no_heavy_import(tmp_path: Path) -> None:
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from remote_agent.runner.main import _without_urls
with _without_urls():
    import pathlib
from remote_agent.runner.context import Context
from remote_agent.runner import inbox, session
from remote_agent.runner.modules import command, copy, file, stat, template
context = Context(blobs=None)
base = {str(tmp_path)!r}
for module, args in [
    (file, {{"path": base + "/d", "state": "directory"}}),
    (copy, {{"content": "x", "dest": base + "/d/f", "mode": "0644"}}),
    (file, {{"path": base + "/d/l", "src": "f", "state": "link"}}),
    (command, {{"_raw_params": "true", "creates": base + "/d/f"}}),
    (stat, {{"path": base + "/d/f"}}),
]:
    module.run(args, context)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
    assert (tmp_path / "d/l").read_text() == "x"
