# SPDX-License-Identifier: Apache-2.0
"""The agent of one host, as the conductor speaks to it: gRPC over a local Unix socket that a relay joins to the host's.

gRPC's errors end here: what says that the connection is gone becomes ConnectionLost, the agent's own refusals HostError.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import grpc

from orchestrator.model.errors import ConnectionLost, HostError, LabctlError
from orchestrator.model.run import Combination, RunSpec
from remote_agent.contract.checks import UNSUPPORTED
from remote_agent.gen.labctl.agent.v1 import agent_pb2 as pb
from remote_agent.gen.labctl.agent.v1 import agent_pb2_grpc as pb_grpc

T = TypeVar("T")

_GONE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}


class AgentState(Enum):
    UNSPECIFIED = pb.STATE_UNSPECIFIED
    IDLE = pb.STATE_IDLE
    EXECUTING = pb.STATE_EXECUTING
    COMPLETE = pb.STATE_COMPLETE
    CANCELLED = pb.STATE_CANCELLED

    @property
    def ended(self) -> bool:
        return self in (AgentState.COMPLETE, AgentState.CANCELLED)


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """How a run stands on a host. ``granted``, ``done``: benchmark to number of blocks.

    ``problem`` is a sentence on what keeps the agent from going on; empty: nothing does.
    """

    run_id: str
    state: AgentState
    granted: Mapping[str, int]
    done: Mapping[str, int]
    trial: str
    journal_size: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of the journal from ``offset`` on."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """What a preflight found that does not go well: one sentence, and what to do."""

    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Preflight:
    """``failed`` stand against the run: without any it may begin. ``unsupported``: combinations that are skipped on this host, and why."""

    failed: tuple[FailedCheck, ...]
    unsupported: tuple[FailedCheck, ...] = ()


class AgentClient:
    """A connection to one host's agent. Every call has a deadline of ``timeout`` seconds but `attach`, which lasts as the run."""

    def __init__(self, host: str, socket: Path, timeout: float = 20.0) -> None:
        self._host = host
        self._timeout = timeout
        self._channel = grpc.insecure_channel(
            f"unix:{socket}",
            options=[
                ("grpc.default_authority", "localhost"),
                ("grpc.max_receive_message_length", 64 << 20),
                ("grpc.initial_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 1000),
            ],
        )
        self._stub = pb_grpc.AgentStub(self._channel)

    def __enter__(self) -> AgentClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Also ends an `attach` that is under way."""
        self._channel.close()

    def wait_until_it_answers(self, seconds: float) -> None:
        """It may just be starting. Raises ConnectionLost after ``seconds``."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout=seconds)
        except grpc.FutureTimeoutError as error:
            raise ConnectionLost(
                self._host, f"the agent does not answer {seconds:.0f} s after its start."
            ) from error

    def preflight(self, spec: RunSpec, sockets: Mapping[str, str]) -> Preflight:
        """What stands against the run on this host, and what will be skipped there."""
        request = pb.PreflightRequest(
            combinations=_combinations(spec.combinations, sockets), benchmarks=_benchmarks(spec)
        )
        reply = self._call(lambda: self._stub.Preflight(request, timeout=3 * self._timeout))
        return Preflight(
            failed=tuple(_check(check) for check in reply.checks if not check.ok),
            unsupported=tuple(_check(check) for check in reply.checks if check.name == UNSUPPORTED),
        )

    def start(self, spec: RunSpec, sockets: Mapping[str, str]) -> AgentStatus:
        """Make the run known; known already, it says how it stands."""
        request = pb.StartRunRequest(spec=run_message(spec, self._host, sockets))
        return _status(self._call(lambda: self._stub.StartRun(request, timeout=3 * self._timeout)))

    def grant(self, run_id: str, until: Mapping[str, int], last: bool) -> AgentStatus:
        grants = [pb.BlockGrant(benchmark=name, until=count) for name, count in until.items()]
        request = pb.GrantRequest(run_id=run_id, grants=grants, last=last)
        return _status(self._call(lambda: self._stub.Grant(request, timeout=self._timeout)))

    def attach(self, run_id: str, offset: int) -> Iterator[AgentStatus | Chunk]:
        """The journal from ``offset`` on and how the run stands, as both change; ends with the run."""
        stream = self._stub.Attach(pb.AttachRequest(run_id=run_id, offset=offset))
        try:
            for event in stream:
                if event.WhichOneof("event") == "journal":
                    yield Chunk(event.journal.offset, event.journal.data)
                else:
                    yield _status(event.status)
        except grpc.RpcError as error:
            raise self._mapped(error) from error

    def fetch(self, run_id: str, offset: int) -> Iterator[Chunk]:
        """The journal from ``offset`` on, as it stands."""
        stream = self._stub.Fetch(pb.FetchRequest(run_id=run_id, offset=offset), timeout=10 * self._timeout)
        try:
            for chunk in stream:
                yield Chunk(chunk.offset, chunk.data)
        except grpc.RpcError as error:
            raise self._mapped(error) from error

    def cancel(self, run_id: str) -> AgentStatus:
        """End the run; waits until the trial under way is cleaned up."""
        request = pb.CancelRequest(run_id=run_id)
        return _status(self._call(lambda: self._stub.Cancel(request, timeout=6 * self._timeout)))

    def status(self, run_id: str = "", timeout: float | None = None) -> AgentStatus:
        """Of a run, or (no id) of the newest one."""
        request = pb.StatusRequest(run_id=run_id)
        return _status(self._call(lambda: self._stub.Status(request, timeout=timeout or self._timeout)))

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except grpc.RpcError as error:
            raise self._mapped(error) from error
        except ValueError as error:  # grpc: "Cannot invoke RPC on closed channel!"
            raise ConnectionLost(self._host, "the connection to the agent is closed.") from error

    def _mapped(self, error: grpc.RpcError) -> LabctlError:
        code = error.code() if isinstance(error, grpc.Call) else None
        details = (error.details() if isinstance(error, grpc.Call) else None) or "no reason given"
        if code is None or code in _GONE:
            name = code.name if code is not None else "no status"
            return ConnectionLost(self._host, f"the agent does not answer ({name}: {details}).")
        sentence = details if details.endswith((".", "!", "?")) else f"{details}."
        return HostError(
            self._host, f"the agent refused: {sentence}", "On the host: journalctl -u labctl-agent."
        )


def run_message(spec: RunSpec, host: str, sockets: Mapping[str, str]) -> pb.RunSpec:
    """What ``host`` is told of the run: no stopping rule, only what it is granted."""
    return pb.RunSpec(
        run_id=spec.id,
        host=host,
        seed=spec.seed,
        combinations=_combinations(spec.combinations, sockets),
        benchmarks=_benchmarks(spec),
    )


def _combinations(combinations: Sequence[Combination], sockets: Mapping[str, str]) -> list[pb.Combination]:
    return [
        pb.Combination(cri=item.cri, handler=item.handler, socket=sockets[item.cri]) for item in combinations
    ]


def _benchmarks(spec: RunSpec) -> list[pb.Benchmark]:
    return [
        pb.Benchmark(name=plan.name, warmup=plan.warmup, params_json=json.dumps(dict(plan.params)))
        for plan in spec.benchmarks
    ]


def _check(check: pb.Check) -> FailedCheck:
    message = f"{check.combination}: {check.message}" if check.combination else check.message
    return FailedCheck(message, check.hint or None)


def _status(reply: pb.StatusReply) -> AgentStatus:
    return AgentStatus(
        run_id=reply.run_id,
        state=AgentState(reply.state),
        granted={grant.benchmark: grant.until for grant in reply.granted},
        done={grant.benchmark: grant.until for grant in reply.done},
        trial=reply.trial,
        journal_size=reply.journal_size,
        problem=reply.problem,
    )
