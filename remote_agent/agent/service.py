# SPDX-License-Identifier: Apache-2.0
"""The engine over gRPC. Nothing is executed here: requests are translated, and journals served as they grow."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar

import grpc
import grpc.aio

from remote_agent.agent import VERSION
from remote_agent.agent.engine import Engine, Refused, RunStatus, UnknownRun
from remote_agent.agent.journal import OffsetError
from remote_agent.agent.spec import BenchmarkSpec, Combination, RunSpec, SpecError
from remote_agent.agent.store import StoreError
from remote_agent.gen.labctl.agent.v1 import agent_pb2 as pb
from remote_agent.gen.labctl.agent.v1 import agent_pb2_grpc as pb_grpc

HEARTBEAT_S = 5.0
"""An attached conductor hears at least so often."""

STATES = {
    "idle": pb.STATE_IDLE,
    "executing": pb.STATE_EXECUTING,
    "complete": pb.STATE_COMPLETE,
    "cancelled": pb.STATE_CANCELLED,
}
ENDED = frozenset({"complete", "cancelled"})
REFUSALS = {
    UnknownRun: grpc.StatusCode.NOT_FOUND,
    Refused: grpc.StatusCode.FAILED_PRECONDITION,
    SpecError: grpc.StatusCode.INVALID_ARGUMENT,
    OffsetError: grpc.StatusCode.OUT_OF_RANGE,
    StoreError: grpc.StatusCode.INTERNAL,
    OSError: grpc.StatusCode.INTERNAL,
}
"""What the engine raises, as gRPC's codes; the text goes along."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
T = TypeVar("T")


class Service(pb_grpc.AgentServicer):
    """``heartbeat_s`` is the longest silence on an Attach."""

    def __init__(self, engine: Engine, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._engine = engine
        self._heartbeat_s = heartbeat_s

    async def Info(self, request: pb.InfoRequest, context: Context) -> pb.InfoReply:
        from remote_agent.host.fingerprint import fingerprint

        facts = await asyncio.to_thread(fingerprint)
        return pb.InfoReply(
            version=VERSION, pid=os.getpid(), boot_id=self._engine.boot_id, facts_json=json.dumps(facts)
        )

    async def Preflight(self, request: pb.PreflightRequest, context: Context) -> pb.PreflightReply:
        from remote_agent.agent.preflight import preflight  # with what it needs: an idle agent does without

        combinations = [Combination(item.cri, item.handler, item.socket) for item in request.combinations]
        benchmarks = await _refusing(
            context, lambda: [BenchmarkSpec.from_message(item) for item in request.benchmarks]
        )
        findings = await asyncio.to_thread(preflight, combinations, benchmarks)
        return pb.PreflightReply(
            checks=[
                pb.Check(
                    combination=item.combination,
                    name=item.name,
                    ok=item.ok,
                    message=item.message,
                    hint=item.hint,
                )
                for item in findings
            ]
        )

    async def StartRun(self, request: pb.StartRunRequest, context: Context) -> pb.StatusReply:
        return await _status(context, lambda: self._engine.start(RunSpec.from_message(request.spec)))

    async def Grant(self, request: pb.GrantRequest, context: Context) -> pb.StatusReply:
        until = {grant.benchmark: grant.until for grant in request.grants}
        return await _status(context, lambda: self._engine.grant(request.run_id, until, request.last))

    async def Status(self, request: pb.StatusRequest, context: Context) -> pb.StatusReply:
        return await _status(context, lambda: self._engine.status(request.run_id))

    async def Cancel(self, request: pb.CancelRequest, context: Context) -> pb.StatusReply:
        """Replies when the trial under way is cleaned up and the journal closed; the caller's deadline bounds the wait."""
        watch = _Watch(self._engine)
        try:
            status = await _refusing(context, lambda: self._engine.cancel(request.run_id))
            while status.state not in ENDED:
                await watch.changed(self._heartbeat_s)
                status = await _refusing(context, lambda: self._engine.status(request.run_id))
            return _reply(status)
        finally:
            watch.close()

    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.JournalChunk]:
        offset = request.offset
        while data := await _refusing(context, partial(self._engine.read, request.run_id, offset)):
            yield pb.JournalChunk(offset=offset, data=data)
            offset += len(data)

    async def Attach(self, request: pb.AttachRequest, context: Context) -> AsyncIterator[pb.Event]:
        offset, told, watch = request.offset, None, _Watch(self._engine)
        try:
            while True:
                # The status first: of a run that has ended, the journal then grows no more.
                status = await _refusing(context, lambda: self._engine.status(request.run_id))
                while data := await _refusing(context, partial(self._engine.read, request.run_id, offset)):
                    yield pb.Event(journal=pb.JournalChunk(offset=offset, data=data))
                    offset += len(data)
                if status != told:
                    yield pb.Event(status=_reply(status))
                    told = status
                if status.state in ENDED:
                    return
                if not await watch.changed(self._heartbeat_s):
                    told = None
        finally:
            watch.close()


class _Watch:
    """Wakes a coroutine when the engine's worker, in its own thread, has changed something."""

    def __init__(self, engine: Engine) -> None:
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        self.close = engine.subscribe(self._wake)

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._event.set)

    async def changed(self, timeout_s: float) -> bool:
        """Something has changed since the last time; False: not within ``timeout_s``."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return False
        self._event.clear()
        return True


async def _status(context: Context, work: Callable[[], RunStatus]) -> pb.StatusReply:
    return _reply(await _refusing(context, work))


async def _refusing(context: Context, work: Callable[[], T]) -> T:
    """``work``'s result; what it refuses becomes the call's status, with its sentence."""
    try:
        return work()
    except tuple(REFUSALS) as error:
        code = next(code for kind, code in REFUSALS.items() if isinstance(error, kind))
        await context.abort(code, str(error))
        raise  # abort has raised already


def _reply(status: RunStatus) -> pb.StatusReply:
    return pb.StatusReply(
        run_id=status.run_id,
        state=STATES[status.state],
        granted=[pb.BlockGrant(benchmark=name, until=until) for name, until in status.granted.items()],
        done=[pb.BlockGrant(benchmark=name, until=until) for name, until in status.done.items()],
        trial=status.trial,
        journal_size=status.journal_size,
        problem=status.problem,
    )
