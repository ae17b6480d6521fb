# SPDX-License-Identifier: Apache-2.0
"""The relay: a Unix socket here, programs there, and nothing left of it."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ConnectionLost, HostError
from orchestrator.ssh import Connection, connect
from orchestrator.ssh.private import sweep
from orchestrator.ssh.relay import Relay


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[Connection]:
    with connect(endpoint) as opened:
        yield opened


def dial(relay: Relay) -> socket.socket:
    near = socket.socket(socket.AF_UNIX)
    near.settimeout(10)
    near.connect(str(relay.path))
    return near


def read_all(near: socket.socket) -> bytes:
    said = bytearray()
    while data := near.recv(1 << 16):
        said += data
    return bytes(said)


def wait_until(condition: object, seconds: float = 3) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


def test_what_goes_in_comes_back_and_each_end_may_close_first(connection: Connection) -> None:
    with connection.relay("cat") as relay, dial(relay) as near:
        near.sendall(b"one")
        assert near.recv(10) == b"one"
        near.sendall(b"two")
        near.shutdown(socket.SHUT_WR)  # half-closed: the answer still comes
        assert read_all(near) == b"two"


def test_a_program_may_end_first(connection: Connection) -> None:
    with connection.relay("echo bye") as relay, dial(relay) as near:
        assert read_all(near) == b"bye\n"
        assert relay.failure is None


def test_megabytes_go_through(connection: Connection) -> None:
    block = os.urandom(1 << 20)
    with connection.relay("cat") as relay, dial(relay) as near:

        def send() -> None:
            for _ in range(10):
                near.sendall(block)
            near.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        assert read_all(near) == block * 10


def test_connections_have_a_program_each(connection: Connection) -> None:
    with connection.relay("echo $$; cat") as relay, dial(relay) as first, dial(relay) as second:
        assert first.recv(100) != second.recv(100)


def test_only_the_owner_can_reach_the_socket(connection: Connection) -> None:
    with connection.relay("cat") as relay:
        assert stat.S_IMODE(relay.path.parent.stat().st_mode) == 0o700


def test_outside_nothing_is_left(connection: Connection) -> None:
    before = set(threading.enumerate())
    with connection.relay("cat") as relay:
        near = dial(relay)
        near.sendall(b"x")
        assert near.recv(1) == b"x"
        began = time.monotonic()
    assert time.monotonic() - began < 1.5
    assert not relay.path.parent.exists()
    assert read_all(near) == b""
    near.close()
    assert wait_until(lambda: set(threading.enumerate()) <= before)
    assert connection.run("echo alive").stdout == "alive\n"


def test_a_program_that_fails_says_why(connection: Connection) -> None:
    with connection.relay("echo no agent here >&2; exit 4") as relay:
        with dial(relay) as near:
            assert read_all(near) == b""
        assert wait_until(lambda: relay.failure is not None)
        assert isinstance(relay.failure, HostError)
        assert "ended with status 4" in relay.failure.message
        assert relay.failure.hint == "no agent here"


def test_a_cut_connection_ends_the_near_side(connection: Connection) -> None:
    with connection.relay("cat") as relay, dial(relay) as near:
        near.sendall(b"x")
        assert near.recv(1) == b"x"
        os.kill(int(connection.run("echo $PPID").stdout), signal.SIGKILL)
        assert read_all(near) == b""
        assert wait_until(lambda: relay.failure is not None)
        assert isinstance(relay.failure, ConnectionLost)


def test_connections_are_capped(connection: Connection) -> None:
    with connection.relay("cat") as relay:
        nears = [dial(relay) for _ in range(9)]
        for near in nears[:8]:
            near.sendall(b"x")
        assert [near.recv(1) for near in nears] == [b"x"] * 8 + [b""]
        for near in nears:
            near.close()
        assert wait_until(lambda: echoes(relay))  # what has ended makes room


def echoes(relay: Relay) -> bool:
    with dial(relay) as near:
        try:
            near.sendall(b"x")
            return near.recv(1) == b"x"
        except OSError:
            return False


def test_what_a_killed_process_left_goes_with_the_next_relay(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait(10)
    left, alive, foreign = (
        tmp_path / f"labctl-relay-{what}" for what in (f"{gone.pid}-a", f"{os.getpid()}-b", "x")
    )
    for folder in (left, alive, foreign):
        folder.mkdir()
        (folder / "socket").touch()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, foreign])
