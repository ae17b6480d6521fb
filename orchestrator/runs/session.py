# SPDX-License-Identifier: Apache-2.0
"""One host's part of a run, seen from the controller: connect, follow, grant when it has the turn, and again when it was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model.errors import (
    AddressNotFound,
    ChangedHostKey,
    ConnectionLost,
    DiskFull,
    HostError,
    LabctlError,
    LoginRefused,
    UnknownHostKey,
    UnreachableError,
)
from orchestrator.model.run import RunHost, RunStatus
from orchestrator.runs.agent import AgentClient, AgentState, AgentStatus, Chunk, FailedCheck
from orchestrator.runs.board import Board
from orchestrator.runs.events import Phase
from orchestrator.runs.journal import JournalCopy
from orchestrator.runs.turns import Grant

HOPELESS = (UnknownHostKey, ChangedHostKey, LoginRefused, AddressNotFound)
"""Trying again changes nothing: somebody has to look."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, but ``losses``.

    lost       how long a host may be away before it is given up
    cancel     the same, once the run is to end
    stalled    how long a host may be at work without finishing a trial, and how long this machine's disk may be full
    heartbeat  how long it may be silent before it is asked whether it is there
    settle     between two hosts' turns on one machine
    losses     how often in a row a connection may be made and lost again without a trial in between
    """

    lost: float = 300.0
    cancel: float = 60.0
    stalled: float = 1800.0
    heartbeat: float = 15.0
    settle: float = 0.3
    first_pause: float = 0.5
    longest_pause: float = 15.0
    losses: int = 10


@dataclass(frozen=True, slots=True)
class Link:
    """A way to a host's agent: a local socket that is joined to it, and where the host's CRI runtimes listen."""

    socket: Path
    cri_sockets: Mapping[str, str]


Reach = Callable[[RunHost, Callable[[Phase], None]], AbstractContextManager[Link]]
"""Connects to a host and brings its agent into place; says what it is at. Raises of the error tree."""


class HostWorker:
    """Runs in a thread of its own until the host's part is over, whichever way."""

    def __init__(self, board: Board, host: RunHost, journal: Path, reach: Reach, patience: Patience) -> None:
        self._board = board
        self._host = host
        self._name = host.name
        self._journal = journal
        self._reach = reach
        self._patience = patience

    def work(self) -> None:
        """Never raises of the error tree: what went wrong is on the board."""
        try:
            with JournalCopy(self._journal) as copy:
                self._board.recall(self._name, copy.records())
                self._work(copy)
        except LabctlError as error:
            self._board.finish(self._name, RunStatus.FAILED, error)
        finally:
            if self._board[self._name].result is None:
                bug = HostError(
                    self._name, "labctl itself failed here.", "The run's conductor.log says where."
                )
                self._board.finish(self._name, RunStatus.FAILED, bug)

    def _work(self, copy: JournalCopy) -> None:
        board, record = self._board, self._board[self._name]
        losses, pause, full = 0, self._patience.first_pause, 0.0
        while record.result is None:
            trials, contact = record.tally.done, record.contact
            try:
                with self._reach(self._host, lambda phase: board.phase(self._name, phase)) as link:
                    Session(board, self._host, link, copy, self._patience).run()
            except UnreachableError as error:
                if record.tally.done > trials:
                    losses, pause = 0, self._patience.first_pause
                elif record.contact > contact:
                    losses += 1
                if self._give_up(error, losses):
                    return
                board.lost(self._name, error)
                self._rest(pause)
                pause = min(2 * pause, self._patience.longest_pause)
            except DiskFull as error:
                full = 0.0 if record.tally.done > trials else full + pause
                if full > (self._patience.cancel if board.cancelling else self._patience.stalled):
                    raise
                board.lost(self._name, error)
                self._rest(pause)
                pause = min(2 * pause, self._patience.longest_pause)

    def _give_up(self, error: UnreachableError, losses: int) -> bool:
        """Is it over with this host? Then the board says why."""
        board, patience = self._board, self._patience
        if board.cancelling and not board[self._name].known:
            board.finish(self._name, RunStatus.CANCELLED)
            return True
        limit = patience.cancel if board.cancelling else patience.lost
        first = not board[self._name].known
        if first or isinstance(error, HOPELESS) or board.silence(self._name) > limit:
            board.finish(self._name, RunStatus.FAILED, error)
            return True
        if losses >= patience.losses:
            lost = ConnectionLost(
                self._name, f"was lost {losses} times in a row without finishing a trial: {error.message}"
            )
            board.finish(self._name, RunStatus.FAILED, lost)
            return True
        return False

    def _rest(self, seconds: float) -> None:
        with self._board.changed:
            cancelling = self._board.cancelling
            self._board.changed.wait_for(lambda: self._board.cancelling is not cancelling, timeout=seconds)


class Session:
    """What is done over one connection. Raises UnreachableError when it breaks; returns when the host's part is over."""

    def __init__(
        self, board: Board, host: RunHost, link: Link, copy: JournalCopy, patience: Patience
    ) -> None:
        self._board = board
        self._name = host.name
        self._link = link
        self._copy = copy
        self._patience = patience
        self._broken: LabctlError | None = None
        self._drained = False
        self._asked_to_cancel = False

    def run(self) -> None:
        board, name = self._board, self._name
        with AgentClient(name, self._link.socket) as agent:
            if self._copy.size == 0:
                if board.cancelling:
                    board.finish(name, RunStatus.CANCELLED)
                    return
                self._preflight(agent)
            status = agent.start(board.spec, self._link.cri_sockets)
            self._check_size(status)
            board.connected(name, status)
            reader = threading.Thread(target=self._pull, args=(agent,), name=f"journal-{name}", daemon=True)
            reader.start()
            try:
                self._drive(agent)
            finally:
                agent.close()
                reader.join(timeout=30)
                self._copy.forget_tail()

    def _preflight(self, agent: AgentClient) -> None:
        self._board.phase(self._name, Phase.PREFLIGHT)
        result = agent.preflight(self._board.spec, self._link.cri_sockets)
        for check in (*result.unsupported, *result.failed):
            self._board.tell("note", host=self._name, level="warning", message=check.message, hint=check.hint)
        if result.failed:
            raise _not_ready(self._name, result.failed)

    def _check_size(self, status: AgentStatus) -> None:
        if status.journal_size < self._copy.size:
            raise HostError(
                self._name,
                f"its journal of this run has {status.journal_size} bytes, and {self._copy.size} were pulled before.",
                "The host lost it (was it made anew?). What was pulled is kept; start a new run.",
            )

    def _pull(self, agent: AgentClient) -> None:
        """The reader's thread: everything the agent sends, until it ends or breaks."""
        try:
            for event in agent.attach(self._board.spec.id, self._copy.size):
                self._take(event)
            self._drained = True
        except LabctlError as error:
            self._broken = error
        finally:
            with self._board.changed:
                self._broken = self._broken or (
                    None if self._drained else ConnectionLost(self._name, "its journal could not be read on.")
                )
                self._board.changed.notify_all()

    def _take(self, event: AgentStatus | Chunk) -> None:
        if isinstance(event, Chunk):
            self._board.take_records(self._name, self._copy.append(event.offset, event.data))
        else:
            self._board.take_status(self._name, event)

    def _drive(self, agent: AgentClient) -> None:
        """Grant, cancel and ask for signs of life, until the stream has ended; then see that nothing is missing."""
        run_id = self._board.spec.id
        while (due := self._wait()) != "drained":
            if isinstance(due, Grant):
                self._board.take_status(self._name, agent.grant(run_id, due.until, due.last))
            elif due == "cancel":
                self._asked_to_cancel = True
                self._board.phase(self._name, Phase.CANCELLING)
                self._board.take_status(self._name, agent.cancel(run_id))
            else:
                self._board.take_status(self._name, agent.status(run_id))
        status = agent.status(run_id)
        if status.state.ended and self._copy.size < status.journal_size:
            for chunk in agent.fetch(run_id, self._copy.size):
                self._take(chunk)
        if not status.state.ended or self._copy.size < status.journal_size:
            raise ConnectionLost(self._name, "its journal ended before the run did.")
        cancelled = status.state is AgentState.CANCELLED
        self._board.finish(self._name, RunStatus.CANCELLED if cancelled else RunStatus.COMPLETE)

    def _wait(self) -> Grant | str:
        """What is to be done next: a grant, "cancel", "heartbeat", or "drained" at the end."""
        board = self._board
        with board.changed:
            while True:
                if self._broken:
                    raise self._broken
                if self._drained:
                    return "drained"
                if board.cancelling and not self._asked_to_cancel:
                    return "cancel"
                if grant := board.take_turn(self._name):
                    return grant
                if board.standstill(self._name) > self._patience.stalled:
                    raise HostError(
                        self._name,
                        f"has not finished a trial for {self._patience.stalled:.0f} s.",
                        board[self._name].problem or "Look at it: journalctl -u labctl-agent.",
                    )
                if board.silence(self._name) > self._patience.heartbeat:
                    return "heartbeat"
                board.changed.wait(timeout=min(1.0, board.pause(self._name) or 1.0))


def _not_ready(name: str, failed: Sequence[FailedCheck]) -> HostError:
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return HostError(name, f"cannot run this suite: {failed[0].message}{more}", failed[0].hint)
