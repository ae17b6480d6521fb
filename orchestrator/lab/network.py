# SPDX-License-Identifier: Apache-2.0
"""The lab's network: a bridge with the gateway's address, masquerading, forwarding; and each host's own network namespace.

A host's namespace is a file in its folder (a bind mount, as unshare(1) makes it), with link, address and route set before the
host boots. The link's pair goes with the namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from orchestrator.lab.files import mounts_below
from orchestrator.lab.state import NetworkState
from orchestrator.lab.system import System, json_of
from orchestrator.model.errors import LabError
from orchestrator.model.lab import LabHost, LabNetwork, LabSpec

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
GUEST_LINK = "host0"
_OWN_INVENTORY = "Let `labctl init` write an inventory of a lab of its own in this folder"


def network_of(lab: LabSpec) -> LabNetwork:
    """The network that its hosts share. Raises LabError where it describes none."""
    if lab.network is None:
        raise LabError(f"{lab.inventory} describes no network: labctl_lab has no bridge and no subnet.")
    return lab.network


def table_of(lab: str) -> str:
    return f"labctl_{lab.replace('-', '_')}"


def masquerade_rules(network: NetworkState) -> str:
    """What nft(8) is to make: hosts reach what this machine reaches, by its address."""
    return (
        f"table ip {network.table} {{\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat; policy accept;\n"
        f'    ip saddr {network.subnet} oifname != "{network.bridge}" masquerade\n'
        "  }\n"
        "}\n"
    )


@dataclass(frozen=True, slots=True)
class Network:
    """What all hosts of a lab share, and the ends of their links."""

    system: System
    forward: Path = FORWARD

    # --- before anything is made

    def refuse_collisions(self, lab: LabSpec) -> None:
        """Raises LabError where the bridge's name or the subnet is somebody else's on this machine."""
        wanted = network_of(lab)
        if wanted.bridge in self._links():
            raise LabError(
                f"This machine already has a network interface {wanted.bridge}, which labctl did not make.",
                f"{_OWN_INVENTORY}, or choose another labctl_lab.bridge in {lab.inventory}.",
            )
        for link, network in self._networks():
            if network.overlaps(wanted.subnet) and network.prefixlen > 0:
                raise LabError(
                    f"The lab's subnet {wanted.subnet} overlaps {network}, which {link} of this machine uses.",
                    f"{_OWN_INVENTORY}, take down the lab that has it, or choose another labctl_lab.subnet in {lab.inventory}.",
                )

    def plan(self, lab: LabSpec, forward_before: str | None) -> NetworkState:
        """What is going to be made; ``forward_before`` is what another lab that is up has recorded."""
        before = forward_before or self.forward.read_text().strip()
        wanted = network_of(lab)
        return NetworkState(
            wanted.bridge, str(wanted.subnet), str(wanted.gateway), table_of(lab.name), before
        )

    # --- shared

    def ensure(self, network: NetworkState) -> bool:
        """Make what is not there; True where something was made."""
        run = self.system.run
        changed = False
        if network.bridge not in self._links():
            run("ip", "link", "add", network.bridge, "type", "bridge", "forward_delay", "0", "stp_state", "0")
            changed = True
        prefix = IPv4Network(network.subnet).prefixlen
        run("ip", "address", "replace", f"{network.gateway}/{prefix}", "dev", network.bridge)
        run("ip", "link", "set", network.bridge, "up")
        if run("nft", "list", "table", "ip", network.table, check=False).code != 0:
            run("nft", "-f", "-", stdin=masquerade_rules(network))
            changed = True
        if self.forward.read_text().strip() != "1":
            self.forward.write_text("1\n")
            changed = True
        return changed

    def remove(self, network: NetworkState, *, last: bool) -> None:
        """Remove links, bridge and table; ``last``: no other lab is up, so that forwarding is as it was found."""
        run = self.system.run
        if network.bridge in self._links():
            for link in self._links("master", network.bridge):
                run("ip", "link", "delete", link, check=False)
            run("ip", "link", "delete", network.bridge)
        if run("nft", "list", "table", "ip", network.table, check=False).code == 0:
            run("nft", "delete", "table", "ip", network.table)
        if last and self.forward.read_text().strip() != network.forward_before:
            self.forward.write_text(network.forward_before + "\n")

    def blocked(self, network: NetworkState) -> str | None:
        """One sentence where a firewall of this machine drops what it forwards, as Docker's does; else None."""
        done = self.system.run("nft", "-j", "list", "chains", check=False)
        if done.code != 0:
            return None
        for entry in json_of(done, "nft -j list chains").get("nftables", []):
            chain = entry.get("chain", {})
            if chain.get("hook") == "forward" and chain.get("policy") == "drop":
                where = f"{chain['family']} {chain['table']} {chain['name']}"
                return (
                    f"The firewall chain `{where}` drops forwarded packets, so hosts may not reach package mirrors. If so: "
                    f"nft insert rule {where} iifname {network.bridge} accept; "
                    f"nft insert rule {where} oifname {network.bridge} accept"
                )
        return None

    # --- a host's own

    def attach(self, namespace: Path, host: LabHost, lab: LabSpec) -> None:
        """Make the host's network namespace at the file ``namespace``, linked to the bridge; anew where it is half made."""
        run = self.system.run
        network, link = network_of(lab), link_name(lab, host)
        if self.attached(namespace):
            # The bridge may be another one than when the link was made.
            run("ip", "link", "set", link, "master", network.bridge, "up", check=False)
            return
        self.detach(namespace)
        namespace.parent.mkdir(parents=True, exist_ok=True)
        namespace.touch()
        run("unshare", f"--net={namespace}", "true")
        run("ip", "link", "delete", link, check=False)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", GUEST_LINK, "netns", str(namespace))
        run("ip", "link", "set", link, "master", network.bridge, "up")
        inside = ("nsenter", f"--net={namespace}", "ip")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "link", "set", GUEST_LINK, "up")
        run(*inside, "address", "replace", f"{host.address}/{network.subnet.prefixlen}", "dev", GUEST_LINK)
        run(*inside, "route", "replace", "default", "via", str(network.gateway))

    def attached(self, namespace: Path) -> bool:
        """Whether the namespace is there with the default route that is set last."""
        if namespace not in mounts_below(namespace):
            return False
        done = self.system.run("nsenter", f"--net={namespace}", "ip", "-j", "route", check=False)
        routes = json_of(done, "ip -j route") if done.code == 0 else []
        return any(route.get("dst") == "default" for route in routes)

    def detach(self, namespace: Path) -> None:
        """Take the namespace away; its link goes with it when its last process is gone."""
        for point in mounts_below(namespace):
            self.system.run("umount", "--lazy", "--", str(point))
        namespace.unlink(missing_ok=True)

    def _links(self, *selector: str) -> list[str]:
        done = self.system.run("ip", "-j", "link", "show", *selector)
        return [str(link["ifname"]) for link in json_of(done, "ip -j link show") if "ifname" in link]

    def _networks(self) -> list[tuple[str, IPv4Network]]:
        """IPv4 networks in use: those of the addresses and those that are routed."""
        found: list[tuple[str, IPv4Network]] = []
        for route in json_of(
            self.system.run("ip", "-j", "-4", "route", "show", "table", "all"), "ip -j route"
        ):
            destination = str(route.get("dst", "default"))
            if destination != "default" and route.get("type", "unicast") == "unicast":
                found.append((str(route.get("dev", "a route")), IPv4Network(destination, strict=False)))
        return found


def link_name(lab: LabSpec, host: LabHost) -> str:
    """The controller's end of a host's link, at most 15 characters: the lab's subnet is this machine's own, so this is too."""
    first = int(network_of(lab).subnet.network_address)
    number = int(host.address) - first
    return f"l{first:x}.{number:x}"
