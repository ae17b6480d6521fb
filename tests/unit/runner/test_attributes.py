# SPDX-License-Identifier: Apache-2.0
"""Modes in Ansible's notations, and owners."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from remote_agent.runner.attributes import Attributes, parse_mode
from remote_agent.runner.context import ModuleFailure


@pytest.mark.parametrize(
    ("mode", "bits"), [("0644", 0o644), ("644", 0o644), ("02750", 0o2750), (0o600, 0o600)]
)
def test_octal_text_and_numbers(mode: str | int, bits: int) -> None:
    assert parse_mode(mode, 0o777, directory=False) == bits


@pytest.mark.parametrize("directory", [False, True])
@pytest.mark.parametrize("before", [0o644, 0o750, 0o4711, 0o1777])
@pytest.mark.parametrize(
    "mode",
    ["u=rwX,go=rX", "a+x", "go-w", "u+s,g+s", "o=", "g=u", "+t", "u=rw,g=r,o=", "ug-x,o+r", "+x", "a-x,u+X"],
)
def test_symbolic_modes_are_chmod_s(tmp_path: Path, mode: str, before: int, directory: bool) -> None:
    path = tmp_path / "x"
    path.mkdir() if directory else path.touch()
    path.chmod(before)
    subprocess.run(["chmod", mode, str(path)], check=True)
    assert oct(parse_mode(mode, before, directory)) == oct(path.stat().st_mode & 0o7777)


@pytest.mark.parametrize("mode", ["rwx", "u=q", "", "0999", "u~w"])
def test_what_is_no_mode_is_refused(mode: str) -> None:
    with pytest.raises(ModuleFailure, match="neither octal nor symbolic"):
        parse_mode(mode, 0o644, directory=False)


def test_apply_changes_once_and_check_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch(0o644)
    wanted = Attributes("0600", str(os.getuid()), str(os.getgid()))
    assert wanted.apply(path, check=True)
    assert path.stat().st_mode & 0o777 == 0o644
    assert wanted.apply(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not wanted.apply(path)


def test_an_unknown_owner_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModuleFailure, match="no user 'nobody-such'"):
        Attributes(owner="nobody-such").apply(tmp_path)
    assert Attributes(owner="nobody-such").apply(tmp_path, check=True), "a step before may make the user"
