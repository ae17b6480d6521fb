# SPDX-License-Identifier: Apache-2.0
"""A real sshd on loopback with its own host keys and users' keys; nobody's own SSH configuration is ever read."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.model.endpoint import Endpoint

CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
MaxSessions 12
SetEnv PATH={folder}/bin:{folder}/system SHLVL=2
"""
# SHLVL keeps bash, where it is the login shell, from reading the user's own .bashrc.

SUDO = """\
#!/bin/sh
# A sudo for tests: password as FAKE_SUDO (in a file beside it) says, or none.
here=$(dirname "$0"); want=$(cat "$here/password"); mode=n; prompt=
while [ $# -gt 0 ]; do case "$1" in
  -n) mode=n;; -S) mode=s;; -H) ;; -p) prompt=$2; shift;; -u) shift;; --) shift; break;; esac; shift; done
if [ -n "$want" ]; then
  [ $mode = s ] || { echo "sudo: a password is required" >&2; exit 1; }
  for try in 1 2 3; do
    printf %s "$prompt" >&2
    read -r given || { echo >&2; echo "sudo: no password was provided" >&2; exit 1; }
    echo given >> "$here/given"
    [ "$given" = "$want" ] && break
    [ $try = 3 ] && exit 1
    echo "Sorry, try again." >&2
  done
fi
exec "$@"
"""


def link_system_programs(folder: Path) -> None:
    """What /usr/bin and /bin have, but no sudo: the only sudo on the PATH of the host is the test's, or none."""
    folder.mkdir()
    programs = {path.name: path for place in ("/bin", "/usr/bin") for path in Path(place).iterdir()}
    for name, path in programs.items():
        if name != "sudo":
            (folder / name).symlink_to(path)


@dataclass(frozen=True, slots=True)
class Server:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(
            host="h1",
            address="127.0.0.1",
            port=self.port,
            user=getpass.getuser(),
            key_file=self.folder / "key",
            known_hosts=self.folder / "known_hosts",
            connect_timeout=5.0,
        )

    def sudo(self, wants: str, gives: str | None) -> Endpoint:
        (self.folder / "bin/password").write_text(wants)
        return replace(self.endpoint, become=True, become_user="another", become_password=gives)


def keygen(path: Path, kind: str = "ed25519") -> str:
    """Make a key pair; returns the public half as known_hosts and authorized_keys want it."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "test", "-f", path], check=True, timeout=30
    )
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def no_own_ssh_configuration(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("sshd")
    port = free_port()
    host_key = keygen(folder / "host_key")
    (folder / "authorized_keys").write_text(keygen(folder / "key") + "\n")
    (folder / "known_hosts").write_text(f"# a comment\n[127.0.0.1]:{port} {host_key}\n")
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    link_system_programs(folder / "system")
    (folder / "bin").mkdir()
    (folder / "bin/sudo").write_text(SUDO)
    (folder / "bin/sudo").chmod(0o755)
    with start_sshd(folder, port) as process:
        yield Server(folder, port, process)


@contextmanager
def start_sshd(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """By the configuration in ``folder``, until the block is left."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert sshd, "the SSH tests need sshd (Debian: openssh-server)"
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sshd, "-f", folder / "config", "-D", "-e"], stderr=log)
        try:
            wait_for(port, process, folder / "log")
            yield process
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def endpoint(server: Server) -> Endpoint:
    """Of the test's sshd, with everything right."""
    return server.endpoint


@pytest.fixture
def sshd_folder(server: Server) -> Path:
    return server.folder


@pytest.fixture
def through_sudo(server: Server) -> Callable[[str, str | None], Endpoint]:
    """An endpoint that becomes another user: what sudo wants as password ("" for none), and what it is given."""
    return server.sudo


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"sshd does not listen: {log.read_text()}")
