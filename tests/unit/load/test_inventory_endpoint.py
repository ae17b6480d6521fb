# SPDX-License-Identifier: Apache-2.0
"""Connection variables as an inventory may hold them -> how a host is reached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ConfigError

PASSWORD = "hunter2'\"$1e5"


def endpoint(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Endpoint:
    """Of host ``h``, with ``text`` as the lines of its variables."""
    lines = "".join(f"      {line}\n" for line in text.splitlines())
    path = folder / "hosts.yml"
    path.write_text(f"all:\n  hosts:\n    h:\n{lines}")
    inventory = load_inventory(path)
    return endpoint_of(inventory.host("h"), inventory, environ or {})


def refused(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        endpoint(folder, text)
    return caught.value


def test_a_bare_name_is_its_own_address(tmp_path: Path) -> None:
    assert endpoint(tmp_path, "") == Endpoint(host="h", address="h")


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    text = """\
ansible_host: 192.0.2.7
ansible_port: 2222
ansible_user: lab
ansible_ssh_private_key_file: /keys/id
ansible_password: secret
ansible_become: yes
ansible_become_user: bench
ansible_become_password: other
ansible_timeout: 3
labctl_known_hosts: /keys/known_hosts
"""
    assert endpoint(tmp_path, text) == Endpoint(
        host="h",
        address="192.0.2.7",
        port=2222,
        user="lab",
        key_file=Path("/keys/id"),
        known_hosts=Path("/keys/known_hosts"),
        password="secret",
        become=True,
        become_user="bench",
        become_password="other",
        connect_timeout=3.0,
    )


def test_templates_see_variables_and_magic_ones_and_templates_within(tmp_path: Path) -> None:
    text = """\
ansible_host: "{{ subnet }}.{{ number + 10 }}"
subnet: "{{ base }}.0"
base: "10.231"
number: 1
ansible_port: "{{ ports[inventory_hostname] }}"
ports: {h: "{{ 2200 + number }}"}
ansible_ssh_private_key_file: "{{ inventory_dir }}/.lab/key"
ansible_become: "{{ 'ungrouped' in group_names and groups.all | length == 1 }}"
"""
    found = endpoint(tmp_path, text)
    assert (found.address, found.port, found.key_file) == ("10.231.0.11", 2201, tmp_path / ".lab/key")
    assert found.become is True


def test_a_password_may_come_from_the_environment_and_stays_what_it_is(tmp_path: Path) -> None:
    text = 'ansible_password: "{{ lookup(\'env\', \'PW\') }}"\nansible_become_pass: "{{ digits }}"\ndigits: "007"'
    found = endpoint(tmp_path, text, {"PW": PASSWORD})
    assert (found.password, found.become_password) == (PASSWORD, "007")
    assert PASSWORD not in repr(found)
    assert "007" not in repr(found)


def test_a_relative_path_is_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert endpoint(tmp_path, "ansible_private_key_file: keys/id").key_file == tmp_path / "keys/id"
    assert endpoint(tmp_path, "ansible_private_key_file: ~/.ssh/id").key_file == Path("/home/someone/.ssh/id")


def test_older_names_count_where_the_newer_ones_are_silent(tmp_path: Path) -> None:
    found = endpoint(tmp_path, "ansible_ssh_host: old\nansible_ssh_user: old\nansible_user: new")
    assert (found.address, found.user) == ("old", "new")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("-o UserKnownHostsFile=/k/known -o StrictHostKeyChecking=yes", Path("/k/known")),
        ("-oUserKnownHostsFile=/k/known", Path("/k/known")),
        ("-o 'UserKnownHostsFile /k/known'", Path("/k/known")),
        ("-o ControlMaster=auto -C", None),
        ("-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no", None),
    ],
)
def test_of_ssh_arguments_the_known_hosts_count(
    tmp_path: Path, arguments: str, expected: Path | None
) -> None:
    assert endpoint(tmp_path, f'ansible_ssh_common_args: "{arguments}"').known_hosts == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ansible_connection: docker", "'docker' is not supported: labctl reaches hosts over SSH"),
        ("ansible_connection: local", "'local' is not supported"),
        ("ansible_become_method: su", "becomes another user with sudo"),
        ("ansible_shell_type: powershell", "POSIX shell"),
        ("ansible_paramiko_proxy_command: x", "this connection variable is not supported"),
        ("ansible_ssh_hosts: x", "this connection variable is not supported"),
        ("ansible_ssh_common_args: -o ProxyJump=bastion", "proxyjump would change the way"),
        ("ansible_ssh_common_args: '-J bastion'", "-J would change the way"),
        ("ansible_ssh_extra_args: '-i \"x'", "quote without its end"),
        ("ansible_port: 70000", "'70000' is not a port"),
        ("ansible_port: true", "is not a port"),
        ("ansible_host: [a]", "must be a text"),
        ("ansible_become: perhaps", "must be true or false"),
        ("ansible_timeout: soon", "number of seconds"),
        ("ansible_host: '{{ nosuch }}'", "the template has no value: 'nosuch' is undefined."),
        ("ansible_host: '{{ a }}'\na: '{{ ansible_host }}'", "refers to itself"),
        ("ansible_host: '{{ a'", "the template has no value"),
        ("ansible_host: '{{ 1 + \"x\" }}'", "the template has no value"),
        ("ansible_host: \"{{ lookup('pipe', 'id') }}\"", "lookup('pipe') is not supported"),
        ("ansible_host: '{{ \"\".__class__.__mro__ }}'", "the template has no value"),
    ],
)
def test_what_cannot_be_done_is_refused_at_its_place(tmp_path: Path, text: str, words: str) -> None:
    error = refused(tmp_path, text)
    assert words in error.message
    assert error.line == 4
    assert error.key == f"h.{text.partition(':')[0]}"
