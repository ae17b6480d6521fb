# SPDX-License-Identifier: Apache-2.0
"""Inventories that labctl refuses: with the sentence that it says, and with what Ansible makes of the same file.

Ansible warns, and goes on with a part of what was written, where labctl wants to be told what was meant.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.load.inventory import load_inventory
from orchestrator.model.errors import ConfigError
from tests.peers.inventory.sides import Answer, ansible, labctl


@dataclass(frozen=True)
class Refused:
    """``takes``: does Ansible go on with such a file? ``line`` is where labctl points to; None: to the file as a whole."""

    text: str
    words: str
    line: int | None
    takes: bool
    name: str = "hosts.yml"


VAULT = "all:\n  hosts:\n    a:\n      p: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        61\n"
REFUSED = {
    # Ansible takes these, and leaves out or overrides a part.
    "a key twice": Refused("all:\n  hosts: {a: }\n  hosts: {b: }\n", "there twice", 3, True),
    "a group twice": Refused("web: {hosts: {a: }}\nall: {}\nweb: {hosts: {b: }}\n", "there twice", 3, True),
    "an unknown key": Refused("all:\n  hosts: {a: }\n  var: {x: 1}\n", "is not a key of a group", 3, True),
    "a group beside children": Refused(
        "all:\n  hosts: {a: }\n  web: {hosts: {b: }}\n", "is not a key of a group", 3, True
    ),
    "a group that is none": Refused("all: {hosts: {a: }}\nweb: 3\n", "is not a group", 2, True),
    "a list of groups": Refused("all: {hosts: {a: }}\nweb: [b, c]\n", "is not a group", 2, True),
    "a name of both": Refused("all: {hosts: {a: }}\na: {hosts: {b: }}\n", "of a group and of a host", 1, True),
    "a dash in a variable": Refused("all:\n  hosts: {a: {x-y: 1}}\n", "not a variable's name", 2, True),
    "a number as variable": Refused("all:\n  vars: {7: 1}\n  hosts: {a: }\n", "not a variable's name", 2, True),
    "a section at the top": Refused("all: {hosts: {a: }}\nhosts: {b: }\n", "stands at the top", 2, True),
    "a vault": Refused(VAULT, "!vault", 4, True),
    "an unsafe value": Refused("all:\n  hosts: {a: {p: !unsafe '{{'}}\n", "{% raw %}", 2, True),
    "ungrouped below a group": Refused(
        "web:\n  children: {ungrouped: }\nall: {hosts: {a: }}\n", "no group below it", 2, True
    ),
    "a group below ungrouped": Refused(
        "ungrouped:\n  children: {web: {hosts: {a: }}}\n", "no group below it", 2, True
    ),
    "an INI inventory": Refused("[web]\na x=1\n\n[db]\nb\n", "is an INI inventory", None, True, "hosts"),
    "an INI inventory without sections": Refused("a x=1\nb\n", "is not a mapping of groups", 1, True, "hosts"),
    "a range over the top": Refused("all: {hosts: {'n[0:20000]': }}\n", "more than 10000 hosts", 1, True),
    "a plugin": Refused("plugin: constructed\n", "plugins are not supported", 1, True),
    "nothing": Refused("", "is empty", 1, True),
    # What neither takes.
    "an empty host": Refused("all: {hosts: {'': , a: }}\n", "a name must be a string", 1, False),
    "a mapping as key": Refused("all:\n  hosts: {a: {x: {{y: 1}: 2}}}\n", "must be a plain word", 2, False),
    "a list of hosts": Refused("all:\n  hosts: [a, b]\n", "must be a mapping of names", 2, False),
    "a host that is a list": Refused("all:\n  hosts: {a: [1]}\n", "must be a mapping of variables", 2, False),
    "variables that are a list": Refused(
        "all:\n  hosts: {a: }\n  vars: [1]\n", "must be a mapping of variables", 3, False
    ),
    "a number as host": Refused("all:\n  hosts: {7: }\n", "a name must be a string", 2, False),
    "a number as group": Refused("7: {hosts: {a: }}\n", "a name must be a string", 1, False),
    "a loop": Refused("a: {children: {b: }}\nb: {children: {a: }}\n", "contain each other", 2, False),
    "a list": Refused("- all\n", "is not a mapping of groups", 1, False),
    "two documents": Refused("all: {hosts: {a: }}\n---\nweb: {hosts: {b: }}\n", "more than one document", 2, False),
    "a tab": Refused("all:\n\thosts:\n", "not valid YAML", 2, False),
    "an open quote": Refused('all: {hosts: {a: {x: "y}}}\n', "not valid YAML", 2, False),
    "a range that is none": Refused("all: {hosts: {'n[5:1a]': }}\n", "neither a range of numbers", 1, False),
    "a priority that is none": Refused(
        "web: {hosts: {a: }, vars: {ansible_group_priority: high}}\n", "whole number", 1, False
    ),
    "an alias of nothing": Refused("all: {hosts: {a: *b}}\n", "undefined alias", 1, False),
}  # fmt: skip


def write(folder: Path, name: str) -> Path:
    case = REFUSED[name]
    (folder / name).mkdir()
    path = folder / name / case.name
    path.write_text(case.text)
    return path


@pytest.fixture(scope="module")
def answers(ansible_folder: Path) -> dict[str, Answer]:
    """Configured so that what Ansible cannot read is an error, and not an empty inventory."""
    folder = ansible_folder / "refused"
    folder.mkdir()
    configuration = ansible_folder / "ansible.cfg"
    configuration.write_text("[inventory]\nany_unparsed_is_failed = true\n")
    commands: list[list[str | Path]] = [
        ["ansible-inventory", "-i", write(folder, name), "--list"] for name in REFUSED
    ]
    try:
        return dict(zip(REFUSED, ansible(commands, ansible_folder), strict=True))
    finally:
        configuration.write_text("")


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_why(name: str, answers: dict[str, Answer], tmp_path: Path) -> None:
    case = REFUSED[name]
    path = write(tmp_path, name)
    with pytest.raises(ConfigError) as caught:
        load_inventory(path)
    assert case.words in str(caught.value)
    assert (Path(str(caught.value.file)), caught.value.line) == (path, case.line)
    assert (answers[name].status == 0) is case.takes, answers[name].err


def test_the_command_that_converts_an_ini_inventory_does(ansible_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    (folder / "group_vars").mkdir(parents=True)
    (folder / "group_vars/web.yml").write_text("from: file\n")
    source = folder / "hosts"
    source.write_text(
        "lone ansible_port=2222\n[web]\nw[1:3] x=1 text='a b'\n[web:vars]\ny=[1, 2]\nflag=true\n"
        "[db]\nd1\n[site:children]\nweb\ndb\n[site:vars]\ny=site\nansible_group_priority=3\n"
    )
    with pytest.raises(ConfigError, match="is an INI inventory") as caught:
        load_inventory(source)
    command, _, target = str(caught.value.hint).removeprefix("Convert it once: ").rpartition(" > ")
    list_it = ["ansible-inventory", "-i", str(source), "--list"]
    converted, before = ansible([shlex.split(command), list_it], ansible_folder)
    assert (converted.status, target) == (0, "hosts.yml"), converted.err
    (folder / target).write_text(converted.out)
    # YAML that Ansible writes is sorted: what is in which group stays, the order of the file does not.
    assert in_any_order(labctl(folder / target, "--json")) == in_any_order(before.out)


def in_any_order(listing: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(listing)
    groups = {name: group for name, group in found.items() if name != "_meta"}
    lists = {name: {key: sorted(names) for key, names in group.items()} for name, group in groups.items()}
    return {**lists, "_meta": found["_meta"]}
