# SPDX-License-Identifier: Apache-2.0
"""`--limit PATTERN` means the hosts that `ansible all -l PATTERN --list-hosts` lists; where labctl is stricter, it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.inventory import load_inventory, select_hosts
from orchestrator.model.errors import UsageError
from tests.peers.inventory.sides import Answer, Case, ansible, labctl

INVENTORY = Case("patterns").inventory

PATTERNS = (
    *("all", "*", "web", "web01", "db2.example", "staging", "ungrouped", "with-dash"),
    *("web,db", "web:db", "web01,db1", "web01:db1", " web01 , db1 ", "web,web01", "all,web"),
    *(
        "web:&staging",
        "web,&staging",
        "web:!staging",
        "web,!staging",
        "all:!web",
        "!web",
        "&web",
        "&web:!staging",
    ),
    *("web:db:&staging:!web03", "!web03:web", "web,!web01,!web02", "web:&staging:web01"),
    *(
        "web0*",
        "web0?",
        "*.example",
        "w*",
        "*b*",
        "web0[!1]",
        "web[0-1]",
        "web[!0]*",
        "st*_db",
        "*:!*.example",
    ),
    *("~web0[13]", "~(web|db)", "~.*\\.example$", "~web.*:!web01", "~^db", "~db[0-9]+$", "~st.*_w"),
    *("web[0]", "web[-1]", "web[-2]", "web[1]", "web[0:1]", "web[1:]", "web[0:0]", "web[1:99]", "staging[0]"),
    *(
        "all[0]",
        "all[-1]",
        "all[2:4]",
        "w*[0]",
        "web[0]:db[0]",
        "web,!web[0]",
        "web:!web[0:1]",
        "ungrouped[1]",
    ),
    *("2001:db8::1", "192.0.2.7", "192.0.2.*", "2001:db8::1,web01", "all,!2001:db8::1"),
)

REFUSED = {
    "web,nosuch": "is named by 'nosuch'",
    "web:!nosuch": "is named by 'nosuch'",
    "web:&staging:!wbe01": "is named by 'wbe01'",
}
"""Ansible warns of what names nothing, and goes on with the rest; labctl does not. With words of the sentence that it says."""

NEITHER = {
    "nosuch": "is named by 'nosuch'",
    "empty": "is named by 'empty'",
    "web:&db": "leaves no host",
    "web01:!web": "leaves no host",
    "web[7]": "leaves no host",
    "web0[1-3]": "is named by 'web0[1-3]'",
    "web01:22": "is named by '22'",
    "localhost": "is named by 'localhost'",
    "~(": "is not a regular expression",
    "@nosuch": "is named by '@nosuch'",
}
"""What neither takes."""

Commands = list[list[str | Path]]


@pytest.fixture(scope="module")
def answers(ansible_folder: Path) -> dict[str, Answer]:
    patterns = [*PATTERNS, *REFUSED, *NEITHER]
    commands: Commands = [["ansible", "all", "-i", INVENTORY, "--list-hosts", "-l", it] for it in patterns]
    return dict(zip(patterns, ansible(commands, ansible_folder), strict=True))


@pytest.fixture(scope="module")
def listed(ansible_folder: Path) -> dict[str, Answer]:
    """Of each pattern, what ansible-inventory lists."""
    commands: Commands = [["ansible-inventory", "-i", INVENTORY, "--list", "-l", it] for it in PATTERNS]
    return dict(zip(PATTERNS, ansible(commands, ansible_folder), strict=True))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_the_same_hosts(pattern: str, answers: dict[str, Answer]) -> None:
    theirs = answers[pattern]
    assert theirs.status == 0, theirs.err
    chosen = select_hosts(load_inventory(INVENTORY), pattern)
    assert sorted(host.name for host in chosen) == sorted(theirs.out.split()[2:])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_limited_listing_is_the_same(pattern: str, listed: dict[str, Answer]) -> None:
    assert labctl(INVENTORY, "--json", "--limit", pattern) == listed[pattern].out


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_slip_of_the_hand_is_refused_where_ansible_goes_on(
    pattern: str, answers: dict[str, Answer]
) -> None:
    assert answers[pattern].status == 0
    assert REFUSED[pattern] in refusal(pattern)


@pytest.mark.parametrize("pattern", NEITHER)
def test_what_leaves_no_host_is_an_error_of_both(pattern: str, answers: dict[str, Answer]) -> None:
    assert answers[pattern].status != 0
    assert NEITHER[pattern] in refusal(pattern)


def refusal(pattern: str) -> str:
    with pytest.raises(UsageError) as caught:
        select_hosts(load_inventory(INVENTORY), pattern)
    return caught.value.message
