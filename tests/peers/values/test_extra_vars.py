# SPDX-License-Identifier: Apache-2.0
"""``-e`` means what it means to ansible-playbook."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from orchestrator.cli.playbook_options import parse_extra_vars
from orchestrator.model.errors import LabctlError
from tests.peers.inventory.sides import PYTHON

CASES: tuple[tuple[str, ...], ...] = (
    ("a=1",),
    ("a=1 b=2",),
    ("a=1", "a=2 b=3"),
    (r"a=\d+",),
    (r"a=\\d+",),
    ("a=x'y'z",),
    ('a=x"y"z',),
    ("a='x y'",),
    ('a="x y"',),
    ("a='x' b=\"y\"",),
    ("a=x'y z'w",),
    ("a='x\"y'",),
    ('a="it\'s"',),
    (r"a=it\'s",),
    (r'a="x\"y"',),
    (r"a='x\n'",),
    (r"a=x\ty",),
    (r"a=\x41\u0042\q",),
    (r"a=C:\new",),
    ("a=b=c",),
    ("a=",),
    ("a=''",),
    ("a=x,y;z",),
    ("a=true b=no c=0644 d=1.0 e=null f=~",),
    ("a=[1,2]",),
    ("a={'b':1}",),
    ("a='[1, 2]'",),
    ("a={{ b }} c=d",),
    ("a='{{ b }} c'",),
    ("a={{ b | default('x y') }}z c=1",),
    ("a=1   b=2",),
    ("a='x   y'",),
    ("a=1\nb=2",),
    ("a='x\ny'",),
    ("a=$HOME",),
    ("a=`id`",),
    ("a=ä b='ö ü'",),
    ("a=#x",),
    ("a=x#y",),
    ("a=(x)",),
    ("a=x\\",),
    ('{"a": 1, "b": [true, null, "x"]}',),
    ('{"a": "\\\\d"}',),
    ("{a: 1, b: yes, c: 0644, d: 2024-01-02}",),
    ("{a: 'x y', b: \"z\\n\"}",),
    ("{}",),
    ('{"a": 1}', "a=2"),
    ("a=2", '{"a": {"b": 1}}'),
    ("",),
    ("a='x",),
    ('a=x"y',),
    ("a={{ b",),
    ("[1]",),
    ("{a: 1",),
    ('{"a": 1} b=2',),
    ("/etc/hosts",),
    ("./x.yaml",),
)
STRICTER = (("a",), ("a=1 b",), ("a-b=1",), ("{1: 2}",), ("{a: 1, a: 2",), ("a={% if b %}x y{% endif %}",))
"""What Ansible drops in silence, or takes for a name that nobody can write."""


def ours(words: tuple[str, ...]) -> tuple[str, str]:
    try:
        return "value", repr(parse_extra_vars(words))
    except LabctlError as error:
        return "error", str(error)


@pytest.fixture(scope="module")
def theirs(ansible_folder: Path) -> dict[tuple[str, ...], tuple[str, str]]:
    done = subprocess.run(
        [PYTHON, Path(__file__).parent / "oracle.py", "-e"],
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        cwd=ansible_folder,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {words: (kind, text) for words, (kind, text) in zip(CASES, json.loads(done.stdout), strict=True)}


def test_every_case(theirs: dict[tuple[str, ...], tuple[str, str]]) -> None:
    problems = []
    for words, ansible in theirs.items():
        labctl = ours(words)
        if labctl != ansible and not labctl[0] == ansible[0] == "error":
            problems.append(
                f"-e {' -e '.join(words)}\n  ansible {' '.join(ansible)}\n  labctl  {' '.join(labctl)}"
            )
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.mark.parametrize("words", STRICTER, ids=" ".join)
def test_what_has_no_value_is_refused(words: tuple[str, ...]) -> None:
    assert ours(words)[0] == "error"
