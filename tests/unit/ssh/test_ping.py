# SPDX-License-Identifier: Apache-2.0
"""`labctl ping` against a real sshd: a line a host, an exit code, nothing else."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.main import run
from orchestrator.model.endpoint import Endpoint


def inventory_of(folder: Path, endpoint: Endpoint, **hosts: dict[str, Any]) -> Path:
    common = {
        "ansible_host": endpoint.address,
        "ansible_port": endpoint.port,
        "ansible_user": endpoint.user,
        "ansible_ssh_private_key_file": str(endpoint.key_file),
        "labctl_known_hosts": str(endpoint.known_hosts),
        "ansible_timeout": 3,
    }
    path = folder / "hosts.yaml"
    path.write_text(yaml.safe_dump({"all": {"vars": common, "hosts": hosts}}, sort_keys=False))
    return path


@pytest.fixture
def closed_port() -> Any:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_hosts_that_answer(endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = inventory_of(tmp_path, endpoint, a={}, longer={})
    assert run(["ping", str(path)]) == 0
    lines = sorted(capsys.readouterr().out.splitlines())
    assert [line.split()[:2] for line in lines] == [["a", "ok"], ["longer", "ok"]]
    assert all(f" ms  {endpoint.user}  " in line for line in lines)


def test_who_does_not_answer_has_one_sentence_and_the_others_go_on(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str], closed_port: int
) -> None:
    hosts: dict[str, dict[str, Any]] = {
        "up": {},
        "down": {"ansible_port": closed_port},
        "stranger": {"ansible_user": "nobody-here"},
    }
    path = inventory_of(tmp_path, endpoint, **hosts)
    assert run(["ping", "--inventory", str(path), "--forks", "1"]) == 3
    captured = capsys.readouterr()
    up, down, stranger = captured.out.splitlines()
    assert up.split()[:2] == ["up", "ok"]
    assert down.startswith(f"down      failed  127.0.0.1 port {closed_port} refuses connections.")
    assert "does not let nobody-here in" in stranger
    assert captured.err == ""


def test_json_has_every_host_in_the_inventorys_order(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str], closed_port: int
) -> None:
    path = inventory_of(tmp_path, endpoint, z={"ansible_port": closed_port}, a={})
    assert run(["ping", str(path), "--json"]) == 3
    rows = json.loads(capsys.readouterr().out)
    assert [(row["host"], row["ok"]) for row in rows] == [("z", False), ("a", True)]
    assert rows[0]["error"].startswith("z: ")
    assert rows[0]["round_trip_ms"] is None
    assert 0 < rows[1]["round_trip_ms"] < 1000


def test_a_limit_leaves_the_others_alone(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str], closed_port: int
) -> None:
    path = inventory_of(tmp_path, endpoint, up={}, down={"ansible_port": closed_port})
    assert run(["ping", str(path), "--limit", "!down"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["--limit", "nosuch"], ["--forks", "0"], ["--inventory", "other.yaml"]]
)
def test_what_was_typed_wrong_is_a_usage_error(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(["ping", str(inventory_of(tmp_path, endpoint, a={})), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err


def test_the_environment_names_the_inventory_where_nothing_else_does(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["ping"]) == 3, "the lab that comes with labctl, which is not up from here"
    said = capsys.readouterr().out
    assert f"no key file {tmp_path}/.labctl/lab/lab/id_ed25519" in said
    assert "`labctl lab up`" in said
    monkeypatch.setenv("LABCTL_INVENTORY", str(inventory_of(tmp_path, endpoint, a={})))
    assert run(["ping"]) == 0


def test_a_wrong_connection_variable_fails_its_host_alone(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = inventory_of(tmp_path, endpoint, odd={"ansible_connection": "docker"}, up={})
    assert run(["ping", str(path)]) == 2
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert f"{path}:" in lines["odd"]
    assert "'docker' is not supported" in lines["odd"]
    assert " ok " in lines["up"]
