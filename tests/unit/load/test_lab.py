# SPDX-License-Identifier: Apache-2.0
"""`labctl_lab` is read strictly: what does not fit is refused with file, line and key."""

from __future__ import annotations

import textwrap
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from orchestrator.load.inventory import load_inventory
from orchestrator.load.lab import lab_spec
from orchestrator.model.errors import ConfigError
from orchestrator.model.lab import LabNetwork, LabSpec, MachineSize

TEXT = """\
all:
  vars:
    ansible_user: root
    ansible_ssh_private_key_file: "{{ inventory_dir }}/keys/id"
    labctl_known_hosts: "{{ inventory_dir }}/keys/known_hosts"
    labctl_lab:
      provider: container
      bridge: labctl9
      subnet: 10.231.9.0/24
  hosts:
    one:
      ansible_host: 10.231.9.11
    two:
      ansible_host: 10.231.9.12
"""
ROOT = Path(__file__).resolve().parents[3]


def spec(folder: Path, text: str = TEXT) -> LabSpec:
    path = folder / "My Lab.yaml"
    path.write_text(text)
    return lab_spec(load_inventory(path))


def test_a_lab_is_its_hosts_and_its_network(tmp_path: Path) -> None:
    lab = spec(tmp_path)
    assert (lab.name, lab.release, lab.provider) == ("my-lab", "trixie", "container")
    assert lab.network == LabNetwork("labctl9", IPv4Network("10.231.9.0/24"), IPv4Address("10.231.9.1"))
    assert [(host.name, str(host.address), host.port) for host in lab.hosts] == [
        ("one", "10.231.9.11", 22),
        ("two", "10.231.9.12", 22),
    ]
    assert lab.hosts[0].key_file == tmp_path / "keys/id"
    assert lab.network.address_on_bridge == "10.231.9.1/24"


def test_the_inventory_of_the_project_describes_two_hosts_of_one_machine() -> None:
    inventory = load_inventory(ROOT / "inventories/lab.yaml")
    lab = lab_spec(inventory)
    assert len(lab.hosts) == 2
    assert len({host.machine for host in inventory.hosts}) == 1
    assert lab.hosts[0].known_hosts.resolve().is_relative_to(ROOT / ".labctl")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("      provider: container\n", "      provder: container\n", 7, "labctl_lab.provder: is not a key"),
        (
            "bridge: labctl9",
            "bridge: a-bridge-too-long",
            8,
            "labctl_lab.bridge: .* is not an interface's name",
        ),
        ("      bridge: labctl9\n", "", 6, "labctl_lab.bridge: is missing"),
        ("10.231.9.0/24", "10.231.9.1/24", 9, "labctl_lab.subnet: .*has host bits set"),
        ("10.231.9.0/24", "8.8.8.0/24", 9, "must be private"),
        ("10.231.9.0/24", "10.231.9.0/30", 9, "have room"),
        ("10.231.9.0/24", "10.231.9.0/24\n      gateway: 10.1.1.1", 10, "is not an address in"),
        ("10.231.9.0/24", "10.231.9.0/24\n      release: 13", 10, "labctl_lab.release: must be a text"),
        ("10.231.9.0/24", "10.231.9.0/24\n      packages: git;ls", 10, "must be a list of Debian packages"),
        ("10.231.9.12", "10.231.9.11", 14, "10.231.9.11 is already that of one"),
        ("10.231.9.12", "10.231.9.1", 14, "is already the gateway"),
        ("10.231.9.12", "10.231.8.12", 14, r"10.231.8.12 is not in 10.231.9.0/24"),
        ("10.231.9.12", "10.231.9.255", 14, "stands for the network itself"),
        ("10.231.9.12", "host.example", 14, "is not an IPv4 address"),
        ("ansible_user: root", "ansible_user: me", 3, "a lab host's user is root"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_line(
    old: str, new: str, line: int, said: str, tmp_path: Path
) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=said) as raised:
        spec(tmp_path, TEXT.replace(old, new))
    assert raised.value.line == line
    assert raised.value.file == tmp_path / "My Lab.yaml"


@pytest.mark.parametrize("name", ["ansible_ssh_private_key_file", "labctl_known_hosts"])
def test_files_that_a_lab_writes_must_be_named(name: str, tmp_path: Path) -> None:
    text = "".join(line for line in TEXT.splitlines(True) if name not in line)
    with pytest.raises(ConfigError, match=rf"{name}: is missing"):
        spec(tmp_path, text)


def test_hosts_that_disagree_are_refused(tmp_path: Path) -> None:
    text = TEXT + "      labctl_lab: {bridge: other, subnet: 10.231.9.0/24}\n"
    with pytest.raises(ConfigError, match=r"differs from that of one") as raised:
        spec(tmp_path, text)
    assert raised.value.line == 15


def test_an_inventory_without_a_lab_says_so(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("all: {hosts: {a: {ansible_host: 192.0.2.1}}}\n")
    with pytest.raises(ConfigError, match="no local lab") as raised:
        lab_spec(load_inventory(tmp_path / "real.yaml"))
    assert "labctl lab new" in (raised.value.hint or "")


def test_a_host_beside_the_lab_is_no_part_of_it(tmp_path: Path) -> None:
    body = textwrap.indent(TEXT.removeprefix("all:\n"), "    ")
    joined = f"all:\n  children:\n    lab:\n{body}  hosts:\n    real:\n      ansible_host: 192.0.2.1\n"
    assert [host.name for host in spec(tmp_path, joined).hosts] == ["one", "two"]


def test_a_name_that_is_no_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Two cannot be a lab host's name"):
        spec(tmp_path, TEXT.replace("two:", "Two:"))


VM = """\
all:
  vars:
    ansible_host: 127.0.0.1
    ansible_ssh_private_key_file: keys/id
    labctl_known_hosts: keys/known_hosts
    labctl_lab:
      provider: vm
      memory: 2048
      disk: 10G
  hosts:
    one: {ansible_port: 10231}
    two:
      ansible_port: 10232
"""


def test_virtual_machines_have_a_size_and_a_port_each(tmp_path: Path) -> None:
    lab = spec(tmp_path, VM)
    assert (lab.provider, lab.network, lab.size) == ("vm", None, MachineSize(2048, 2, 10))
    assert [host.where for host in lab.hosts] == ["127.0.0.1:10231", "127.0.0.1:10232"]
    assert spec(tmp_path, VM.replace("      provider: vm\n", "")).provider == "vm"
    assert spec(tmp_path, TEXT.replace("      provider: container\n", "")).provider == "container"


def test_the_projects_virtual_machine_is_described() -> None:
    lab = lab_spec(load_inventory(ROOT / "inventories/vm.yaml"))
    assert (lab.provider, lab.size) == ("vm", MachineSize(4096, 2, 20))


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("provider: vm", "provider: cloud", 7, "labctl_lab.provider: there is no provider 'cloud'"),
        ("memory: 2048", "bridge: labctl9", 8, "labctl_lab.bridge: is for the provider container"),
        ("memory: 2048", "memory: 100", 8, "at least 512"),
        ("memory: 2048", "memory: 4G", 8, "labctl_lab.memory: must be a whole number of MiB"),
        ("memory: 2048", "cpus: true", 8, "labctl_lab.cpus: must be a whole number"),
        ("disk: 10G", "disk: 10T", 9, "'10T' is not a number of gibibytes"),
        ("disk: 10G", "disk: 2G", 9, "labctl_lab.disk: must be at least 8G"),
        ("ansible_port: 10232", "ansible_port: 10231", 13, "10231 is already that of one"),
        ("ansible_port: 10232", "ansible_port: 22", 13, "must be a port of this machine from 1024 on"),
        ("127.0.0.1", "10.231.9.1", 3, "10.231.9.1 is not 127.0.0.1"),
    ],
)
def test_what_does_not_fit_a_virtual_machine_is_refused_at_its_line(
    old: str, new: str, line: int, said: str, tmp_path: Path
) -> None:
    assert old in VM
    with pytest.raises(ConfigError, match=said) as raised:
        spec(tmp_path, VM.replace(old, new))
    assert raised.value.line == line


def test_one_host_may_have_another_release(tmp_path: Path) -> None:
    lab = spec(tmp_path, TEXT.replace("    two:\n", "    two:\n      labctl_lab_release: bookworm\n"))
    assert [host.release for host in lab.hosts] == ["trixie", "bookworm"]
    with pytest.raises(
        ConfigError, match="labctl_lab_release: 12 is not a Debian release's code name"
    ) as caught:
        spec(tmp_path, TEXT.replace("    two:\n", "    two:\n      labctl_lab_release: 12\n"))
    assert caught.value.line == TEXT[: TEXT.index("    two:\n")].count("\n") + 2
