# SPDX-License-Identifier: Apache-2.0
"""Ansible's answers, written down: what `ansible-inventory --list --playbook-dir play` of ansible-core 2.19 says of these files."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.inventory import load_inventory
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host, Inventory

HOSTS = """\
all:
  vars: {a: inv-all, b: inv-all, c: inv-all, d: inv-all, e: inv-all, f: inv-all, g: inv-all, h: inv-all}
  hosts:
    lone:
    edge.example.com: {role: edge}
  children:
    web:
      hosts:
        web[01:03]:
          own: range
        "alt:2222": {}
      vars: {b: inv-web, who: web, tie: web, deep: web}
    zeta:
      hosts: {web02: }
      vars: {tie: zeta, prio: zeta}
    alpha:
      hosts: {web02: }
      vars: {tie: alpha, prio: alpha, ansible_group_priority: 10}
    parent:
      vars: {deep: parent, who: parent, only: parent, ansible_group_priority: 99}
      children:
        child:
          vars: {deep: child}
          children:
            grandchild:
              hosts: {"db-[a:c]": , "n[1:9:4]x[0:1]": }
web:
  hosts:
    web03: {own: again, extra: yes}
  vars: {late: true}
grandchild:
  vars: {who: grandchild}
ungrouped:
  hosts: {lone2: , web01: }
"""

FILES = {
    "inv/hosts.yml": HOSTS,
    "inv/group_vars/all/10-first.yml": "{c: igv, d: igv, e: igv, f: igv, g: igv, h: igv, b: igv}",
    "inv/group_vars/all/20-second": "{z: second, c: igv-2}",
    "inv/group_vars/all/.hidden.yml": "{z: hidden}",
    "inv/group_vars/all/30-backup.yml~": "{z: backup}",
    "inv/group_vars/all/40-note.txt": "{z: note}",
    "play/group_vars/all.yaml": "{d: pgv, e: pgv, f: pgv, g: pgv, h: pgv}",
    "inv/group_vars/web/main.yml": "{e: igv-web, f: igv-web, g: igv-web, h: igv-web, who: igv-web}",
    "inv/group_vars/web.yml": "{who: lost, lost: 1}",
    "play/group_vars/web.yml": "{f: pgv-web, g: pgv-web, h: pgv-web, order: pgv-web}",
    "inv/group_vars/zeta.yml": "{order: igv-zeta}",
    "inv/group_vars/parent": "{who: igv-parent}",
    "inv/host_vars/web02.yml": "{g: ihv, h: ihv, own: ihv}",
    "play/host_vars/web02/x.json": '{"h": "phv"}',
    "inv/host_vars/lone": '{a: "{{ inventory_hostname }}"}',
}

COMMON: dict[str, object] = {
    "a": "inv-all",
    "b": "igv",
    "c": "igv-2",
    "d": "pgv",
    "e": "pgv",
    "f": "pgv",
    "g": "pgv",
    "h": "pgv",
    "z": "second",
}
WEB = COMMON | {"e": "igv-web", "f": "pgv-web", "g": "pgv-web", "h": "pgv-web", "who": "igv-web"}
WEB |= {"tie": "web", "deep": "web", "late": True, "order": "pgv-web"}
DEEP = COMMON | {"deep": "child", "who": "igv-parent", "only": "parent"}
EXPECTED = {
    "lone": COMMON | {"a": "{{ inventory_hostname }}"},
    "edge.example.com": COMMON | {"role": "edge"},
    "web01": WEB | {"own": "range"},
    "web02": WEB | {"own": "ihv", "tie": "alpha", "prio": "alpha", "g": "ihv", "h": "phv"},
    "web03": WEB | {"own": "again", "extra": True},
    "alt": WEB | {"ansible_port": 2222},
    **{f"db-{letter}": DEEP for letter in "abc"},
    **{f"n{first}x{second}": DEEP for first in (1, 5, 9) for second in (0, 1)},
    "lone2": COMMON,
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    write(tmp_path, FILES)
    return load_inventory(tmp_path / "inv/hosts.yml", tmp_path / "play")


def refused(tmp_path: Path, text: str) -> ConfigError:
    path = tmp_path / "hosts.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_inventory(path)
    assert str(caught.value.file) == str(path)
    return caught.value


@pytest.mark.parametrize("name", EXPECTED)
def test_variables_have_ansibles_precedence(inventory: Inventory, name: str) -> None:
    assert inventory.host(name).vars == EXPECTED[name]


def test_hosts_come_in_the_order_of_the_file(inventory: Inventory) -> None:
    assert [host.name for host in inventory.hosts] == list(EXPECTED)


def test_groups_of_a_host_include_those_above_it(inventory: Inventory) -> None:
    assert inventory.host("web02").groups == ("alpha", "web", "zeta")
    assert inventory.host("db-a").groups == ("child", "grandchild", "parent")
    assert inventory.host("lone").groups == ("ungrouped",)
    assert inventory.host("web01").groups == ("web",)


def test_members_are_listed_as_ansibles_groups_variable_lists_them(inventory: Inventory) -> None:
    below = ("db-a", "db-b", "db-c", "n1x0", "n1x1", "n5x0", "n5x1", "n9x0", "n9x1")
    assert inventory.members("all") == (
        *("lone", "edge.example.com", "lone2", "web01", "web02", "web03", "alt"),
        *below,
    )
    assert inventory.members("parent") == below


def test_a_variable_knows_where_it_was_written(inventory: Inventory, tmp_path: Path) -> None:
    origins = inventory.host("web02").origins
    assert (origins["own"].file, origins["own"].line) == (tmp_path / "inv/host_vars/web02.yml", 1)
    assert (origins["tie"].file, origins["tie"].line) == (tmp_path / "inv/hosts.yml", 18)


def test_without_a_playbook_its_variables_are_not_read(inventory: Inventory, tmp_path: Path) -> None:
    alone = load_inventory(tmp_path / "inv/hosts.yml")
    assert (alone.host("web02").vars["h"], alone.host("web01").vars["f"]) == ("ihv", "igv-web")


def test_a_folder_is_all_its_files_in_order(tmp_path: Path) -> None:
    first, second = "web: {hosts: {w1: {x: 1}}}", "web: {hosts: {w1: {x: 2}, w2: }, vars: {y: 3}}"
    write(
        tmp_path, {"d/10.yml": first, "d/20.yml": second, "d/notes.md": "no", "d/group_vars/web.yml": "z: 4"}
    )
    inventory = load_inventory(tmp_path / "d")
    assert [(host.name, host.vars) for host in inventory.hosts] == [
        ("w1", {"x": 2, "y": 3, "z": 4}),
        ("w2", {"y": 3, "z": 4}),
    ]
    assert inventory.hosts[1].file == tmp_path / "d/20.yml"


def test_hosts_that_share_a_machine_say_so() -> None:
    assert (Host("a", (), {}).machine, Host("a", (), {"labctl_machine": "m"}).machine) == ("a", "m")


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("all:\n  hosts:\n    a:\n  var: {x: 1}\n", 4, "all.var", "is not a key of a group"),
        ("all:\n  children:\n    web:\n      a:\n", 4, "all.children.web.a", "is not a key of a group"),
        ("all:\n  hosts:\n    - a\n", 3, "all.hosts", "must be a mapping of names"),
        ("all:\n  hosts:\n    a: [1]\n", 3, "all.hosts.a", "must be a mapping of variables"),
        ("all:\n  hosts: {a: }\n  vars: [1]\n", 3, "all.vars", "must be a mapping of variables"),
        ("all:\n  vars: {a-b: 1}\n", 2, "all.vars.a-b", "is not a variable's name"),
        ("all:\n  vars: {7: 1}\n", 2, "all.vars.7", "is not a variable's name"),
        ("all:\n  hosts:\n    7: {}\n", 3, "all.hosts[7]", "a name must be a string"),
        ("all:\n  hosts:\n    a:\n    a:\n", 4, "all.hosts.a", "is there twice"),
        ("all:\n  hosts:\n    web[3:1]:\n", 3, "all.hosts.web[3:1]", "begins after its end"),
        ("web: 3\n", 1, "web", "is not a group"),
        ("hosts:\n  a:\n", 1, "hosts", "stands at the top"),
        ("g:\n  vars: {ansible_group_priority: high}\n", 2, "g.vars.ansible_group_priority", "whole number"),
        (
            "a: {children: {b: }}\nb: {children: {c: }}\nc:\n  children:\n    a:\n",
            5,
            "c.children.a",
            "contain each other",
        ),
        ("a:\n  children:\n    a:\n", 3, "a.children.a", "contain each other"),
        ("a: {children: {all: }}\nall: {children: {a: }}\n", 2, "all.children.a", "contain each other"),
        ("plugin: constructed\n", 1, "plugin", "not supported"),
        ("", 1, None, "is empty"),
        ("web1\nweb2\n", 1, None, "is not a mapping of groups"),
        ("all: {hosts: {a: }}\na: {hosts: {b: }}\n", 1, None, "name of a group and of a host"),
        ("all:\n\thosts:\n", 2, None, "not valid YAML"),
        ("[web]\nweb1 ansible_host=192.0.2.1\n", None, None, "is an INI inventory"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(
    tmp_path: Path, text: str, line: int | None, key: str | None, words: str
) -> None:
    error = refused(tmp_path, text)
    assert words in error.message
    assert (error.line, error.key) == (line, key)


@pytest.mark.parametrize(
    "text", ["[web]\nweb1\n", "w1 x=1\nw2\n", "#!/bin/sh\necho {}\n", "plugin: constructed\n"]
)
def test_the_command_that_converts_an_inventory_writes_to_no_file_that_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["hosts.yml"]
    for _ in range(5):
        command, _, target = str(refused(tmp_path, text).hint).rpartition(" > ")
        assert f"ansible-inventory -i {tmp_path}/hosts.yml --list" in command
        assert target not in names, "the shell would empty it"
        (tmp_path / target).touch()
        names.append(target)


@pytest.mark.parametrize("text", ["", "- all\n", "3\n"])
def test_what_is_no_ini_inventory_gets_no_command_that_converts_it(tmp_path: Path, text: str) -> None:
    assert str(refused(tmp_path, text).hint).endswith("write the hosts below all: hosts:.")


@pytest.mark.parametrize(
    "name", ["hosts.yml", "group_vars/all.yml", "group_vars/all/vault", "host_vars/a.yml"]
)
def test_a_vault_is_named_with_what_to_write_instead(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"hosts.yml": "all: {hosts: {a: }}", name: "$ANSIBLE_VAULT;1.1;AES256\n3138\n"})
    with pytest.raises(ConfigError, match=r"encrypted by ansible-vault.*lookup") as caught:
        load_inventory(tmp_path / "hosts.yml")
    assert (caught.value.file, caught.value.line) == (tmp_path / name, 1)


def test_an_error_in_group_vars_names_that_file(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": "all: {hosts: {a: }}", "group_vars/all.yml": "x: 1\nx: 2\n"})
    with pytest.raises(ConfigError) as caught:
        load_inventory(tmp_path / "hosts.yml")
    assert (caught.value.file, caught.value.line) == (tmp_path / "group_vars/all.yml", 2)


def test_a_missing_inventory_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such inventory.*labctl init"):
        load_inventory(tmp_path / "none.yml")


@pytest.mark.parametrize("name", [r"web\e[31m", r"web\u202E", r"web\n"])
def test_a_name_has_no_control_characters(tmp_path: Path, name: str) -> None:
    """It names a run's folder, and stands in every line about the host."""
    path = tmp_path / "hosts.yaml"
    path.write_text(f'all: {{hosts: {{"{name}": {{}}}}}}\n')
    with pytest.raises(ConfigError, match="control characters") as caught:
        load_inventory(path)
    assert str(caught.value).isprintable()
