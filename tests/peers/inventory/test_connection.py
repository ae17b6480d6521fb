# SPDX-License-Identifier: Apache-2.0
"""Where Ansible would reach each host of the zoo's connection inventories, and as whom, is where labctl reaches it.

Ansible is given a program in place of ssh that notes its command line. Where Ansible has no value, labctl has none either; what labctl
does not do it refuses in the words of the host's variable ``refused``.
"""

from __future__ import annotations

import itertools
import json
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.model.errors import ConfigError
from tests.peers.inventory.sides import CASES, Case, ansible

CONNECTIONS = tuple(case for case in CASES if case.name.startswith("connection_"))
NOTES = """\
#!{python}
import json, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(255)
"""
_READ = ("Port", "User", "IdentityFile", "ConnectTimeout")


@dataclass(frozen=True)
class Reached:
    address: str
    port: str | None
    user: str | None
    key: str | None
    timeout: float


@pytest.fixture(scope="module")
def reached(ansible_folder: Path) -> dict[tuple[str, str], Reached]:
    """By case and host: what Ansible tells ssh. Hosts without a value are not in it."""
    folder = ansible_folder / "connection"
    folder.mkdir()
    log, program = folder / "log", folder / "ssh"
    program.write_text(NOTES.format(python=sys.executable, log=str(log)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    configuration = ansible_folder / "ansible.cfg"
    configuration.write_text(f"[ssh_connection]\nssh_executable = {program}\n")
    commands: list[list[str | Path]] = [
        [
            "ansible",
            "-i",
            case.inventory,
            "all",
            "-m",
            "raw",
            "-a",
            f"{case.name} {{{{ inventory_hostname }}}}",
        ]
        for case in CONNECTIONS
    ]
    try:
        ansible(commands, ansible_folder)
    finally:
        configuration.write_text("")
    return dict(noted(json.loads(line)) for line in log.read_text().splitlines())


def noted(words: list[str]) -> tuple[tuple[str, str], Reached]:
    """Of an option that is there several times, ssh takes the first."""
    case, host = words[-1].split(" ")
    options: dict[str, str] = {}
    for word, value in itertools.pairwise(words):
        name, _, text = value.partition("=")
        if word == "-o" and name in _READ:
            options.setdefault(name, text.strip('"'))
    return (case, host), Reached(
        words[-2],
        options.get("Port"),
        options.get("User"),
        options.get("IdentityFile"),
        float(options["ConnectTimeout"]),
    )


def ours(case: Case, name: str, folder: Path) -> Reached:
    inventory = load_inventory(case.inventory, folder)
    endpoint = endpoint_of(inventory.host(name), inventory)
    return Reached(
        endpoint.address,
        str(endpoint.port) if endpoint.port else None,
        endpoint.user,
        str(endpoint.key_file) if endpoint.key_file else None,
        endpoint.connect_timeout,
    )


HOSTS = [(case, host.name) for case in CONNECTIONS for host in load_inventory(case.inventory).hosts]


@pytest.mark.parametrize(("case", "name"), HOSTS, ids=[f"{case.name}-{name}" for case, name in HOSTS])
def test_a_host_is_reached_as_by_ansible(
    case: Case, name: str, reached: dict[tuple[str, str], Reached], ansible_folder: Path
) -> None:
    theirs = reached.get((case.name, name))
    refused = load_inventory(case.inventory).host(name).vars.get("refused")
    if theirs is not None and refused is None:
        assert ours(case, name, ansible_folder) == theirs
        return
    with pytest.raises(ConfigError) as caught:
        ours(case, name, ansible_folder)
    assert (refused or "") in caught.value.message
    assert caught.value.line is not None
    assert theirs is not None or refused is None


def test_each_kind_has_an_error_among_its_cases(reached: dict[tuple[str, str], Reached]) -> None:
    for case in CONNECTIONS:
        names = [name for found, name in HOSTS if found is case]
        without = [name for name in names if (case.name, name) not in reached]
        assert without and len(names) - len(without) >= 3
