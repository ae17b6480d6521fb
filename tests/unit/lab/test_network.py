# SPDX-License-Identifier: Apache-2.0
"""The network: what is asked of ip and nft, what is refused, and forwarding as it was found."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab.network import Network, link_name, masquerade_rules, table_of
from orchestrator.lab.system import System
from orchestrator.model.errors import LabError
from orchestrator.model.lab import LabHost, LabNetwork, LabSpec


def spec(subnet: str = "10.231.9.0/24") -> LabSpec:
    network = IPv4Network(subnet)
    host = LabHost("a", network[11], 22, "root", Path("/k"), Path("/h"))
    return LabSpec(
        "my-lab", Path("lab.yaml"), (host,), "container", LabNetwork("labctl9", network, network[1])
    )


@pytest.fixture
def network(system: System, tmp_path: Path) -> Network:
    (tmp_path / "ip_forward").write_text("0\n")
    return Network(system, tmp_path / "ip_forward")


def test_it_is_made_and_the_second_time_left_alone(network: Network, executor: Any) -> None:
    executor.when("ip -j link show", "[]")
    executor.when("nft list table", code=1)
    planned = network.plan(spec(), None)
    assert planned.forward_before == "0"
    assert network.ensure(planned)
    lines = [" ".join(argv) for argv in executor.ran]
    assert "ip link add labctl9 type bridge forward_delay 0 stp_state 0" in lines
    assert "ip address replace 10.231.9.1/24 dev labctl9" in lines
    assert executor.inputs["nft -f -"] == masquerade_rules(planned)
    assert network.forward.read_text() == "1\n"

    executor.ran.clear()
    executor.when("ip -j link show", json.dumps([{"ifname": "labctl9"}]))
    executor.when("nft list table")
    assert not network.ensure(planned)
    assert not any(argv[:3] == ["ip", "link", "add"] or argv[:2] == ["nft", "-f"] for argv in executor.ran)


def test_masquerading_is_for_what_leaves_the_bridge(network: Network) -> None:
    rules = masquerade_rules(network.plan(spec(), None))
    assert "table ip labctl_my_lab {" in rules
    assert 'ip saddr 10.231.9.0/24 oifname != "labctl9" masquerade' in rules


@pytest.mark.parametrize(("last", "after"), [(True, "0\n"), (False, "1\n")])
def test_forwarding_is_restored_by_the_last_lab(
    last: bool, after: str, network: Network, executor: Any
) -> None:
    executor.when("ip -j link show", "[]")
    planned = network.plan(spec(), None)
    network.ensure(planned)
    assert network.plan(spec(), "0").forward_before == "0", "a second lab remembers what the first found"
    executor.when("ip -j link show", json.dumps([{"ifname": "labctl9"}]))
    executor.when("ip -j link show master", json.dumps([{"ifname": "lx"}, {}]))
    network.remove(planned, last=last)
    lines = [" ".join(argv) for argv in executor.ran]
    assert {"ip link delete lx", "ip link delete labctl9", "nft delete table ip labctl_my_lab"} <= set(lines)
    assert network.forward.read_text() == after


def test_what_is_gone_is_not_removed_again(network: Network, executor: Any) -> None:
    executor.when("ip -j link show", "[]")
    executor.when("nft list table", code=1)
    network.remove(network.plan(spec(), None), last=True)
    assert not any("delete" in argv for argv in executor.ran)


def test_a_bridge_or_subnet_of_somebody_else_is_refused(network: Network, executor: Any) -> None:
    routes = [{"dst": "default", "dev": "eth0"}, {"dst": "10.231.0.0/16", "dev": "vpn0"}]
    executor.when("ip -j link show", "[]")
    executor.when("ip -j -4 route", json.dumps(routes))
    with pytest.raises(LabError, match=r"overlaps 10\.231\.0\.0/16, which vpn0"):
        network.refuse_collisions(spec())
    network.refuse_collisions(spec("10.232.9.0/24"))
    executor.when("ip -j link show", json.dumps([{"ifname": "labctl9"}]))
    with pytest.raises(LabError, match="already has a network interface labctl9"):
        network.refuse_collisions(spec("10.232.9.0/24"))


def test_a_firewall_that_drops_is_named_with_its_remedy(network: Network, executor: Any) -> None:
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}
    planned = network.plan(spec(), None)
    executor.when("nft -j list chains", json.dumps({"nftables": [{"chain": {**chain, "policy": "accept"}}]}))
    assert network.blocked(planned) is None
    executor.when("nft -j list chains", json.dumps({"nftables": [{"metainfo": {}}, {"chain": chain}]}))
    assert "nft insert rule ip filter FORWARD iifname labctl9 accept" in (network.blocked(planned) or "")


@pytest.mark.parametrize("subnet", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "10.231.255.248/29"])
def test_link_names_fit_the_kernel(subnet: str) -> None:
    lab = spec("10.231.9.0/24")
    network = IPv4Network(subnet)
    last = LabHost("z", IPv4Address(int(network.broadcast_address) - 1), 22, "root", Path("/k"), Path("/h"))
    from dataclasses import replace

    assert len(link_name(replace(lab, network=LabNetwork("labctl9", network, network[1])), last)) <= 15
    assert table_of("a-b") == "labctl_a_b"
