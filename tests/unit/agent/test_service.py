# SPDX-License-Identifier: Apache-2.0
"""The service over a real socket: idempotent starts, journals from any line on, events as they come, a relay in between."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from remote_agent.agent import commands, preflight
from remote_agent.agent.service import Service
from remote_agent.agent.spec import RunSpec
from remote_agent.gen.labctl.agent.v1 import agent_pb2 as pb
from remote_agent.gen.labctl.agent.v1 import agent_pb2_grpc as pb_grpc

FIRST = "operations.container.lifecycle"
ROOT = Path(__file__).resolve().parents[3]


class Served:
    """An engine's service in a thread of its own."""

    def __init__(self, engine: Any, path: Path) -> None:
        self.path = path
        self._engine = engine
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(10)
        self.channel = grpc.insecure_channel(
            f"unix:{path}", options=[("grpc.default_authority", "localhost")]
        )
        self.stub = pb_grpc.AgentStub(self.channel)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = grpc.aio.server()
        pb_grpc.add_AgentServicer_to_server(Service(self._engine, heartbeat_s=0.2), server)
        server.add_insecure_port(f"unix:{self.path}")
        await server.start()
        self._up.set()
        await self._stop.wait()
        await server.stop(0)

    def close(self) -> None:
        self.channel.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@pytest.fixture
def served(host: Any, run_engine: Any, tmp_path: Path) -> Iterator[Served]:
    one = Served(run_engine(host).engine, tmp_path / "agent.sock")
    yield one
    one.close()


def _start(served: Served, spec: RunSpec, until: int = 0, last: bool = False) -> pb.StatusReply:
    reply = served.stub.StartRun(pb.StartRunRequest(spec=spec.to_message()), timeout=5)
    if until:
        grants = [pb.BlockGrant(benchmark=FIRST, until=until)]
        reply = served.stub.Grant(pb.GrantRequest(run_id=spec.run_id, grants=grants, last=last), timeout=5)
    return reply


def _follow(served: Served, offset: int = 0) -> tuple[bytes, list[pb.StatusReply]]:
    journal, statuses = b"", []
    for event in served.stub.Attach(pb.AttachRequest(run_id="run-1", offset=offset), timeout=20):
        if event.WhichOneof("event") == "journal":
            assert event.journal.offset == offset + len(journal)
            assert event.journal.data.endswith(b"\n"), "whole lines only"
            journal += event.journal.data
        else:
            statuses.append(event.status)
    return journal, statuses


def test_attach_carries_the_whole_journal_and_ends_with_the_run(
    served: Served, spec: RunSpec, tmp_path: Path
) -> None:
    _start(served, spec, until=2, last=True)
    journal, statuses = _follow(served)
    assert journal == (tmp_path / "runs/run-1/journal.jsonl").read_bytes()
    assert json.loads(journal.splitlines()[-1])["type"] == "ended"
    last = statuses[-1]
    assert (last.state, last.journal_size) == (pb.STATE_COMPLETE, len(journal))
    assert {grant.benchmark: grant.until for grant in last.done}[FIRST] == 2


def test_from_every_line_on_the_rest_is_served_and_from_elsewhere_nothing(
    served: Served, spec: RunSpec
) -> None:
    _start(served, spec, until=1, last=True)
    whole, _ = _follow(served)
    starts = [0, *(i + 1 for i, byte in enumerate(whole) if byte == ord("\n"))]
    for offset in starts:
        chunks = served.stub.Fetch(pb.FetchRequest(run_id="run-1", offset=offset), timeout=5)
        assert b"".join(chunk.data for chunk in chunks) == whole[offset:]
        assert _follow(served, offset)[0] == whole[offset:]
    for offset in (3, len(whole) + 1):
        with pytest.raises(grpc.RpcError) as caught:
            list(served.stub.Fetch(pb.FetchRequest(run_id="run-1", offset=offset), timeout=5))
        assert _code(caught.value) is grpc.StatusCode.OUT_OF_RANGE


def test_many_attach_at_once_and_an_idle_run_still_says_that_it_lives(served: Served, spec: RunSpec) -> None:
    _start(served, spec, until=1)
    streams = [served.stub.Attach(pb.AttachRequest(run_id="run-1"), timeout=20) for _ in range(40)]
    for stream in streams:
        idle = (event.status for event in stream if event.WhichOneof("event") == "status")
        assert sum(1 for _, status in zip(range(3), idle, strict=False) if status.run_id == "run-1") == 3
        stream.cancel()  # type: ignore[no-untyped-call]
    grants = pb.GrantRequest(run_id="run-1", last=True)
    served.stub.Grant(grants, timeout=5)
    assert _follow(served)[1][-1].state == pb.STATE_COMPLETE


def test_refusals_have_their_code_and_a_sentence(served: Served, spec: RunSpec) -> None:
    _start(served, spec)
    other = RunSpec.from_json({**spec.to_json(), "seed": 99})
    strange = spec.to_message()
    strange.benchmarks[0].name = "no.such.thing"
    refused = [
        (
            served.stub.StartRun,
            pb.StartRunRequest(spec=other.to_message()),
            "FAILED_PRECONDITION",
            "another spec",
        ),
        (served.stub.StartRun, pb.StartRunRequest(spec=strange), "INVALID_ARGUMENT", "no.such.thing"),
        (served.stub.Status, pb.StatusRequest(run_id="nope"), "NOT_FOUND", "nope"),
        (served.stub.Cancel, pb.CancelRequest(run_id="nope"), "NOT_FOUND", "nope"),
    ]
    for method, request, code, words in refused:
        with pytest.raises(grpc.RpcError) as caught:
            method(request, timeout=5)  # type: ignore[operator]
        assert _code(caught.value).name == code
        assert words in str(caught.value)
    assert _start(served, spec).state == pb.STATE_IDLE


def test_cancel_replies_when_the_run_has_ended(served: Served, spec: RunSpec) -> None:
    _start(served, spec, until=1)
    assert served.stub.Cancel(pb.CancelRequest(run_id="run-1"), timeout=10).state == pb.STATE_CANCELLED
    assert json.loads(_follow(served)[0].splitlines()[-1])["status"] == "cancelled"


def test_info_and_preflight(served: Served) -> None:
    info = served.stub.Info(pb.InfoRequest(), timeout=20)
    assert info.pid == os.getpid()
    assert "kernel" in json.loads(info.facts_json)
    combination = pb.Combination(cri="containerd", handler="runc", socket="/nonexistent.sock")
    (check,) = served.stub.Preflight(pb.PreflightRequest(combinations=[combination]), timeout=20).checks
    assert (check.ok, check.combination) == (False, "containerd/runc")
    unknown = pb.PreflightRequest(benchmarks=[pb.Benchmark(name="operations.nothing")])
    with pytest.raises(grpc.RpcError, match=r"There is no benchmark 'operations\.nothing'"):
        served.stub.Preflight(unknown, timeout=20)


def test_grpc_goes_through_the_relay(served: Served, spec: RunSpec, tmp_path: Path) -> None:
    """As over SSH: a local socket, each connection of which is a relay's standard input and output."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "near.sock"))
    listener.listen(1)

    def accept() -> None:
        near, _ = listener.accept()
        with near:
            subprocess.run(
                _relay(served.path),
                stdin=near.fileno(),
                stdout=near.fileno(),
                cwd=ROOT,
                check=True,
                timeout=30,
            )

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(f"unix:{tmp_path / 'near.sock'}", options=options) as channel:
        stub = pb_grpc.AgentStub(channel)
        stub.StartRun(pb.StartRunRequest(spec=spec.to_message()), timeout=10)
        grants = [pb.BlockGrant(benchmark=FIRST, until=1)]
        stub.Grant(pb.GrantRequest(run_id="run-1", grants=grants, last=True), timeout=5)
        events = list(stub.Attach(pb.AttachRequest(run_id="run-1"), timeout=20))
    assert events[-1].status.state == pb.STATE_COMPLETE
    thread.join(10)
    assert not thread.is_alive(), "the relay ends when its input does"
    listener.close()


def test_relay_carries_a_megabyte_both_ways_and_the_rest_after_its_input_ended(tmp_path: Path) -> None:
    data = os.urandom(1 << 20)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "echo.sock"))
    listener.listen(1)

    def echo_when_all_is_there() -> None:
        connection, _ = listener.accept()
        with connection:
            got = b""
            while more := connection.recv(65536):
                got += more
            connection.sendall(got[::-1])

    threading.Thread(target=echo_when_all_is_there, daemon=True).start()
    done = subprocess.run(
        _relay(tmp_path / "echo.sock"), input=data, capture_output=True, cwd=ROOT, timeout=30, check=True
    )
    assert done.stdout == data[::-1]
    listener.close()


def test_relay_ends_when_the_agent_does_though_its_input_is_open(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "brief.sock"))
    listener.listen(1)
    with subprocess.Popen(
        _relay(tmp_path / "brief.sock"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as relay:
        connection, _ = listener.accept()
        connection.sendall(b"bye")
        connection.close()
        assert relay.wait(10) == 0
        assert relay.stdout is not None
        assert relay.stdout.read() == b"bye"
    listener.close()


def test_relay_without_an_agent_says_so_in_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        _relay(tmp_path / "no.sock"), capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )
    assert done.returncode == 3
    assert "Is the agent running?" in done.stderr
    assert "Traceback" not in done.stderr


def test_relay_starts_without_grpc() -> None:
    code = (
        "import sys\nfrom remote_agent.agent.main import main\nmain(['relay'])\n"
        "print([name for name in ('grpc', 'google', 'argparse', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_daemon_serves_root_alone_refuses_a_second_and_ends_on_term(tmp_path: Path) -> None:
    path, runs = tmp_path / "run/agent.sock", tmp_path / "runs"
    argv = [
        sys.executable,
        "-m",
        "remote_agent.agent.main",
        "--socket",
        str(path),
        "serve",
        "--runs",
        str(runs),
    ]
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as daemon:
        try:
            for _ in range(200):
                if path.exists():
                    break
                threading.Event().wait(0.05)
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            second = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
            assert second.returncode == 1
            assert "serves" in second.stderr
            shell = [*argv[:5], "status"]
            none = subprocess.run(shell, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
            assert (none.returncode, none.stderr) == (2, "labctl-agent: No run is on this host.\n")
        finally:
            daemon.terminate()
        assert daemon.wait(20) == 0
    gone = subprocess.run(shell, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    assert gone.returncode == 3


@pytest.mark.parametrize(
    ("status", "code", "said"), [("failed", 1, " 4 trials failed.\n"), ("unsupported", 0, "\n")]
)
def test_wait_fails_where_a_trial_failed_and_not_where_a_host_cannot_do_one(
    host: Any, run_engine: Any, spec: RunSpec, tmp_path: Path, status: str, code: int, said: str
) -> None:
    whole = host.trial
    host.trial = lambda *words: replace(whole(*words), status=status, reason="so it is")
    served, out = Served(run_engine(host).engine, tmp_path / "agent.sock"), io.StringIO()
    try:
        _start(served, spec, until=2, last=True)
        assert commands.wait(Namespace(socket=served.path, run="run-1", timeout=20), out) == code
    finally:
        served.close()
    assert out.getvalue().endswith(f"blocks of scalability.runtime.5.{said}")


@pytest.mark.parametrize("there", [True, False])
def test_preflight_says_what_stands_against_a_run_and_starts_nothing(
    served: Served, spec: RunSpec, tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        preflight.Finding("containerd/runc", "handler", ok=True, message="It is there."),
        preflight.Finding(
            "containerd/crun", "handler", ok=there, message="No handler crun.", hint="Install it."
        ),
    ]
    monkeypatch.setattr(preflight, "preflight", lambda combinations, benchmarks: found)
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_json()))
    options, out = Namespace(socket=served.path, spec=tmp_path / "spec.json"), io.StringIO()
    assert commands.preflight(options, out) == (0 if there else 1)
    assert out.getvalue() == ("" if there else "containerd/crun: No handler crun. Install it.\n")
    assert not (tmp_path / "runs/run-1").exists()


def _relay(path: Path) -> list[str]:
    return [sys.executable, "-m", "remote_agent.agent.main", "--socket", str(path), "relay"]


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    assert isinstance(error, grpc.Call)
    return error.code()
