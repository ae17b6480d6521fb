# SPDX-License-Identifier: Apache-2.0
"""Ranges and patterns: `ansible PATTERN --list-hosts` of ansible-core 2.19 gave the same hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.hostpattern import expand_hosts, select_hosts, split_port
from orchestrator.model.errors import UsageError
from orchestrator.model.inventory import Group, Host, Inventory

NAMES = ("web01", "web02", "web03", "db1", "lone.example")


@pytest.fixture
def inventory() -> Inventory:
    groups = {
        "all": Group("all", (), ("ungrouped", "web", "db", "both")),
        "ungrouped": Group("ungrouped", ("lone.example",)),
        "web": Group("web", ("web01", "web02", "web03")),
        "db": Group("db", ("db1",)),
        "both": Group("both", ("web02",), ("db",)),
    }
    return Inventory(Path("hosts.yml"), tuple(Host(name, (), {}) for name in NAMES), groups)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web", ["web"]),
        ("web[01:03]", ["web01", "web02", "web03"]),
        ("web[:2]", ["web0", "web1", "web2"]),
        ("w[a:c]x", ["wax", "wbx", "wcx"]),
        ("w[1:9:4]", ["w1", "w5", "w9"]),
        ("r[1:2]n[a:b]", ["r1na", "r1nb", "r2na", "r2nb"]),
        ("w[8:11]", ["w8", "w9", "w10", "w11"]),
    ],
)
def test_ranges(text: str, names: list[str]) -> None:
    assert list(expand_hosts(text)) == names


@pytest.mark.parametrize(
    "text", ["w[3:1]", "w[1:]", "w[01:100]", "w[a:3]", "w[1:9:0]", "w[0:99999]", "w[0:999]x[0:999]"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        expand_hosts(text)


def test_a_port_behind_a_name_is_split_off() -> None:
    assert split_port("web[1:2]:2222") == ("web[1:2]", 2222)
    assert split_port("[2001:db8::1]:22") == ("2001:db8::1", 22)
    assert split_port("web[1:2]") == ("web[1:2]", None)
    assert split_port("2001:db8::1") == ("2001:db8::1", None)


@pytest.mark.parametrize(
    ("limit", "names"),
    [
        (None, NAMES),
        ("all", NAMES),
        ("*", NAMES),
        ("web", ("web01", "web02", "web03")),
        ("db1,web01", ("web01", "db1")),
        ("both", ("web02", "db1")),
        ("web:&both", ("web02",)),
        ("web:!both", ("web01", "web03")),
        ("!web", ("db1", "lone.example")),
        ("web,!web02", ("web01", "web03")),
        ("all:&both:!db", ("web02",)),
        ("web0[!1]", ("web02", "web03")),
        ("web0?", ("web01", "web02", "web03")),
        ("*.example", ("lone.example",)),
        ("~web0[13]", ("web01", "web03")),
        ("web[0]", ("web01",)),
        ("web[-1]", ("web03",)),
        ("web[1:]", ("web02", "web03")),
        ("web[0:1]", ("web01", "web02")),
        ("web[0-1]", ("web01", "web02")),
        (" web01 , db1 ", ("web01", "db1")),
    ],
)
def test_patterns(inventory: Inventory, limit: str | None, names: tuple[str, ...]) -> None:
    assert tuple(host.name for host in select_hosts(inventory, limit)) == names


def test_a_name_that_is_not_there_is_refused_with_what_is(inventory: Inventory) -> None:
    with pytest.raises(UsageError) as caught:
        select_hosts(inventory, "wbe01")
    assert "'wbe01'" in caught.value.message
    assert caught.value.hint is not None
    assert "Did you mean 'web01'?" in caught.value.hint
    assert "Groups: web, db, both." in caught.value.hint


@pytest.mark.parametrize("limit", ["web:&db", "web01:!web", "", " , ", "web[7]", "~("])
def test_a_limit_that_leaves_nothing_is_refused(inventory: Inventory, limit: str) -> None:
    with pytest.raises(UsageError) as caught:
        select_hosts(inventory, limit)
    assert caught.value.hint


def test_an_inventory_without_hosts_is_said_to_have_none() -> None:
    with pytest.raises(UsageError, match="has no hosts"):
        select_hosts(Inventory(Path("hosts.yml"), (), {}), None)


def test_a_play_may_leave_out_a_group_that_an_inventory_lacks_and_a_limit_may_not(
    inventory: Inventory,
) -> None:
    assert select_hosts(inventory, "all:!builders", of_play=True) == inventory.hosts
    assert [host.name for host in select_hosts(inventory, "db:!web", of_play=True)] == ["db1"]
    with pytest.raises(UsageError, match="'builders'"):
        select_hosts(inventory, "all:!builders")


def test_an_ipv6_address_is_one_name_and_not_a_list_of_them() -> None:
    addresses = ("2001:db8::1", "::1")
    inventory = Inventory(
        Path("hosts.yml"),
        tuple(Host(name, (), {}) for name in addresses),
        {"all": Group("all", addresses)},
    )
    assert [host.name for host in select_hosts(inventory, "2001:db8::1")] == ["2001:db8::1"]
    assert [host.name for host in select_hosts(inventory, "all,!::1")] == ["2001:db8::1"]
