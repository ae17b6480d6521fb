# SPDX-License-Identifier: Apache-2.0
"""`labctl inventory`: the table, what it withholds, and its exit codes. That it agrees with Ansible is tested in tests/peers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.inventory import inventory
from orchestrator.model.errors import UsageError

TEXT = """\
all:
  vars: {ansible_user: lab, ansible_password: hunter2, ansible_become_pass: 12345}
  hosts:
    lone: {ansible_host: "2001:db8::1", ansible_port: 2222}
  children:
    web:
      hosts: {"w[1:2]": {ansible_become: yes, ansible_ssh_pass: "{{ lookup('env', 'X') }}"}}
    db:
      hosts: {w1: }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "hosts.yml"
    file.write_text(TEXT)
    return file


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(
        inventory, [str(word) for word in words], standalone_mode=False, catch_exceptions=False
    )


def test_the_table_says_groups_and_where_a_host_is_reached(path: Path) -> None:
    assert invoke(path).output.splitlines() == [
        "HOST  GROUPS     REACHED AT          AS",
        "lone  ungrouped  [2001:db8::1]:2222  lab",
        "w1    db, web    w1                  lab, sudo to root",
        "w2    web        w2                  lab, sudo to root",
    ]


def test_a_limit_leaves_the_others_out(path: Path) -> None:
    assert [line.split()[0] for line in invoke(path, "-l", "web:!db").output.splitlines()] == ["HOST", "w2"]


@pytest.mark.parametrize("words", [[], ["--json"], ["--host", "lone"], ["--graph", "--vars"]])
def test_passwords_are_withheld_until_they_are_asked_for(path: Path, words: list[str]) -> None:
    said = invoke(path, *words).output
    assert "hunter2" not in said and "12345" not in said
    if words:
        assert "withheld" in said
        shown = invoke(path, *words, "--show-passwords").output
        assert "hunter2" in shown and "12345" in shown and "withheld" not in shown


def test_where_a_password_comes_from_is_no_secret(path: Path) -> None:
    found = json.loads(invoke(path, "--host", "w1").output)
    assert found["ansible_ssh_pass"] == "{{ lookup('env', 'X') }}"


def test_a_host_that_cannot_be_reached_as_written_does_not_hide_the_others(path: Path) -> None:
    path.write_text("all: {hosts: {good: , bad: {ansible_port: 99999}}}\n")
    done = invoke(path)
    assert done.return_value == 2
    assert "good" in done.stdout and "bad" in done.stdout
    assert "hosts.yml:1:" in done.stderr and "'99999' is not a port" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--graph"],
        ["--json", "--host", "w1"],
        ["--graph", "-l", "web"],
        ["--vars"],
        ["--json", "--vars"],
    ],
)
def test_what_contradicts_itself_is_refused(path: Path, words: list[str]) -> None:
    done = CliRunner().invoke(inventory, [str(path), *words])
    assert done.exit_code == 2


def test_a_host_is_one_host(path: Path) -> None:
    with pytest.raises(UsageError, match="means 2 hosts"):
        invoke(path, "--host", "web")


def test_an_inventory_without_hosts_lists_none_as_json(path: Path) -> None:
    path.write_text("all: {children: {web: }}\n")
    assert json.loads(invoke(path, "--json").output)["_meta"]["hostvars"] == {}
    with pytest.raises(UsageError, match="has no hosts"):
        invoke(path)
