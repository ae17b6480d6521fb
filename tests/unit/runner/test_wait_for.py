# SPDX-License-Identifier: Apache-2.0
"""The module `wait_for`, with a clock of its own and ports of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.modules.wait_for import run


@dataclass
class Clock:
    """Sleeping takes no time; ``then`` happens at its second."""

    seconds: float = 1000.0
    slept: list[float] = field(default_factory=list)
    then: dict[int, Any] = field(default_factory=dict)

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        for second in [second for second in self.then if self.seconds >= 1000 + second]:
            self.then.pop(second)()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waiting(context: Context, clock: Clock) -> Context:
    return replace(context, now=clock.now, sleep=clock.sleep)


@pytest.fixture
def banner() -> Iterator[int]:
    """A port that says its name and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"SSH-2.0-x\r\n")

        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_file_that_comes(tmp_path: Path, waiting: Context, clock: Clock) -> None:
    said: list[str] = []
    clock.then[3] = (tmp_path / "f").touch
    args = {"path": str(tmp_path / "f"), "timeout": 10}
    done = run(args, replace(waiting, progress=said.append))
    assert not done.changed and done.result["elapsed"] == 3 and done.result["state"] == "file"
    assert said == [f"Waiting up to 10 s for file {tmp_path}/f."] and clock.slept == [0, 1, 1, 1]


def test_a_file_that_goes(tmp_path: Path, waiting: Context, clock: Clock) -> None:
    (tmp_path / "f").touch()
    clock.then[4] = (tmp_path / "f").unlink
    args = {"path": str(tmp_path / "f"), "state": "absent", "sleep": 2}
    assert run(args, waiting).result["elapsed"] == 4
    assert run({**args, "delay": 5}, waiting).result["elapsed"] == 5


def test_what_stands_in_a_file(tmp_path: Path, waiting: Context, clock: Clock) -> None:
    path = tmp_path / "log"
    path.write_text("starting\n")
    clock.then[2] = lambda: path.write_text("starting\nready=42\n")
    args = {"path": str(path), "search_regex": r"^ready=(?P<port>\d+)(x)?$"}
    result = run(args, waiting).result
    assert result["match_groups"] == ["42", None] and result["match_groupdict"] == {"port": "42"}
    assert result["elapsed"] == 2 and result["search_regex"] == args["search_regex"]


def test_a_port_that_answers(waiting: Context, banner: int) -> None:
    assert run({"port": banner}, waiting).result == {
        **{"state": "started", "port": banner, "path": None, "search_regex": None, "elapsed": 0},
        **{"match_groups": [], "match_groupdict": {}},
    }
    assert (
        run({"port": str(banner), "host": "localhost", "search_regex": "^SSH-2"}, waiting).result["elapsed"]
        == 0
    )


def test_a_port_that_is_closed(waiting: Context, closed: int) -> None:
    assert run({"port": closed, "state": "stopped"}, waiting).result["elapsed"] == 0
    assert run({"port": closed, "state": "absent"}, waiting).result["state"] == "absent"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"port": 0, "path": "/nosuch"}, "Waited 7 s for file /nosuch, in vain."),
        ({"path": "/", "state": "absent"}, "Waited 7 s for file / to be absent, in vain."),
        (
            {"path": "/etc/passwd", "search_regex": "no such"},
            "Waited 7 s for 'no such' in file /etc/passwd, in vain.",
        ),
        ({"port": "closed"}, "Waited 7 s for 127.0.0.1:"),
        ({"port": "banner", "state": "stopped"}, "to stop, in vain."),
        ({"port": "banner", "search_regex": "HTTP"}, "Waited 7 s for 'HTTP' in 127.0.0.1:"),
        ({"path": "/nosuch", "msg": "mine"}, "mine"),
    ],
)
def test_in_vain(
    waiting: Context, banner: int, closed: int, clock: Clock, args: dict[str, Any], says: str
) -> None:
    ports = {"banner": banner, "closed": closed}
    given = {**args, **({"port": ports[args["port"]]} if args.get("port") in ports else {})}
    with pytest.raises(ModuleFailure) as raised:
        run({**given, "timeout": 7}, waiting)
    assert says in raised.value.msg and raised.value.result == {"elapsed": 7}
    assert sum(clock.slept) == 7


def test_time_alone(waiting: Context, clock: Clock) -> None:
    assert run({"timeout": 30}, waiting).result["elapsed"] == 30 and clock.slept == [0, 30]


def test_nothing_is_waited_for_in_check_mode(waiting: Context, clock: Clock) -> None:
    done = run({"path": "/nosuch"}, replace(waiting, check=True))
    assert done.skipped and not done.changed and clock.slept == []


def test_what_does_not_go_together(waiting: Context) -> None:
    for args in (
        {"port": 1, "path": "/"},
        {"path": "/", "state": "stopped"},
        {"path": "/", "search_regex": "("},
    ):
        with pytest.raises(ModuleFailure):
            run(args, waiting)
