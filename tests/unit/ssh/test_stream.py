# SPDX-License-Identifier: Apache-2.0
"""Streams, one-off commands and sudo against a real sshd."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ConnectionLost, HostError, LoginRefused
from orchestrator.ssh import Connection, connect
from orchestrator.ssh.session import for_any_shell

MEGABYTES = 50


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[Connection]:
    with connect(endpoint) as opened:
        yield opened


def cut(connection: Connection) -> None:
    """Kill the server's process for this connection, as a crash or a reboot does."""
    os.kill(int(connection.run("echo $PPID").stdout), signal.SIGKILL)


def test_a_command_gives_output_errors_and_status(connection: Connection) -> None:
    done = connection.run("echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.exit_status) == ("out\n", "err", 3)


def test_a_command_reads_what_it_is_given(connection: Connection) -> None:
    assert connection.run("tr a-z A-Z", stdin=b"hello").stdout == "HELLO"


@pytest.mark.parametrize(
    "command", ["sleep 60", "while :; do echo x; sleep 0.05; done", "exec >&-; sleep 60"]
)
def test_a_command_that_does_not_end_in_time_is_a_failure(connection: Connection, command: str) -> None:
    began = time.monotonic()
    with pytest.raises(HostError, match=r"within|for 0"):
        connection.run(command, timeout=0.3)
    assert time.monotonic() - began < 2


def test_a_program_ended_by_a_signal_is_no_exit_status(connection: Connection) -> None:
    with pytest.raises(HostError, match="signal"):
        connection.run("kill -9 $$")


def test_turns_on_a_stream(connection: Connection) -> None:
    with connection.stream("cat") as stream:
        began = time.monotonic()
        for number in range(100):
            stream.stdin.write(b"%d\n" % number)
            assert stream.stdout.readline() == b"%d\n" % number
        assert time.monotonic() - began < 2
        stream.stdin.close()
        assert stream.stdout.read() == b""
        assert stream.wait(5) == 0


def test_many_megabytes_both_ways_at_once(connection: Connection) -> None:
    block = os.urandom(1024 * 1024)
    sent, got = hashlib.sha256(), hashlib.sha256()
    with connection.stream("cat") as stream:

        def send() -> None:
            for _ in range(MEGABYTES):
                stream.stdin.write(block)
                sent.update(block)
            stream.stdin.close()

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        size = 0
        while data := stream.stdout.read1(1 << 20):
            got.update(data)
            size += len(data)
        sender.join(10)
        assert stream.wait(5) == 0
    assert size == MEGABYTES << 20
    assert got.digest() == sent.digest()


def test_a_flood_of_errors_does_not_block_the_program(connection: Connection) -> None:
    with connection.stream("yes error | head -c 10000000 >&2; echo >&2; echo last >&2; echo done") as stream:
        assert stream.stdout.readline() == b"done\n"
        assert stream.wait(10) == 0
        assert stream.stderr_tail(1) == "last"
        assert 0 < len(stream.stderr_tail(10_000_000)) <= 64 * 1024


def test_a_program_that_reads_no_more(connection: Connection) -> None:
    with connection.stream("exit 0") as stream:
        assert stream.wait(5) == 0
        with pytest.raises(HostError, match="ended before it had read"):
            stream.stdin.write(b"x" * 10_000_000)


def test_a_silent_program_meets_its_deadline(connection: Connection) -> None:
    with (
        connection.stream("sleep 60", idle_timeout=0.2) as stream,
        pytest.raises(HostError, match=r"neither read nor said anything for 0\.2 s"),
    ):
        stream.stdout.readline()


def test_a_cut_connection_is_lost_for_who_reads(connection: Connection) -> None:
    with connection.stream("echo ready; sleep 60") as stream:
        assert stream.stdout.readline() == b"ready\n"
        cut(connection)
        with pytest.raises(ConnectionLost):
            stream.stdout.readline()
        with pytest.raises(ConnectionLost):
            stream.stdin.write(b"x")
        with pytest.raises(ConnectionLost):
            stream.wait(5)
    with pytest.raises(ConnectionLost):
        connection.run("true")
    assert not connection.alive


def test_a_host_that_freezes_is_lost_though_its_kernel_acknowledges(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.ssh.dial.KEEPALIVE_SECONDS", 0.2)
    with connect(endpoint) as connection, connection.stream("echo $PPID; sleep 60") as stream:
        server = int(stream.stdout.readline())
        os.kill(server, signal.SIGSTOP)
        try:
            with pytest.raises(ConnectionLost, match=r"broke: it has not answered for 1\.2 s\."):
                stream.stdout.readline()
        finally:
            os.kill(server, signal.SIGKILL)


def test_a_program_that_says_nothing_for_long_is_not_taken_for_a_dead_host(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.ssh.dial.KEEPALIVE_SECONDS", 0.1)
    with connect(endpoint) as connection:
        assert connection.run("sleep 2; echo done", timeout=10).stdout == "done\n"


def test_more_sessions_than_the_server_grants(connection: Connection) -> None:
    streams = []
    with pytest.raises(HostError, match="refuses another session") as caught:
        for _ in range(40):
            streams.append(connection.stream("sleep 60"))  # the streams must live on
    assert caught.value.hint is not None
    assert "MaxSessions" in caught.value.hint
    assert len(streams) == 12


def test_sudo_without_a_password(through_sudo: Callable[[str, str | None], Endpoint]) -> None:
    with connect(through_sudo("", None)) as connection:
        done = connection.run("echo 'it'\"'\"'s'; cat; echo err >&2", stdin=b"in")
    assert (done.stdout, done.stderr) == ("it's\nin", "err")


def test_sudo_with_a_password_that_never_stands_anywhere(
    through_sudo: Callable[[str, str | None], Endpoint],
) -> None:
    password = "hunter2 '\"$x"
    with connect(through_sudo(password, password)) as connection:
        seen = connection.run(
            "cat /proc/$PPID/cmdline; cat /proc/*/cmdline | tr '\\0' ' '; env; cat", stdin=b"end"
        )
    assert seen.stdout.endswith("end")
    assert "hunter2" not in seen.stdout + seen.stderr


def test_sudo_that_asks_for_no_password_gives_none_to_the_program(
    through_sudo: Callable[[str, str | None], Endpoint],
) -> None:
    with connect(through_sudo("", "unasked")) as connection:
        assert connection.run("cat", stdin=b"in").stdout == "in"


@pytest.mark.parametrize(
    ("gives", "words"), [(None, "a password is required"), ("wrong", "did not accept the password")]
)
def test_sudo_that_refuses_is_one_sentence(
    through_sudo: Callable[[str, str | None], Endpoint], gives: str | None, words: str
) -> None:
    with connect(through_sudo("right", gives)) as connection, pytest.raises(LoginRefused) as caught:
        connection.run("true")
    assert words in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint is not None
    assert "ansible_become_password" in caught.value.hint
    assert "wrong" not in str(caught.value)


def test_a_wrong_sudo_password_is_given_once(
    through_sudo: Callable[[str, str | None], Endpoint], sshd_folder: Path
) -> None:
    """Some machines lock a user after three."""
    given = sshd_folder / "bin/given"
    given.unlink(missing_ok=True)
    with connect(through_sudo("right", "wrong")) as connection, pytest.raises(LoginRefused):
        connection.run("true")
    assert given.read_text() == "given\n"


def test_without_sudo_on_the_host_it_is_said(endpoint: Endpoint, sshd_folder: Path) -> None:
    (sshd_folder / "bin/sudo").rename(sshd_folder / "bin/hidden")
    try:
        with (
            connect(replace(endpoint, become=True, become_user="another")) as connection,
            pytest.raises(LoginRefused, match="not found"),
        ):
            connection.run("true")
    finally:
        (sshd_folder / "bin/hidden").rename(sshd_folder / "bin/sudo")


def test_who_is_already_the_user_needs_no_sudo(endpoint: Endpoint) -> None:
    assert endpoint.user is not None
    with connect(
        replace(endpoint, become=True, become_user=endpoint.user, become_password="x")
    ) as connection:
        assert connection.run("cat", stdin=b"in").stdout == "in"


@pytest.mark.parametrize(
    "text", ["plain", 'it\'s "quoted"', "two\nlines", "hash! $HOME `id` \\n %s \\", "ü\n!", "a\n"]
)
def test_every_login_shell_is_given_the_same_words(text: str) -> None:
    said = subprocess.run(
        ["sh", "-c", f"exec {for_any_shell(f'printf %s {shlex.quote(text)}')}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == text
    # Within its quotes nothing stands that csh takes for its own.
    assert "\n" not in for_any_shell(text)
    assert "!" not in for_any_shell(text)


def test_standard_input_is_the_commands(connection: Connection) -> None:
    assert connection.run('read a\nread b; echo "$b$a"', stdin=b"1\n2\n").stdout == "21\n"
