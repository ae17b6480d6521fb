# SPDX-License-Identifier: Apache-2.0
"""A run spec to start from, and agents that do nothing but keep an agent's promises."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from remote_agent.gen.labctl.agent.v1 import agent_pb2 as pb
from remote_agent.gen.labctl.agent.v1 import agent_pb2_grpc as pb_grpc


@pytest.fixture
def spec() -> RunSpec:
    """Two hosts on one machine and one alone; two combinations; 1+2 blocks of one benchmark and 0+1 of another."""
    return RunSpec(
        id="20261123-224501-demo-ab12",
        suite="demo",
        inventory="lab.yaml",
        created="2026-11-23T22:45:01+00:00",
        seed=7,
        hosts=(RunHost("a", "m1"), RunHost("b", "m1"), RunHost("c", "m2")),
        combinations=(Combination("containerd", "runc"), Combination("containerd", "crun")),
        benchmarks=(BenchmarkPlan("operations.x.y", 2, 1), BenchmarkPlan("scalability.x.5", 1, 0, {"n": 5})),
        baseline="containerd/runc",
        labctl_version="0.1.0",
    )


class FakeAgent(pb_grpc.AgentServicer):
    """An agent over a real Unix socket, with a real journal file; its trials take ``trial_seconds`` and do nothing.

    It keeps the agent's promises: what is granted is executed once, StartRun is idempotent, Attach ends with the run.
    """

    def __init__(self, folder: Path, name: str, trial_seconds: float = 0.002) -> None:
        self.name = name
        self.socket = folder / f"{name}.sock"
        self.journal = folder / f"{name}.jsonl"
        self.trial_seconds = trial_seconds
        self.checks: list[pb.Check] = []
        self.failing: set[str] = set()
        self.value: Callable[[str, int, str], float] = lambda benchmark, block, combination: 0.1
        """Benchmark, block and combination to the value of the metric `Total`."""
        self.spans: list[tuple[float, float]] = []
        self.starts = 0
        self.break_streams = threading.Event()
        self.break_always = False
        self.lose_grants = 0
        self._spec: pb.RunSpec | None = None
        self._granted: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._last = self._cancelled = False
        self._state = pb.STATE_IDLE
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._execute, daemon=True)
        self.up()

    def up(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(max_workers=8))
        pb_grpc.add_AgentServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()

    def down(self) -> None:
        """Nobody answers any more; what is under way goes on."""
        self._server.stop(0).wait(5)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal.read_text().splitlines()]

    def Info(self, request: pb.InfoRequest, context: Any) -> pb.InfoReply:
        return pb.InfoReply(version="fake")

    def Preflight(self, request: pb.PreflightRequest, context: Any) -> pb.PreflightReply:
        return pb.PreflightReply(checks=[pb.Check(name="socket", ok=True), *self.checks])

    def StartRun(self, request: pb.StartRunRequest, context: Any) -> pb.StatusReply:
        with self._changed:
            self.starts += 1
            if self._spec is None:
                self._spec = request.spec
                self._write(type="run", run=request.spec.run_id)
                self._thread.start()
            elif self._spec != request.spec:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "another run is under way")
            return self._status()

    def Grant(self, request: pb.GrantRequest, context: Any) -> pb.StatusReply:
        with self._changed:
            if self.lose_grants > 0:
                self.lose_grants -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "lost on the way")
            for grant in request.grants:
                self._granted[grant.benchmark] = max(grant.until, self._granted.get(grant.benchmark, 0))
            self._last = self._last or request.last
            self._changed.notify_all()
            return self._status()

    def Cancel(self, request: pb.CancelRequest, context: Any) -> pb.StatusReply:
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()
            self._changed.wait_for(self._over, timeout=5)
            return self._status()

    def Status(self, request: pb.StatusRequest, context: Any) -> pb.StatusReply:
        with self._changed:
            return self._status()

    def Fetch(self, request: pb.FetchRequest, context: Any) -> Iterator[pb.JournalChunk]:
        yield pb.JournalChunk(offset=request.offset, data=self.journal.read_bytes()[request.offset :])

    def Attach(self, request: pb.AttachRequest, context: Any) -> Iterator[pb.Event]:
        offset = request.offset
        while context.is_active():
            with self._changed:
                over, status = self._over(), self._status()
            data = self.journal.read_bytes()[offset : offset + 300]
            if data:
                yield pb.Event(journal=pb.JournalChunk(offset=offset, data=data))
                offset += len(data)
            yield pb.Event(status=status)
            if over and not data:
                return
            if self.break_always or self.break_streams.is_set():
                self.break_streams.clear()
                context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
            with self._changed:
                if not data and not self._over():
                    self._changed.wait(timeout=0.05)

    def _over(self) -> bool:
        return self._state in (pb.STATE_COMPLETE, pb.STATE_CANCELLED)

    def _status(self) -> pb.StatusReply:
        return pb.StatusReply(
            run_id=self._spec.run_id if self._spec else "",
            state=self._state,
            granted=[pb.BlockGrant(benchmark=name, until=until) for name, until in self._granted.items()],
            done=[pb.BlockGrant(benchmark=name, until=until) for name, until in self._done.items()],
            journal_size=self.journal.stat().st_size if self.journal.exists() else 0,
        )

    def _write(self, **record: Any) -> None:
        with self.journal.open("a") as file:
            file.write(json.dumps({"v": 1, **record}) + "\n")

    def _next(self) -> tuple[str, int] | None:
        for name, until in self._granted.items():
            if self._done.get(name, 0) < until:
                return name, self._done.get(name, 0)
        return None

    def _execute(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next() or self._last or self._cancelled)
                work = None if self._cancelled else self._next()
                if work is None:
                    self._write(type="ended", status="cancelled" if self._cancelled else "complete")
                    self._state = pb.STATE_CANCELLED if self._cancelled else pb.STATE_COMPLETE
                    self._changed.notify_all()
                    return
            begin = time.monotonic()
            self._block(*work)
            self.spans.append((begin, time.monotonic()))
            with self._changed:
                self._done[work[0]] = work[1] + 1
                self._changed.notify_all()

    def _block(self, benchmark: str, block: int) -> None:
        assert self._spec is not None
        for position, item in enumerate(self._spec.combinations):
            combination = f"{item.cri}/{item.handler}"
            start = time.monotonic_ns()
            time.sleep(self.trial_seconds)
            failed = combination in self.failing
            with self._changed:
                self._write(
                    type="trial",
                    benchmark=benchmark,
                    block=block,
                    position=position,
                    combination=combination,
                    attempt=1,
                    status="failed" if failed else "ok",
                    reason="no" if failed else None,
                    samples=[]
                    if failed
                    else [
                        {
                            "metric": "Total",
                            "value": self.value(benchmark, block, combination),
                            "unit": "s",
                            "item": None,
                        }
                    ],
                    leaks=[],
                    start_ns=start,
                    elapsed_ns=time.monotonic_ns() - start,
                    cleanup_ns=0,
                )
                self._changed.notify_all()


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[dict[str, FakeAgent]]:
    """Agents of the spec's three hosts."""
    made = {name: FakeAgent(tmp_path, name) for name in "abc"}
    yield made
    for agent in made.values():
        agent.down()
