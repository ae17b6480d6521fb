# SPDX-License-Identifier: Apache-2.0
"""A login shell that prints (a talkative .bashrc, a message of the day) changes nothing of what a program on the host says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import run
from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import HostError
from orchestrator.ssh import connect
from tests.unit.ssh.conftest import CONFIG, SUDO, Server, free_port, keygen, link_system_programs, start_sshd
from tests.unit.ssh.test_ping import inventory_of

SHELL = """\
#!/bin/sh
cat {folder}/noise
cat {folder}/noise >&2
[ ! -e {folder}/closed ] || exit 1
eval "$SSH_ORIGINAL_COMMAND"
"""
NOISES = {
    "a line": "Welcome to web1\n",
    "many lines": "Welcome\n\n  *** Debian GNU/Linux 7 ***\nroot\n",
    "a torn line": "Welcome\ntorn",
    "what is no text": "\udcff\udcfe\x1b[31m",
    "much": "x" * 200_000 + "\n",
    "nothing": "",
}


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that starts every program through a shell that prints the file ``noise``."""
    folder = tmp_path_factory.mktemp("talkative")
    port = free_port()
    host_key = keygen(folder / "host_key")
    (folder / "authorized_keys").write_text(keygen(folder / "key") + "\n")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "shell").write_text(SHELL.format(folder=folder))
    (folder / "shell").chmod(0o755)
    link_system_programs(folder / "system")
    (folder / "bin").mkdir()
    (folder / "bin/sudo").write_text(SUDO)
    (folder / "bin/sudo").chmod(0o755)
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder) + f"ForceCommand {folder}/shell\n")
    with start_sshd(folder, port) as process:
        yield Server(folder, port, process)


@pytest.fixture(params=NOISES)
def noisy(talkative: Server, request: pytest.FixtureRequest) -> Server:
    (talkative.folder / "noise").write_bytes(NOISES[request.param].encode("utf-8", "surrogateescape"))
    return talkative


def rows(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    status = run(["ping", str(path), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_the_columns_of_ping_are_right(
    noisy: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = inventory_of(tmp_path, noisy.endpoint, h={})
    status, (row,) = rows(path, capsys)
    assert (status, row["user"]) == (0, noisy.endpoint.user)
    assert row["system"] in Path("/etc/os-release").read_text()
    assert run(["ping", str(path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(f" ms  {noisy.endpoint.user}  {row['system']}")


@pytest.mark.parametrize("become", [False, True])
def test_a_programs_output_is_its_own(noisy: Server, become: bool) -> None:
    endpoint: Endpoint = noisy.sudo("secret", "secret") if become else noisy.endpoint
    with connect(endpoint) as connection:
        done = connection.run("tr a-z A-Z; exit 3", stdin=b"hello\n")
        assert (done.stdout, done.exit_status) == ("HELLO\n", 3)
        assert connection.run("true").stdout == ""
        with connection.stream("cat") as stream:
            stream.stdin.write(b"\xff" * 100_000)
            stream.stdin.close()
            assert stream.stdout.read() == b"\xff" * 100_000


def test_a_shell_that_starts_no_program_is_quoted(
    talkative: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (talkative.folder / "noise").write_text("This account is currently not available.\n")
    (talkative.folder / "closed").touch()
    try:
        status, (row,) = rows(inventory_of(tmp_path, talkative.endpoint, h={}), capsys)
        assert (status, row["ok"], row["system"]) == (1, False, None)
        assert "runs no command" in row["error"]
        assert row["hint"] == "This account is currently not available."
    finally:
        (talkative.folder / "closed").unlink()


def test_a_shell_that_prints_without_end_is_an_error(talkative: Server) -> None:
    (talkative.folder / "noise").write_text("y\n" * 1_000_000)
    with (
        connect(replace(talkative.endpoint, connect_timeout=20)) as connection,
        pytest.raises(HostError, match="prints more than"),
    ):
        connection.run("true")
