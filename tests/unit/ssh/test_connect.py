# SPDX-License-Identifier: Apache-2.0
"""Every way in which a connection can fail, for real; each is one sentence that says what to do next."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import (
    AddressNotFound,
    ChangedHostKey,
    ConfigError,
    ConnectionRefused,
    ConnectionTimeout,
    LabctlError,
    LoginRefused,
    UnknownHostKey,
    UnreachableError,
)
from orchestrator.ssh import connect
from orchestrator.ssh.dial import tuned_transport

PIPE = """
import os, pathlib, select, socket, sys
log, name, user, host, port = sys.argv[1:]
pathlib.Path(log).write_text(f"{name} {host} {user}")
near = socket.create_connection((host, int(port)))
while True:
    for ready in select.select([0, near], [], [])[0]:
        data = os.read(0, 65536) if ready == 0 else near.recv(65536)
        if not data:
            sys.exit()
        near.sendall(data) if ready == 0 else os.write(1, data)
"""
"""A ProxyCommand: bytes both ways, to the host and port that it is given."""


def refused(endpoint: Endpoint) -> LabctlError:
    with pytest.raises(LabctlError) as caught, connect(endpoint):
        pass
    assert "\n" not in str(caught.value)
    return caught.value


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does ``serve`` with each connection; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    serve(server.accept()[0])
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_key_that_is_right_lets_in(endpoint: Endpoint) -> None:
    with connect(endpoint) as connection:
        assert connection.alive
        assert connection.user == endpoint.user
    assert not connection.alive


def test_an_unknown_key_is_refused_with_its_fingerprint(endpoint: Endpoint, sshd_folder: Path) -> None:
    error = refused(replace(endpoint, known_hosts=sshd_folder / "none"))
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", sshd_folder / "host_key.pub"], capture_output=True, text=True, check=True
    )
    assert isinstance(error, UnknownHostKey)
    assert shown.stdout.split()[1] in error.message
    assert str(sshd_folder / "none") in error.message
    assert error.hint is not None
    assert f"ssh-keyscan -p {endpoint.port} 127.0.0.1" in error.hint


def test_without_a_file_of_the_inventory_the_users_own_counts(endpoint: Endpoint, sshd_folder: Path) -> None:
    own = Path.home() / ".ssh/known_hosts"
    alone = replace(endpoint, known_hosts=None)
    assert isinstance(refused(alone), UnknownHostKey)
    own.parent.mkdir()
    own.write_text((sshd_folder / "known_hosts").read_text())
    with connect(alone) as connection:
        assert connection.alive


@pytest.mark.parametrize("hashed", [False, True])
def test_a_changed_key_is_refused_with_file_and_line(
    endpoint: Endpoint, tmp_path: Path, hashed: bool
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    known = tmp_path / "known_hosts"
    known.write_text(f"# first\nelsewhere {other}\n[127.0.0.1]:{endpoint.port} {other}\n")
    if hashed:
        subprocess.run(["ssh-keygen", "-H", "-f", known], check=True, capture_output=True)
    error = refused(replace(endpoint, known_hosts=known))
    assert isinstance(error, ChangedHostKey)
    assert f"{known}:3" in error.message
    assert error.hint is not None
    assert "ssh-keygen -R" in error.hint


def test_a_torn_known_hosts_is_a_file_to_correct(endpoint: Endpoint, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{endpoint.port} ssh-ed25519 AAAA%%%\n")
    error = refused(replace(endpoint, known_hosts=known))
    assert isinstance(error, ConfigError | UnknownHostKey)
    assert str(known) in str(error)


def test_a_closed_port_is_refused(endpoint: Endpoint) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening
        error = refused(replace(endpoint, port=bound.getsockname()[1]))
    assert isinstance(error, ConnectionRefused)
    assert "127.0.0.1 port" in error.message


def test_a_server_that_never_answers_times_out(endpoint: Endpoint) -> None:
    kept: list[socket.socket] = []
    with listener(kept.append) as port:
        began = time.monotonic()
        error = refused(replace(endpoint, port=port, connect_timeout=0.4))
    assert isinstance(error, ConnectionTimeout)
    assert "within 0.4 s" in error.message
    assert time.monotonic() - began < 2


def test_a_server_that_falls_silent_after_its_banner_times_out(endpoint: Endpoint) -> None:
    kept: list[socket.socket] = []

    def greet(near: socket.socket) -> None:
        near.sendall(b"SSH-2.0-test\r\n")
        kept.append(near)

    with listener(greet) as port:
        assert isinstance(refused(replace(endpoint, port=port, connect_timeout=0.4)), ConnectionTimeout)


def test_what_is_no_ssh_server_is_said_to_be_none(endpoint: Endpoint) -> None:
    def answer(near: socket.socket) -> None:
        near.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 200)
        near.close()

    with listener(answer) as port:
        error = refused(replace(endpoint, port=port))
    assert isinstance(error, UnreachableError)
    assert "Does an SSH server listen there?" in str(error)


def test_a_server_that_hangs_up_at_once(endpoint: Endpoint) -> None:
    with listener(socket.socket.close) as port:
        assert isinstance(refused(replace(endpoint, port=port)), UnreachableError)


def test_a_name_that_does_not_resolve(endpoint: Endpoint) -> None:
    error = refused(replace(endpoint, address="no-such-host.invalid"))
    assert isinstance(error, AddressNotFound)
    assert "no-such-host.invalid" in error.message


def test_a_wrong_user_is_refused_by_name(endpoint: Endpoint) -> None:
    error = refused(replace(endpoint, user="nobody-here"))
    assert isinstance(error, LoginRefused)
    assert "does not let nobody-here in" in error.message


def test_a_wrong_key_is_refused(endpoint: Endpoint, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    error = refused(replace(endpoint, key_file=tmp_path / "other"))
    assert isinstance(error, LoginRefused)
    assert "authorized_keys" in str(error)


def test_without_any_key_the_login_is_refused(endpoint: Endpoint) -> None:
    assert isinstance(refused(replace(endpoint, key_file=None)), LoginRefused)


def test_a_key_with_a_passphrase_sends_to_the_agent(endpoint: Endpoint, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "locked"], check=True
    )
    error = refused(replace(endpoint, key_file=tmp_path / "locked"))
    assert isinstance(error, LoginRefused)
    assert "ssh-add" in str(error)


@pytest.mark.parametrize("content", [None, "", "not a key\n", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_a_key_file_that_is_none(endpoint: Endpoint, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    assert isinstance(refused(replace(endpoint, key_file=tmp_path / "key")), LoginRefused)


def test_a_password_is_tried_and_never_shown(endpoint: Endpoint) -> None:
    secret = replace(endpoint, key_file=None, password="hunter2")
    error = refused(secret)
    assert isinstance(error, LoginRefused)
    assert "hunter2" not in f"{error}{error!r}{secret!r}"


def test_the_ssh_config_of_the_user_counts(endpoint: Endpoint, sshd_folder: Path) -> None:
    """An alias, with user, port, key and known_hosts said there alone; and a jump host on the way."""
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    common = (
        f"  HostName 127.0.0.1\n  User {endpoint.user}\n  Port {endpoint.port}\n"
        f"  IdentityFile {endpoint.key_file}\n  UserKnownHostsFile {sshd_folder / 'known_hosts'}\n"
    )
    config.write_text(f"Host bench\n  ProxyJump bastion\n{common}Host bastion\n{common}")
    with connect(Endpoint(host="h1", address="bench", connect_timeout=5)) as connection:
        assert connection.run("echo $SSH_CLIENT").stdout.startswith("127.0.0.1")


def test_jump_hosts_are_passed_in_the_order_in_which_they_stand(
    endpoint: Endpoint, sshd_folder: Path
) -> None:
    """Only the first knows the way through a ProxyCommand: were it the last, the other one would be reached without it."""
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    log, pipe = config.parent / "log", config.parent / "pipe.py"
    pipe.write_text(PIPE)
    common = f"  User {endpoint.user}\n  IdentityFile {endpoint.key_file}\n  UserKnownHostsFile {sshd_folder / 'known_hosts'}\n"
    config.write_text(
        f"Host bench\n  ProxyJump first,second\n  HostName 127.0.0.1\n"
        f"Host first\n  HostName 127.0.0.1\n  HostKeyAlias [127.0.0.1]:{endpoint.port}\n"
        f"  ProxyCommand '{sys.executable}' {pipe} {log} %n %r %h %p\n"
        f"Host second\n  HostName localhost\n  HostKeyAlias [127.0.0.1]:{endpoint.port}\n"
        f"Host *\n  Port {endpoint.port}\n{common}"
    )
    with connect(Endpoint(host="h1", address="bench", connect_timeout=5)) as connection:
        assert connection.run("echo $SSH_CLIENT").stdout.startswith("127.0.0.1")
    assert log.read_text() == f"first 127.0.0.1 {endpoint.user}"


def test_a_host_key_alias_is_what_known_hosts_names(endpoint: Endpoint, tmp_path: Path) -> None:
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    config.write_text("Host 127.0.0.1\n  HostKeyAlias bench\n")
    known = tmp_path / "known"
    known.write_text(
        (endpoint.known_hosts or known).read_text().replace(f"[127.0.0.1]:{endpoint.port}", "bench")
    )
    with connect(replace(endpoint, known_hosts=known)) as connection:
        assert connection.alive
    error = refused(endpoint)
    assert isinstance(error, UnknownHostKey)
    assert "has no key for bench" in error.message


def test_an_included_file_counts(endpoint: Endpoint) -> None:
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    config.write_text("Include more/*.conf\n")
    (config.parent / "more").mkdir()
    (config.parent / "more/a.conf").write_text(f"Host bench\n  HostName 127.0.0.1\n  Port {endpoint.port}\n")
    with connect(replace(endpoint, address="bench", port=None)) as connection:
        assert connection.alive


def test_hosts_that_jump_through_each_other_are_a_circle(endpoint: Endpoint) -> None:
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    config.write_text("Host 127.0.0.1\n  ProxyJump b\nHost b\n  ProxyJump c\nHost c\n  ProxyJump b\n")
    error = refused(endpoint)
    assert isinstance(error, ConfigError)
    assert "more than 16 hosts" in error.message


def test_what_ssh_config_says_and_labctl_does_not_do_is_refused(endpoint: Endpoint) -> None:
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    config.write_text("Host *\n  BindAddress 127.0.0.2\n")
    error = refused(endpoint)
    assert isinstance(error, ConfigError)
    assert f"{config}:2: " in error.message


def test_a_jump_host_without_a_key_on_file_is_refused_too(endpoint: Endpoint, sshd_folder: Path) -> None:
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    common = f"  HostName 127.0.0.1\n  User {endpoint.user}\n  Port {endpoint.port}\n  IdentityFile {endpoint.key_file}\n"
    config.write_text(
        f"Host bench\n  ProxyJump bastion\n  UserKnownHostsFile {sshd_folder / 'known_hosts'}\n{common}Host bastion\n{common}"
    )
    error = refused(Endpoint(host="h1", address="bench", connect_timeout=5))
    assert isinstance(error, UnknownHostKey)


def test_a_wrong_ssh_config_is_named(endpoint: Endpoint) -> None:
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    config.write_text("Host *\n  Match\n  nonsense\n")
    error = refused(endpoint)
    assert isinstance(error, ConfigError)
    assert f"{config}:2: " in str(error)


def test_nothing_of_paramikos_log_reaches_the_terminal(endpoint: Endpoint) -> None:
    """A server that hangs up makes paramiko log an error with its traceback."""
    code = """
import orchestrator.ssh
from pathlib import Path, PosixPath
from orchestrator.model.endpoint import Endpoint
try:
    orchestrator.ssh.connect({endpoint!r})
except Exception as error:
    print(type(error).__name__)
"""
    with listener(socket.socket.close) as port:
        text = code.format(endpoint=replace(endpoint, port=port))
        done = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, timeout=30, check=True
        )
    assert (done.stdout.strip(), done.stderr) == ("UnreachableError", "")


def test_the_users_own_keys_are_tried_where_none_is_named(
    endpoint: Endpoint, sshd_folder: Path, tmp_path: Path
) -> None:
    own = Path.home() / ".ssh"
    own.mkdir()
    (own / "id_ed25519").write_bytes((sshd_folder / "key").read_bytes())
    (own / "id_ed25519").chmod(0o600)
    with connect(replace(endpoint, key_file=None)) as connection:
        assert connection.alive
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    assert isinstance(refused(replace(endpoint, key_file=tmp_path / "other")), LoginRefused)


def test_a_transport_is_made_for_many_small_turns() -> None:
    """Nagle's algorithm costs 45 ms a turn where it meets a delayed acknowledgement, which loopback does not show."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        transport = tuned_transport(near)
        assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 45_000
        assert transport.get_security_options().ciphers[0] == "aes128-gcm@openssh.com"
        near.close()


def test_what_failed_leaves_no_thread_that_would_delay_the_end(endpoint: Endpoint) -> None:
    kept: list[socket.socket] = []

    def greet(near: socket.socket) -> None:
        near.sendall(b"SSH-2.0-test\r\n")
        kept.append(near)

    before = set(threading.enumerate())
    refused(replace(endpoint, user="nobody-here"))
    with listener(greet) as port:
        refused(replace(endpoint, port=port, connect_timeout=0.3))
    deadline = time.monotonic() + 2
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set(threading.enumerate()) - before == set()


def test_the_package_is_cheap_to_import() -> None:
    code = "import sys, orchestrator.ssh; print([m for m in ('fabric', 'paramiko', 'invoke') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "[]\n"
