# SPDX-License-Identifier: Apache-2.0
"""What `labctl doctor` shows fits a terminal of 80 columns and says each thing once."""

from __future__ import annotations

import click

from orchestrator.cli.doctor import lines
from orchestrator.provision.doctor import Combination, Component, Diagnosis

LONG = "a reason that is so long that no terminal of eighty columns has it in one line, whatever happens"


def diagnosis(**why: str | None) -> Diagnosis:
    combinations = tuple(
        Combination(cri, oci, why.get(f"{cri}_{oci}", why.get(cri, why.get("all"))))
        for cri in ("containerd", "crio")
        for oci in ("runc", "crun", "runsc")
    )
    components = (
        Component("runc", "1.5.1", "1.5.2", "runc 1.5.1 is installed; provision would install 1.5.2."),
        Component("crun", None, "1.21-1", "crun is not installed."),
    )
    return Diagnosis("Debian 13.8", combinations, {"cgroup": "v2"}, (), components, ("Be quiet.",))


def shown(found: Diagnosis) -> str:
    return click.unstyle("\n".join(lines("h1", found)))


def test_it_fits_80_columns() -> None:
    text = shown(diagnosis(containerd_runsc=LONG, crio=LONG.replace("a reason", "another")))
    assert max(len(line) for line in text.splitlines()) < 80


def test_yes_and_no_stand_in_words_below_their_runtimes() -> None:
    rows = [
        line
        for line in shown(diagnosis(crio_runsc="x.")).splitlines()
        if line.startswith("      ") or "✓" in line
    ]
    assert rows == [
        "               runc    crun    runsc",
        "  containerd   ✓ yes   ✓ yes   ✓ yes",
        "  crio         ✓ yes   ✓ yes   ✗ no",
    ]


def test_many_handlers_with_long_names_stand_in_several_tables() -> None:
    names = [f"runc-1.{number}-of-my-own" for number in range(9)]
    combinations = tuple(
        Combination(cri, oci, "x." if oci == names[8] else None)
        for cri in ("containerd", "crio")
        for oci in names
    )
    text = shown(Diagnosis("Debian 13.8", combinations, {}, (), (), ()))
    assert max(len(line) for line in text.splitlines()) < 80
    assert [word for line in text.splitlines() for word in line.split() if word.startswith("runc-1")] == names
    assert text.count("✓ yes") == 16 and text.count("✗ no") == 2


def test_a_reason_is_said_once() -> None:
    assert "✗ everything: no." in shown(diagnosis(all="no."))
    assert "✗ crio: no." in shown(diagnosis(crio="no."))
    text = shown(diagnosis(crio="no.", containerd_crun="no."))
    assert "✗ crio, containerd/crun: no." in text


def test_what_is_installed_and_what_would_come() -> None:
    text = shown(diagnosis())
    assert "installed    runc 1.5.1; provision would add crun 1.21-1" in text
    assert "→ runc 1.5.1 is installed; provision would install 1.5.2." in text
    assert "! Be quiet." in text
