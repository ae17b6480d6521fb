# SPDX-License-Identifier: Apache-2.0
"""The agent as a daemon: one worker thread, one event loop, one socket that only root can open."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import grpc.aio

from remote_agent.agent.engine import Engine
from remote_agent.agent.idle import Calls, until_idle
from remote_agent.agent.service import Service
from remote_agent.agent.store import Store
from remote_agent.agent.trial import Executor
from remote_agent.gen.labctl.agent.v1 import agent_pb2_grpc as pb_grpc

GRACE_S = 2.0
WORKER_GRACE_S = 90.0
"""At the end the worker is waited for so long: a CRI call under way has a deadline of 60 s, then comes clean-up."""


class AlreadyServing(Exception):
    """Another agent holds the socket; the text is one sentence."""


def serve(socket: Path, runs: Path, idle_s: float | None = None) -> int:
    """Serve until SIGTERM or SIGINT, or until nothing was asked for ``idle_s``; the exit code. Raises AlreadyServing, OSError."""
    os.umask(0o077)  # the socket is root's alone, and everything else that is made here
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(socket):
        engine = Engine(Store(runs), _executor)
        for run, reason in engine.broken.items():
            sys.stderr.write(f"labctl-agent: run {run} cannot be read and is left alone: {reason}\n")
        gc.collect()
        gc.freeze()  # what has been imported need not be looked through after every trial
        return asyncio.run(_serve(engine, socket, idle_s))


def _executor() -> Executor:
    """With it come the benchmarks' machinery and the CRI's client: an agent without a run does without."""
    from remote_agent.agent.executor import CriExecutor

    return CriExecutor()


async def _serve(engine: Engine, socket: Path, idle_s: float | None) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    worker = _Worker(engine, lambda: loop.call_soon_threadsafe(stop.set))
    calls = Calls()
    server = grpc.aio.server(interceptors=[calls])
    pb_grpc.add_AgentServicer_to_server(Service(engine), server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    worker.start()
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
    if idle_s is not None:
        waits.append(asyncio.create_task(until_idle(calls, lambda: engine.idle, idle_s)))
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    engine.close()
    await server.stop(GRACE_S)
    await asyncio.to_thread(worker.join, WORKER_GRACE_S)
    return 1 if worker.failed else 0


class _Worker(threading.Thread):
    """The engine's worker. If it fails, the agent must not go on looking alive: it ends, and systemd starts it again."""

    def __init__(self, engine: Engine, ended: Callable[[], object]) -> None:
        super().__init__(name="worker", daemon=True)
        self._engine = engine
        self._ended = ended
        self.failed = True

    def run(self) -> None:
        try:
            self._engine.execute()
            self.failed = False
        finally:
            self._ended()


def _only_one(socket: Path) -> IO[str]:
    """The lock that goes with the socket; gRPC would take it from an agent that is running. Raises AlreadyServing."""
    lock = socket.with_suffix(".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise AlreadyServing(f"Another labctl-agent serves {socket} already.") from error
    return lock
