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


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("ansible_host: new\nansible_ssh_host: old", "address", "old"),
        ("ansible_host: new\nansible_ssh_host:", "address", "new"),
        ("ansible_port: 1\nansible_ssh_port: 2", "port", 2),
        ("ansible_user: new\nansible_ssh_user: old", "user", "old"),
        ("ansible_user: new\nansible_ssh_user: '{{ omit }}'", "user", "new"),
        ("ansible_private_key_file: /a\nansible_ssh_private_key_file: /b", "key_file", Path("/b")),
        ("ansible_timeout: 3\nansible_ssh_timeout: 4", "connect_timeout", 4.0),
        ("ansible_ssh_timeout: 4\nansible_ssh_args: -o ConnectTimeout=7", "connect_timeout", 7.0),
        ("ansible_ssh_timeout: 4\nansible_ssh_common_args: -o ConnectTimeout=7", "connect_timeout", 4.0),
        ("ansible_password: a\nansible_ssh_pass: b\nansible_ssh_password: c", "password", "c"),
        ("ansible_become_password: a\nansible_become_pass: b", "become_password", "b"),
    ],
)
def test_of_several_names_for_one_thing_the_same_one_counts_as_with_ansible(
    tmp_path: Path, text: str, field: str, expected: object
) -> None:
    assert getattr(endpoint(tmp_path, text), field) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ansible_host: \"{{ net | regex_replace('/.*', '') }}\"\nnet: 127.0.0.1/8", "127.0.0.1"),
        ("ansible_host: \"{{ net | split('/') | first }}\"\nnet: 127.0.0.1/8", "127.0.0.1"),
        ("ansible_host: \"{{ hostvars['h'].net }}\"\nnet: '{{ inventory_hostname }}.lan'", "h.lan"),
        ('ansible_host: "{{ hostvars.h.group_names | first }}-{{ hostvars | length }}"', "ungrouped-1"),
        ("ansible_host: \"{{ vars['net'] }}\"\nnet: a", "a"),
        ("ansible_host: \"{{ ['x', 'y'] | select('equalto', 'y') | first }}\"", "y"),
        ('ansible_host: "{{ nosuch | default(omit) }}"', "h"),
        ('ansible_host: "a{{ omit }}"', "a"),
        ('ansible_host: "{{ none }}"', "h"),
        ("ansible_host: \"{{ nosuch.deep | default('d') }}\"", "d"),
    ],
)
def test_connection_variables_have_the_templates_of_playbooks(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert endpoint(tmp_path, text).address == expected


def test_a_host_may_be_reached_as_another_one_says(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    path.write_text(
        "all:\n  hosts:\n    a: {net: '{{ base }}.7', base: 10.0.0}\n"
        "    b: {ansible_host: \"{{ hostvars['a'].net }}\"}\n"
        "    c: {ansible_host: \"{{ hostvars['d'].ansible_host }}\"}\n"
        "    d: {ansible_host: \"{{ hostvars['c'].ansible_host }}\"}\n"
        "    e: {ansible_host: \"{{ hostvars['nosuch'].ansible_host }}\"}\n"
        '    f: {ansible_host: "{{ playbook_dir }}"}\n'
    )
    inventory = load_inventory(path, tmp_path / "plays")

    def reached(name: str) -> Endpoint:
        return endpoint_of(inventory.host(name), inventory, {})

    assert (reached("b").address, reached("f").address) == ("10.0.0.7", f"{tmp_path}/plays")
    with pytest.raises(ConfigError, match=r"c.ansible_host: the template has no value.*hostvars"):
        reached("c")
    with pytest.raises(ConfigError, match=r"e.ansible_host: the template has no value.*nosuch"):
        reached("e")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("-o UserKnownHostsFile=/k/known -o StrictHostKeyChecking=yes", Path("/k/known")),
        ("-oUserKnownHostsFile=/k/known", Path("/k/known")),
        ("-o 'UserKnownHostsFile /k/known'", Path("/k/known")),
        ("-o ControlMaster=auto -C", None),
        ("-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no", None),
        ("-o UserKnownHostsFile=/k/known -o UserKnownHostsFile=/k/second", Path("/k/known")),
        ("-o UserKnownHostsFile='\\\"/k/known hosts\\\"'", Path("/k/known hosts")),
        ("-o ProxyJump=none -oForwardAgent=no -vvC -tt -o ControlPath=none -S none", None),
    ],
)
def test_of_ssh_arguments_the_known_hosts_count(
    tmp_path: Path, arguments: str, expected: Path | None
) -> None:
    assert endpoint(tmp_path, f'ansible_ssh_common_args: "{arguments}"').known_hosts == expected


REFUSED_ARGUMENTS = {
    "-p 9": "-p would change the way",
    "-p9": "-p would change the way",
    "-vCp9": "-p would change the way",
    "-i key": "-i would change the way",
    "-l root": "-l would change the way",
    "-J bastion": "-J would change the way",
    "-o Port=9": "port would change the way",
    "-o 'Port 9'": "port would change the way",
    "-oUser=root": "user would change the way",
    "-o HostName=elsewhere": "hostname would change the way",
    "-o HostKeyAlias=elsewhere": "hostkeyalias would change the way",
    "-o IdentityFile=key": "identityfile would change the way",
    "-o ProxyJump=bastion": "proxyjump would change the way",
    "-o ProxyCommand='ssh -W %h:%p bastion'": "proxycommand would change the way",
    "-F config": "does not do what -F asks",
    "-W h:22": "does not do what -W asks",
    "-A": "does not do what -A asks",
    "-4": "does not do what -4 asks",
    "-L 1:h:2": "does not do what -L asks",
    "-b 127.0.0.2": "does not do what -b asks",
    "-o BindAddress=127.0.0.2": "what the option bindaddress asks",
    "-o ForwardAgent=yes": "what the option forwardagent asks",
    "-o Ciphers=aes128-ctr": "what the option ciphers asks",
    "-o CertificateFile=c": "what the option certificatefile asks",
    "-o": "-o has no argument",
    "elsewhere": "elsewhere is no option of ssh's",
    "-o 'UserKnownHostsFile=a b'": "must name one file",
    "-o UserKnownHostsFile=%d/known": "must name one file",
    "-o UserKnownHostsFile=/k/other": "names /k/known, and the SSH arguments name /k/other",
}


@pytest.mark.parametrize("name", ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"])
@pytest.mark.parametrize("arguments", REFUSED_ARGUMENTS)
def test_arguments_are_read_also_where_the_known_hosts_are_named(
    tmp_path: Path, name: str, arguments: str
) -> None:
    error = refused(tmp_path, f'labctl_known_hosts: /k/known\n{name}: "{arguments}"')
    assert REFUSED_ARGUMENTS[arguments] in error.message
    assert error.line == (4 if "names /k/known" in error.message else 5)
    assert error.hint or "has no argument" in error.message


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
        ("ansible_host: \"{{ lookup('pipe', 'id') }}\"", "the template has no value"),
        ("ansible_host: '{{ \"a\" | nosuchfilter }}'", "nosuchfilter"),
        ("ansible_ssh_executable: /opt/wrapper", "labctl speaks SSH by itself"),
        ("ansible_private_key_passphrase: x", "this connection variable is not supported"),
        ("ansible_host: '{{ \"\".__class__.__mro__ }}'", "the template has no value"),
    ],
)
def test_what_cannot_be_done_is_refused_at_its_place(tmp_path: Path, text: str, words: str) -> None:
    error = refused(tmp_path, text)
    assert words in error.message
    assert error.line == 4
    assert error.key == f"h.{text.partition(':')[0]}"
