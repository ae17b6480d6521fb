# SPDX-License-Identifier: Apache-2.0
"""Two controllers' hosts of one name: told apart by what they recorded of themselves, and never pooled where they are two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.pipeline.report import report, result_folder
from orchestrator.results.identity import Identity, Likeness, likeness, read_identities
from orchestrator.results.store import RunFolder
from tests.fixtures.synthetic import LIFECYCLE, Wanted, write_run

BLOCKS = {LIFECYCLE: 6}
AMD, ARM = ("Fast", "8", "x86_64"), ("Small", "4", "aarch64")


def boot(*ids: str, **more: Any) -> Identity:
    return Identity(frozenset(ids), **more)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (boot("a", "b"), boot("b", "c"), Likeness.SAME),
        (boot("a", hardware="x"), boot("b", hardware="x"), Likeness.SAME),
        (boot("a", hardware="x", installation="i"), boot("b", hardware="x", installation="j"), Likeness.SAME),
        (
            boot("a", hardware="x", installation="i"),
            boot("b", hardware="y", installation="i"),
            Likeness.OTHER,
        ),
        (boot("a", installation="i"), boot("b", installation="i"), Likeness.SAME),
        (boot("a", installation="i"), boot("b", installation="j"), Likeness.OTHER),
        (boot("a", installation="i", traits=AMD), boot("b", installation="i", traits=ARM), Likeness.OTHER),
        (boot("a", traits=AMD), boot("b", traits=ARM), Likeness.OTHER),
        (boot("a", traits=AMD), boot("b", traits=AMD), Likeness.UNKNOWN),
        (boot("a", installation="i", traits=AMD), boot("b", traits=AMD), Likeness.UNKNOWN),
        (boot("a"), boot("b", traits=AMD), Likeness.UNKNOWN),
        (boot(), boot(), Likeness.UNKNOWN),
    ],
)
def test_likeness(one: Identity, other: Identity, wanted: Likeness) -> None:
    assert likeness(one, other) is likeness(other, one) is wanted


def controller(root: Path, run: str, hosts: Mapping[str, tuple[str, dict[str, Any]]], seed: int = 1) -> Path:
    """A run whose hosts (name: machine, what it records of itself) have these facts."""
    named = tuple((name, machine) for name, (machine, _) in hosts.items())
    folder = write_run(root, Wanted(hosts=named, blocks=BLOCKS, id=run, seed=seed))
    for name, (_, facts) in hosts.items():
        path = RunFolder(folder).journal(name)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record in records:
            if record["type"] == "fingerprint":
                for group, values in facts.items():
                    record["facts"].setdefault(group, {}).update(values)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def machine(
    boot_id: str, installation: str | None = None, hardware: str | None = None, kind: str = "none"
) -> Any:
    return {
        "kernel": {"boot_id": boot_id},
        "identity": {"installation": installation, "hardware": hardware},
        "virtualisation": {"kind": kind},
    }


def joined(*folders: Path) -> tuple[dict[str, str], list[int], list[str]]:
    """Hosts with their machines, the pairs that each of them has, and the notices of the join."""
    told = report(*folders)
    pairs = [p.pairs for p in told.estimates.pairs if p.metric == "CreateAndRun"]
    about = [notice.message for notice in told.estimates.notices if notice.host is None]
    return {host.name: host.machine for host in told.spec.hosts}, pairs, about


def test_hosts_of_one_name_that_are_two_machines_stay_two(tmp_path: Path) -> None:
    first = controller(tmp_path, "run-1", {"node1": ("node1", machine("b1", "i1", "x1"))})
    second = controller(tmp_path, "run-2", {"node1": ("node1", machine("b2", "i2", "x2"))})
    again = controller(tmp_path, "run-3", {"node1": ("node1", machine("b3", "i1", "x1"))})
    hosts, pairs, notices = joined(second, first, again)
    one, other = hosts
    assert one.startswith("node1 (") and other.startswith("node1 (") and one != other
    assert hosts == {one: one, other: other}, "each is a machine of its own"
    assert pairs == [12, 6]
    assert notices[0] == (
        "Hosts of the name node1 are not one machine, by what they recorded of themselves: "
        f"{one} in run-1, run-3; {other} in run-2."
    )


def test_one_machine_that_was_started_again_is_one(tmp_path: Path) -> None:
    first = controller(tmp_path, "run-1", {"node1": ("node1", machine("b1", "i1", "x1"))})
    second = controller(tmp_path, "run-2", {"node1": ("node1", machine("b2", "i1", "x1"))})
    assert joined(first, second)[:2] == ({"node1": "node1"}, [12])


def test_where_nothing_tells_hosts_of_one_name_are_one_and_that_is_said(tmp_path: Path) -> None:
    first = controller(tmp_path, "run-1", {"node1": ("node1", machine("b1"))})
    second = controller(tmp_path, "run-2", {"node1": ("node1", machine("b2"))})
    hosts, pairs, notices = joined(first, second)
    assert (hosts, pairs) == ({"node1": "node1"}, [12])
    assert notices[0].startswith(
        "Nothing that was recorded tells whether node1 of run run-2 is the node1 of run run-1"
    )


def test_two_controllers_local_labs_stand_on_two_machines(tmp_path: Path) -> None:
    """Both call their hosts and their machine alike, and the containers have their machine's hardware."""
    labs = [
        controller(
            tmp_path,
            f"run-{x}",
            {
                name: ("this-machine", machine(f"b{x}", f"{name}{x}", x, "systemd-nspawn"))
                for name in ("a", "b")
            },
        )
        for x in ("x", "y")
    ]
    hosts, pairs, _ = joined(*labs)
    assert len(hosts) == 4
    assert len(set(hosts.values())) == 2
    assert all(label.startswith("this-machine ") for label in hosts.values())
    assert pairs == [6, 6, 6, 6]


def test_a_lab_that_was_made_anew_on_its_machine_is_the_same(tmp_path: Path) -> None:
    facts = [machine("b1", f"i{n}", kind="systemd-nspawn") for n in (1, 2)]
    labs = [controller(tmp_path, f"run-{n}", {"a": ("this-machine", facts[n])}) for n in (0, 1)]
    assert joined(*labs)[:2] == ({"a": "this-machine"}, [12])


def test_virtual_machines_that_are_others_claim_no_second_machine(tmp_path: Path) -> None:
    """A virtual machine that was made anew has hardware of its own; what it stands on may well be the same."""
    labs = [
        controller(tmp_path, f"run-{n}", {"vm": ("big", machine(f"b{n}", f"i{n}", f"x{n}", "kvm"))})
        for n in (1, 2)
    ]
    hosts, pairs, _ = joined(*labs)
    assert (len(hosts), set(hosts.values()), pairs) == (2, {"big"}, [6, 6])


def test_one_machine_under_two_names_counts_once(tmp_path: Path) -> None:
    first = controller(tmp_path, "run-1", {"node1": ("node1", machine("b1", "i1", "x1"))})
    second = controller(tmp_path, "run-2", {"bench": ("bench", machine("b2", "i1", "x1"))})
    hosts, pairs, notices = joined(first, second)
    assert hosts == {"node1": "node1", "bench": "node1"}
    assert pairs == [6, 6]
    assert "The machine bench of bench is node1 of node1, by what they recorded of themselves." in notices


def test_machines_that_one_inventory_declares_stay_declared(tmp_path: Path) -> None:
    hosts = {"a": ("one", machine("b1", "i1", "x")), "b": ("two", machine("b1", "i2", "x"))}
    folders = [controller(tmp_path, f"run-{n}", hosts) for n in (1, 2)]
    assert joined(*folders)[:2] == ({"a": "one", "b": "two"}, [12, 12])


def test_what_was_joined_by_other_rules_is_joined_anew(tmp_path: Path) -> None:
    folders = [
        controller(tmp_path, f"run-{n}", {"node1": ("node1", machine(f"b{n}", f"i{n}"))}) for n in (1, 2)
    ]
    folder = result_folder(folders)
    spec = json.loads((folder / "run.json").read_text())
    estimates = json.loads((folder / "estimates.json").read_text())
    (folder / "run.json").write_text(json.dumps({**spec, "hosts": spec["hosts"][:1]}))
    sources = {**estimates["sources"], "run.json": _sum(folder / "run.json")}
    (folder / "estimates.json").write_text(json.dumps({**estimates, "sources": sources}))
    assert len(joined(*folders)[0]) == 2


def _sum(path: Path) -> str:
    from orchestrator.files import sha256_of

    return sha256_of(path)


def test_the_journal_tells_who_it_was(tmp_path: Path) -> None:
    folder = controller(tmp_path, "run-1", {"node1": ("node1", machine("b1", "i1", "x1", "lxc"))})
    run = RunFolder(folder)
    path = run.journal("node1")
    path.write_text(path.read_text() + '{"v":1,"type":"fingerprint","when":"af')  # torn
    found = read_identities(folder, run.read_spec())["node1"]
    assert (found.boots, found.installation, found.hardware, found.container) == (
        frozenset({"b1"}),
        "i1",
        "x1",
        True,
    )
    path.unlink()
    assert read_identities(folder, run.read_spec()) == {}
