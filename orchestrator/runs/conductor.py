# SPDX-License-Identifier: Apache-2.0
"""The conductor: it owns a run from its first connection to its last journal line, and can be killed anywhere.

What it knows it has from three places that outlive it: run.json, its copies of the journals, and what the agents
answer. So one that is started again takes up where the last one was; nothing is lost and nothing runs twice.

A full disk here stops nothing on the hosts: they hold their journals, and what is missing is pulled when there is room.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from orchestrator.model.errors import DiskFull, LabctlError
from orchestrator.model.run import RunSpec, RunState, RunStatus
from orchestrator.runs.board import Board, RunFiles
from orchestrator.runs.session import HostWorker, Patience, Reach
from remote_agent.contract.benchmark import Metric

TICK = 0.25
"""Seconds between two looks at the cancel file; state.json is written at most once in four."""

ROOM_PAUSE = 1.0
"""Seconds between two tries to write the run's last state on a full disk."""


def conduct(
    spec: RunSpec,
    files: RunFiles,
    reach: Reach,
    digest: Callable[[], None],
    patience: Patience | None = None,
    primaries: Mapping[str, Metric] | None = None,
) -> int:
    """Execute the run to its end and give its exit code. The caller holds the run's lock.

    ``primaries``: each benchmark's primary metric, for stopping rules and estimates so far.
    ``digest`` makes samples and estimates of the journals; where it fails, the run is complete all the same, and says so.
    """
    patience = patience or Patience()
    resumed = files.events.exists()
    board = Board(spec, files, patience.settle, primaries)
    board.tell("conductor", pid=os.getpid(), resumed=resumed)
    if files.cancel.exists():
        board.cancel()
    _watch(board, files, _start_workers(board, spec, files, reach, patience))
    status, exit_code = board.verdict()
    message = _digest(board, digest)
    _conclude(files, board.state(status, exit_code), patience.stalled)
    board.tell("end", status=status, exit_code=exit_code, message=message)
    return exit_code


def _start_workers(
    board: Board, spec: RunSpec, files: RunFiles, reach: Reach, patience: Patience
) -> list[threading.Thread]:
    workers = [HostWorker(board, host, files.journal(host.name), reach, patience) for host in spec.hosts]
    names = [f"host-{host.name}" for host in spec.hosts]
    threads = [
        threading.Thread(target=worker.work, name=name, daemon=True)
        for worker, name in zip(workers, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    return threads


def _watch(board: Board, files: RunFiles, threads: list[threading.Thread]) -> None:
    """Until every host's part is over: keep state.json fresh, and see whether somebody asks for the end."""
    ticks = 0
    while any(thread.is_alive() for thread in threads):
        if files.cancel.exists():
            board.cancel()
        if board.dirty and ticks % 4 == 0:
            board.dirty = False
            with suppress(DiskFull):  # the workers meet it too, wait, and say so
                files.write_state(board.state(RunStatus.RUNNING, None))
        ticks += 1
        alive = next((thread for thread in threads if thread.is_alive()), None)
        if alive is not None:
            alive.join(timeout=TICK)


def _conclude(files: RunFiles, state: RunState, seconds: float) -> None:
    """Write the last state, as soon as there is room. Raises DiskFull after ``seconds``: `attach` concludes the run then."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            files.write_state(state)
        except DiskFull:
            if time.monotonic() > deadline:
                raise
            time.sleep(ROOM_PAUSE)
        else:
            return


def _digest(board: Board, digest: Callable[[], None]) -> str:
    try:
        digest()
    except LabctlError as error:
        board.tell("note", host=None, level="warning", message=error.message, hint=error.hint)
        return str(error)
    return ""
