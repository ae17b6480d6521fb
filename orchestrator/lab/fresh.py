# SPDX-License-Identifier: Apache-2.0
"""A new inventory for a lab, with a bridge and a subnet, or with ports, that nothing here uses."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from textwrap import indent
from zlib import crc32

from orchestrator.lab.state import LABS
from orchestrator.lab.system import System, find_tool, json_of
from orchestrator.lab.vm import port_is_free
from orchestrator.model.artifact import LAB_RELEASE
from orchestrator.model.errors import LabError, UsageError

TEMPLATE = """\
# {count} on this machine. `labctl lab up{argument}` makes what this describes, `labctl lab down{argument}` removes it.
all:
  vars:
    ansible_user: root
    ansible_ssh_private_key_file: "{{{{ inventory_dir }}}}/{keys}/id_ed25519"
    labctl_known_hosts: "{{{{ inventory_dir }}}}/{keys}/known_hosts"
    ansible_ssh_common_args: "-o UserKnownHostsFile={{{{ labctl_known_hosts }}}} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    # All stand on one physical machine: they take turns, and count once.
    labctl_machine: this-machine
    labctl_lab:
{name}      provider: {provider}
      release: {release}
{settings}  hosts:
{hosts}"""
FIRST_PORT = 10231
MOST_HOSTS = 200
FIRST_NUMBERS = 90
"""Among so many numbers the search for a project's first lab begins."""


def free_number(used: Iterable[IPv4Network], links: Iterable[str], first: int = 2) -> int:
    """N so that 10.231.N.0/24 and the bridge labctlN are free; 1 is inventories/lab.yaml's. Raises LabError."""
    taken, names = list(used), set(links)
    for number in range(first, 255):
        subnet = IPv4Network(f"10.231.{number}.0/24")
        if f"labctl{number}" not in names and not any(subnet.overlaps(network) for network in taken):
            return number
    raise LabError("No subnet is free in 10.231.0.0/16.", "Write labctl_lab.subnet by hand.")


def networks_here(system: System) -> list[IPv4Network]:
    """IPv4 networks that this machine routes to."""
    routes = json_of(system.run("ip", "-j", "-4", "route", "show", "table", "main"), "ip -j route")
    return [IPv4Network(str(r["dst"]), strict=False) for r in routes if r.get("dst", "default") != "default"]


def links_here(system: System) -> list[str]:
    return [
        str(link["ifname"])
        for link in json_of(system.run("ip", "-j", "link"), "ip -j link")
        if "ifname" in link
    ]


def networks_described(folder: Path) -> list[IPv4Network]:
    """Those of the other inventories in ``folder``, whether they are up or not."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.y*ml"))]
    found = re.findall(r"^\s*subnet:\s*[\"']?([\d.]+/\d+)", "\n".join(texts), re.MULTILINE)
    return [IPv4Network(text, strict=False) for text in found]


def ports_described(folder: Path) -> set[int]:
    """Those of the other inventories in ``folder``, whether they are up or not."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.y*ml"))]
    return {int(text) for text in re.findall(r"ansible_port:\s*[\"']?(\d+)", "\n".join(texts))}


def free_ports(count: int, described: set[int], first: int = FIRST_PORT) -> int:
    """P so that P and the ports after it are free on loopback, ``count`` in all. Raises LabError."""
    for start in range(first, 32_768 - count, 10):
        wanted = range(start, start + count)
        if not described & set(wanted) and all(port_is_free("127.0.0.1", port) for port in wanted):
            return start
    raise LabError("No ports are free on this machine's loopback.", "Write ansible_port by hand.")


def inventory_text(
    path: Path,
    hosts: int,
    provider: str,
    number: int,
    keys: str | None = None,
    name: str | None = None,
    release: str = LAB_RELEASE,
) -> str:
    """The inventory for ``path``; ``keys`` is the folder of its keys, relative to the inventory's.

    ``name`` is the lab's, where it is not that of the file. ``number`` is that of the subnet (container), or the first port (vm).
    """
    if not 1 <= hosts <= MOST_HOSTS:
        raise UsageError(f"A lab has 1 to {MOST_HOSTS} hosts, not {hosts}.")
    forwarded = provider == "vm"
    settings = (
        "memory: 4096\ncpus: 2\ndisk: 20G\n"
        if forwarded
        else f"bridge: labctl{number}\nsubnet: 10.231.{number}.0/24\ngateway: 10.231.{number}.1\n"
    )
    where = [
        f"ansible_host: 127.0.0.1\n      ansible_port: {number + index}"
        if forwarded
        else f"ansible_host: 10.231.{number}.{11 + index}"
        for index in range(hosts)
    ]
    return TEMPLATE.format(
        count="One Debian host" if hosts == 1 else f"{hosts} Debian hosts",
        # The default inventory need not be named.
        argument=f" {path}" if name is None else "",
        name=f"      name: {name}\n" if name else "",
        keys=keys or f"../.labctl/lab/{path.stem}",
        provider=provider,
        release=release,
        settings=indent(settings, "      "),
        hosts="".join(
            f"    {name or path.stem}-{index}:\n      {each}\n" for index, each in enumerate(where, start=1)
        ),
    )


def write_new(path: Path, hosts: int, provider: str, system: System) -> int:
    """Write it where nothing is yet; give the number of its subnet, or its first port.

    Raises UsageError: the file is there, or misnamed.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,25}[a-z0-9])?", path.stem) or path.suffix not in (
        ".yaml",
        ".yml",
    ):
        raise UsageError(
            f"{path} cannot be a lab's inventory: it names the lab.",
            "Use lower-case letters, digits and hyphens, and end in .yaml.",
        )
    number = _free(path.parent, hosts, provider, system)
    _write(path, inventory_text(path, hosts, provider, number))
    return number


def write_first(path: Path, provider: str, system: System, labs: Path = LABS) -> str:
    """Write the first inventory of a project, of two hosts, and return its lab's name: no lab in ``labs`` has it.

    Every project has a file of this name, so the lab has a name of its own. Where the search for a free number begins
    depends on the path: two projects whose labs are not up yet differ too. Raises UsageError: the file is there;
    LabError: no subnet and no port is free.
    """
    number = _free(path.parent, 2, provider, system, crc32(os.fsencode(path.absolute())) % FIRST_NUMBERS)
    names = (f"lab{count}" for count in itertools.count(number))
    name = next(name for name in names if not (labs / name).exists())
    _write(path, inventory_text(path, 2, provider, number, name=name))
    return name


def _free(folder: Path, hosts: int, provider: str, system: System, skipped: int = 0) -> int:
    """A number for `inventory_text` that nothing here uses, and no other inventory in ``folder``.

    The search leaves the first ``skipped`` numbers out.
    """
    if provider == "vm":
        return free_ports(hosts, ports_described(folder), FIRST_PORT + 10 * skipped)
    # A machine that has no ip(8) yet has no lab, and `labctl lab up` looks for collisions again.
    here, links = (networks_here(system), links_here(system)) if find_tool("ip") else ([], [])
    return free_number([*here, *networks_described(folder)], links, 2 + skipped)


def _write(path: Path, text: str) -> None:
    """Raises UsageError: the file is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already, and is left as it is.", "Name another with --file."
        ) from None
