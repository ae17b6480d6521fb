# SPDX-License-Identifier: Apache-2.0
"""`labctl_lab` and the connection variables of an inventory -> LabSpec, strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from orchestrator.load.inventory import endpoint_of
from orchestrator.model.artifact import LAB_RELEASE
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host, Inventory
from orchestrator.model.lab import LabHost, LabNetwork, LabSpec, MachineSize

VARIABLE = "labctl_lab"
RELEASE_VARIABLE = "labctl_lab_release"
"""Of a host that has another Debian release than the rest of its lab."""
A_RELEASE = "a Debian release's code name, such as trixie"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,26}[a-z0-9])?")
_BRIDGE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,14}")
_RELEASE = re.compile(r"[a-z]+")
_DISK = re.compile(r"([1-9][0-9]{0,4})G")
_COMMON = ("name", "provider", "release", "mirror", "packages")
_OF_PROVIDER: Mapping[str, tuple[str, ...]] = {
    "container": ("bridge", "subnet", "gateway"),
    "vm": ("memory", "cpus", "disk"),
}
"""Keys that mean something to one provider only."""
_KNOWN = (*_COMMON, *(key for keys in _OF_PROVIDER.values() for key in keys))
LEAST_MEMORY, LEAST_DISK = 512, 8
"""Of a virtual machine, in MiB and GiB: what Debian boots with, and what the root file system is made with."""


def lab_spec(inventory: Inventory) -> LabSpec:
    """The lab that ``inventory`` describes: its hosts that have `labctl_lab`.

    Raises ConfigError, with the place of the variable: no such host, an unknown key or one of another provider, a value
    that does not fit, two hosts at one address, an address outside the subnet, hosts that disagree.
    """
    hosts = [host for host in inventory.hosts if VARIABLE in host.vars]
    if not hosts:
        raise ConfigError(
            f"no host has the variable {VARIABLE}, so there is no local lab to make.",
            file=inventory.path,
            hint="`labctl lab new` writes an inventory that has it; real machines need no lab.",
        )
    reader = _Reader(inventory, hosts[0], hosts[0].vars[VARIABLE])
    for host in hosts[1:]:
        if host.vars[VARIABLE] != reader.settings:
            raise _Reader(inventory, host, None).error(
                None, f"differs from that of {hosts[0].name}: an inventory describes one lab."
            )
    provider = reader.provider()
    network = reader.network() if provider == "container" else None
    return LabSpec(
        name=reader.name(),
        inventory=inventory.path,
        hosts=_bridged(inventory, hosts, network) if network else _forwarded(inventory, hosts),
        provider=provider,
        network=network,
        size=reader.size(),
        release=_lab_release(reader),
        mirror=reader.text("mirror"),
        packages=reader.packages(),
    )


def _bridged(inventory: Inventory, hosts: Sequence[Host], network: LabNetwork) -> tuple[LabHost, ...]:
    """Hosts with an address each in the lab's network."""
    found: list[LabHost] = []
    subnet = network.subnet
    taken = {network.gateway: "the gateway"}
    for host in hosts:
        reader = _Reader(inventory, host, None)
        lab_host = _host(inventory, host, reader)
        if lab_host.address not in subnet:
            raise reader.error(None, f"{lab_host.address} is not in {subnet}.", variable="ansible_host")
        if lab_host.address in (subnet.network_address, subnet.broadcast_address):
            raise reader.error(
                None, f"{lab_host.address} stands for the network itself.", variable="ansible_host"
            )
        if lab_host.address in taken:
            raise reader.error(
                None, f"{lab_host.address} is already {taken[lab_host.address]}.", variable="ansible_host"
            )
        taken[lab_host.address] = f"that of {host.name}"
        found.append(lab_host)
    return tuple(found)


def _forwarded(inventory: Inventory, hosts: Sequence[Host]) -> tuple[LabHost, ...]:
    """Hosts on this machine's loopback, at a port each that is forwarded to their SSH server."""
    found: list[LabHost] = []
    taken: dict[int, str] = {}
    for host in hosts:
        reader = _Reader(inventory, host, None)
        lab_host = _host(inventory, host, reader)
        if not lab_host.address.is_loopback:
            raise reader.error(
                None,
                f"{lab_host.address} is not 127.0.0.1: a virtual machine answers at a port of this machine's loopback.",
                variable="ansible_host",
            )
        if lab_host.port < 1024:
            raise reader.error(
                None,
                "must be a port of this machine from 1024 on, which is forwarded to the host's SSH server.",
                variable="ansible_port",
            )
        if lab_host.port in taken:
            raise reader.error(
                None, f"{lab_host.port} is already that of {taken[lab_host.port]}.", variable="ansible_port"
            )
        taken[lab_host.port] = host.name
        found.append(lab_host)
    return tuple(found)


def _host(inventory: Inventory, host: Host, reader: _Reader) -> LabHost:
    endpoint = endpoint_of(host, inventory)
    if not _LABEL.fullmatch(host.name):
        raise ConfigError(
            f"{host.name} cannot be a lab host's name: lower-case letters, digits and hyphens, at most 28.",
            file=host.file or inventory.path,
            key=host.name,
        )
    try:
        address = IPv4Address(endpoint.address)
    except ValueError:
        raise reader.error(
            None, f"'{endpoint.address}' is not an IPv4 address.", variable="ansible_host"
        ) from None
    if endpoint.key_file is None:
        raise reader.error(
            None, "is missing: a lab host is made with a key.", variable="ansible_ssh_private_key_file"
        )
    if endpoint.known_hosts is None:
        raise reader.error(
            None, "is missing: a lab writes its hosts' keys there.", variable="labctl_known_hosts"
        )
    if endpoint.user not in (None, "root"):
        raise reader.error(None, "a lab host's user is root.", variable="ansible_user")
    release = _release(inventory, host)
    port = endpoint.port or 22
    return LabHost(host.name, address, port, "root", endpoint.key_file, endpoint.known_hosts, release)


def _release(inventory: Inventory, host: Host) -> str:
    """The host's own release, else the lab's."""
    value = host.vars.get(RELEASE_VARIABLE)
    if value is None:
        return _lab_release(_Reader(inventory, host, host.vars[VARIABLE]))
    if isinstance(value, str) and _RELEASE.fullmatch(value):
        return value
    raise _Reader(inventory, host, None).error(
        None, f"{value!r} is not {A_RELEASE}.", variable=RELEASE_VARIABLE
    )


def _lab_release(reader: _Reader) -> str:
    return reader.matching("release", _RELEASE, A_RELEASE, LAB_RELEASE)


@dataclass(frozen=True, slots=True)
class _Reader:
    """`labctl_lab` of one host, key by key."""

    inventory: Inventory
    host: Host
    raw: Any

    @property
    def settings(self) -> dict[str, Any]:
        if not isinstance(self.raw, dict):
            raise self.error(None, "must be a mapping.", hint=f"Its keys: {', '.join(_KNOWN)}.")
        for key in self.raw:
            if key not in _KNOWN:
                raise self.error(
                    str(key), "is not a key that is known here.", hint=f"Known: {', '.join(_KNOWN)}."
                )
        return self.raw

    def provider(self) -> str:
        """`provider`; where it is left out, it follows from whether a network is described."""
        bridged = any(key in self.settings for key in _OF_PROVIDER["container"])
        provider = self.text("provider") or ("container" if bridged else "vm")
        if provider not in _OF_PROVIDER:
            raise self.error(
                "provider",
                f"there is no provider '{provider}'.",
                hint=f"There is: {', '.join(_OF_PROVIDER)}.",
            )
        for other, keys in _OF_PROVIDER.items():
            if other != provider and (alien := [key for key in keys if key in self.settings]):
                raise self.error(alien[0], f"is for the provider {other}, and this lab's is {provider}.")
        return provider

    def network(self) -> LabNetwork:
        subnet = self.subnet()
        gateway = self.gateway(subnet)
        what = "an interface's name: a letter, then at most 14 more"
        return LabNetwork(self.matching("bridge", _BRIDGE, what), subnet, gateway)

    def size(self) -> MachineSize:
        size = MachineSize()
        disk = self.matching("disk", _DISK, "a number of gibibytes, such as 20G", f"{size.disk}G")
        gibibytes = int(disk.removesuffix("G"))
        if gibibytes < LEAST_DISK:
            raise self.error("disk", f"must be at least {LEAST_DISK}G.")
        memory = self.number("memory", size.memory, LEAST_MEMORY, "MiB")
        return MachineSize(memory, self.number("cpus", size.cpus, 1, "processors"), gibibytes)

    def number(self, key: str, default: int, least: int, unit: str) -> int:
        value = self.settings.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        raise self.error(key, f"must be a whole number of {unit}, at least {least}.")

    def text(self, key: str, default: str | None = None) -> str | None:
        value = self.settings.get(key, default)
        if value is None or (isinstance(value, str) and value):
            return value
        raise self.error(key, "must be a text.")

    def matching(self, key: str, pattern: re.Pattern[str], what: str, default: str | None = None) -> str:
        value = self.text(key, default)
        if value is None:
            raise self.error(key, f"is missing: {what}.")
        if not pattern.fullmatch(value):
            raise self.error(key, f"'{value}' is not {what}.")
        return value

    def name(self) -> str:
        """`name`, else the file's stem."""
        stem = re.sub(r"[^a-z0-9]+", "-", self.inventory.path.stem.lower()).strip("-")[:28].strip("-")
        what = "a lab's name: lower-case letters, digits and hyphens, at most 28"
        return self.matching("name", _LABEL, what, stem or "lab")

    def subnet(self) -> IPv4Network:
        text = self.text("subnet")
        if text is None:
            raise self.error(
                "subnet", "is missing: a private network of the lab's own, such as 10.231.7.0/24."
            )
        try:
            subnet = IPv4Network(text)
        except ValueError as error:
            raise self.error("subnet", f"'{text}' is not an IPv4 network: {error}.") from None
        if not subnet.is_private or subnet.prefixlen > 29:
            raise self.error(
                "subnet", f"{subnet} must be private, and have room for hosts (a prefix up to 29)."
            )
        return subnet

    def gateway(self, subnet: IPv4Network) -> IPv4Address:
        text = self.text("gateway", str(subnet.network_address + 1))
        try:
            gateway = IPv4Address(text or "")
        except ValueError:
            raise self.error("gateway", f"'{text}' is not an IPv4 address.") from None
        if gateway not in subnet or gateway in (subnet.network_address, subnet.broadcast_address):
            raise self.error("gateway", f"{gateway} is not an address in {subnet}.")
        return gateway

    def packages(self) -> tuple[str, ...]:
        value = self.settings.get("packages") or []
        good = re.compile(r"[a-z0-9][a-z0-9+.-]+")
        if isinstance(value, list) and all(isinstance(item, str) and good.fullmatch(item) for item in value):
            return tuple(value)
        raise self.error("packages", "must be a list of Debian packages' names.")

    def error(
        self, key: str | None, message: str, *, variable: str = VARIABLE, hint: str | None = None
    ) -> ConfigError:
        """At the line of the key where it stands in the file as written, else at the variable's, else at the file."""
        name = f"{self.host.name}.{variable}" + (f".{key}" if key else "")
        origin = self.host.origins.get(variable)
        if origin is None:
            return ConfigError(message, file=self.host.file or self.inventory.path, key=name, hint=hint)
        line, column = _place(origin.file, origin.line, key) or (origin.line, origin.column)
        return ConfigError(message, file=origin.file, line=line, column=column, key=name, hint=hint)


def _place(file: Path, line: int, key: str | None) -> tuple[int, int] | None:
    """Where ``key`` stands below the variable that begins at ``line`` of ``file``; None where it does not."""
    from orchestrator.load.document import load_document

    if key is None:
        return None
    places = [
        place
        for path, place in load_document(file).key_places.items()
        if path[-2:] == (VARIABLE, key) and place.line >= line
    ]
    first = min(places, key=lambda place: place.line, default=None)
    return (first.line, first.column) if first else None
