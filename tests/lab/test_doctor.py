# SPDX-License-Identifier: Apache-2.0
"""`labctl doctor` on real hosts: it says what they are, and tells one that cannot be reached from one that cannot run."""

from __future__ import annotations

import json
from pathlib import Path

import click
from click.testing import CliRunner

from orchestrator.cli.doctor import doctor
from tests.lab.conftest import LabOfTests


def test_bare_hosts_can_run_everything_that_could_be_built(lab: LabOfTests, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        doctor,
        [str(lab.inventory), "--json", "--artifacts", str(tmp_path / "none.yaml")],
        standalone_mode=False,
    )
    assert result.return_value == 0, result.output
    hosts = json.loads(result.output)
    assert len(hosts) == 2
    for host in hosts.values():
        assert {(one["cri"], one["oci"]) for one in host["combinations"] if one["why"] is None} == {
            (cri, oci) for cri in ("containerd", "crio") for oci in ("runc", "crun", "runsc")
        }
        assert any("Nothing has been built" in text for text in host["advice"])


def test_it_fits_a_terminal(lab: LabOfTests, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        doctor, [str(lab.inventory), "--artifacts", str(tmp_path / "none.yaml")], standalone_mode=False
    )
    assert max(len(line) for line in click.unstyle(result.output).splitlines()) < 80


def test_a_host_that_is_not_there_is_exit_code_3(lab: LabOfTests, tmp_path: Path) -> None:
    lines = lab.inventory.read_text().splitlines()
    last = next(line for line in reversed(lines) if "ansible_host:" in line)
    away = tmp_path / "away.yaml"
    text = lab.inventory.read_text().replace(last.strip(), "ansible_host: 127.0.0.1\n      ansible_port: 1")
    away.write_text(text.replace("{{ inventory_dir }}", str(lab.inventory.parent)))
    result = CliRunner().invoke(doctor, [str(away), "--json"], standalone_mode=False)
    assert result.return_value == 3, result.output
