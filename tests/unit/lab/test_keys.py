# SPDX-License-Identifier: Apache-2.0
"""known_hosts is written from knowledge, beside the lines of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.lab.keys import forget, host_pattern, make_key, public_key, remember
from orchestrator.lab.system import System
from orchestrator.model.errors import LabError


def test_lines_of_others_stay_and_ours_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("# mine\nexample.org ssh-ed25519 OTHER\n10.0.0.1 ssh-ed25519 OLD\n")
    assert remember(path, {"10.0.0.1": "ssh-ed25519 NEW", "[10.0.0.2]:2222": "ssh-ed25519 TWO"})
    assert path.read_text().splitlines() == [
        "# mine",
        "example.org ssh-ed25519 OTHER",
        "10.0.0.1 ssh-ed25519 NEW",
        "[10.0.0.2]:2222 ssh-ed25519 TWO",
    ]
    assert not remember(path, {"10.0.0.1": "ssh-ed25519 NEW", "[10.0.0.2]:2222": "ssh-ed25519 TWO"})
    forget(path, ["10.0.0.1", "[10.0.0.2]:2222"])
    assert path.read_text() == "# mine\nexample.org ssh-ed25519 OTHER\n"


def test_the_file_goes_with_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "lab/known_hosts"
    assert remember(path, {"10.0.0.1": "ssh-ed25519 A"})
    assert path.stat().st_mode & 0o777 == 0o600
    forget(path, ["10.0.0.1"])
    assert not path.exists()
    forget(path, ["10.0.0.1"])


@pytest.mark.parametrize(
    ("address", "port", "pattern"), [("10.0.0.1", 22, "10.0.0.1"), ("10.0.0.1", 2222, "[10.0.0.1]:2222")]
)
def test_a_port_of_its_own_is_in_the_pattern(address: str, port: int, pattern: str) -> None:
    assert host_pattern(address, port) == pattern


def test_a_key_is_made_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys/id"
    make_key(path, "a lab", System())
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["id", "id.pub"]
    assert path.stat().st_mode & 0o777 == 0o600
    kind, key = public_key(path, System()).split()
    assert kind == "ssh-ed25519"
    assert path.with_name("id.pub").read_text() == f"{kind} {key} a lab\n"


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("nothing")
    with pytest.raises(LabError, match="is not a private key"):
        public_key(tmp_path / "id", System())
