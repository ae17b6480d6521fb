# SPDX-License-Identifier: Apache-2.0
"""The runner at the other end of one exec channel: facts, steps and outcomes as calls.

One thread uses it. Steps may be sent far ahead of their outcomes: the runner reads all the time, so writing never waits for long.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import IO, Any, Protocol

from orchestrator.model.errors import ConnectionLost, ConnectionTimeout, HostError
from orchestrator.provision.files import BlobSource, chunks_of
from remote_agent.contract.bootstrap import COMMAND, MISSING, TOO_OLD, payload, program
from remote_agent.contract.steps import Outcome, Step
from remote_agent.contract.wire import (
    WireError,
    packed_frame,
    read_data,
    read_frame,
    read_hello,
    write_blob,
    write_frame,
)

END_SECONDS = 10.0
TOGETHER_BYTES = 32 * 1024
"""Of steps that are sent as one: as much as a packet of SSH holds."""
BROKEN_SECONDS = 2.0


class PythonMissing(HostError):
    """What everything else needs is not there yet."""


class Stream(Protocol):
    """A program on a host, spoken to both ways (orchestrator.ssh.Stream)."""

    @property
    def stdin(self) -> Any: ...
    @property
    def stdout(self) -> Any: ...
    def stderr_tail(self, lines: int = 10) -> str: ...
    def wait(self, timeout: float) -> int: ...
    def close(self) -> None: ...


class Connection(Protocol):
    """What is needed of a connection to a host (orchestrator.ssh.Connection)."""

    @property
    def endpoint(self) -> Any: ...
    def stream(self, command: str) -> Stream: ...


_packing = threading.Lock()


def runner_payload(modules: frozenset[str]) -> bytes:
    """What to send to a host. Hosts are reached at once: the first packs it, and the others wait instead of doing it too."""
    with _packing:
        return packed_runner(modules)


@functools.cache
def packed_runner(modules: frozenset[str]) -> bytes:
    """It is the same for every host that is asked for these modules."""
    return payload(program(modules))


class Channel:
    """A context manager. Every call raises HostError or an UnreachableError where the runner or the connection is gone.

    ``modules``: those of the steps that will be sent, and SETUP (remote_agent.contract.bootstrap) where facts will be asked for.
    """

    def __init__(self, connection: Connection, modules: Collection[str] = ()) -> None:
        self.host = str(connection.endpoint.host)
        self._stream = connection.stream(COMMAND)
        self._stdin: IO[bytes] = self._stream.stdin
        self._stdout: IO[bytes] = self._stream.stdout
        self._greeted = False
        self._steps = bytearray()
        self._under_way = 0
        self._said(lambda: self._stdin.write(runner_payload(frozenset(modules))))
        self._said(self._stdin.flush)

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def greeted(self) -> Channel:
        """This channel, once the runner has answered. Raises PythonMissing among what every call raises."""
        if not self._greeted:
            self._greet()
        return self

    def facts(self) -> dict[str, Any]:
        """What the host says of itself."""
        self._write({"type": "facts"})
        frame = self._read()
        if frame["type"] != "facts":
            raise self._broken(f"a frame '{frame['type']}' came instead of facts")
        return dict(frame["facts"])

    def send(self, step: Step) -> None:
        """A runner that has nothing to do gets it at once; else steps are gathered, and go together when somebody waits."""
        self._steps += packed_frame({"type": "step", "step": step.to_json()})
        if not self._under_way or len(self._steps) >= TOGETHER_BYTES:
            self._flush()
        self._under_way += 1

    def outcome(
        self,
        blobs: BlobSource,
        progress: Callable[[int, str], None],
        take: Callable[[bytes], None] = lambda data: None,
    ) -> Outcome:
        """The next outcome. On the way the host gets the blobs that it lacks; ``progress`` gets a step's id and a message,
        ``take`` the parts of the file that the step brings back."""
        while True:
            frame = self._read()
            if frame["type"] == "outcome":
                self._under_way -= 1
                return Outcome.from_json(frame["outcome"])
            if frame["type"] == "need":
                self._supply(str(frame["sha256"]), blobs)
            elif frame["type"] == "progress":
                progress(int(frame["step"]), str(frame["message"]))
            elif frame["type"] == "data":
                take(self._data(int(frame["size"])))
            else:
                raise self._broken(f"an unknown frame '{frame['type']}' came")

    def end(self) -> None:
        """Say that there are no more steps, and wait for the runner's good-bye."""
        self._write({"type": "end"})
        while self._read()["type"] != "bye":
            pass
        self._stream.wait(END_SECONDS)

    def _supply(self, sha256: str, blobs: BlobSource) -> None:
        path = blobs.path(sha256)
        if path is None or not path.is_file():
            reason = f"The controller has no file with the content {sha256[:12]}{f' ({path} is gone)' if path else ''}."
            self._write({"type": "no_blob", "sha256": sha256, "reason": reason})
            return
        size = path.stat().st_size
        self._flush()
        self._said(lambda: write_blob(self._stdin, sha256, size, chunks_of(path)))

    def _write(self, frame: Mapping[str, Any]) -> None:
        self._flush()
        self._said(lambda: write_frame(self._stdin, frame))

    def _flush(self) -> None:
        if self._steps:
            steps, self._steps = bytes(self._steps), bytearray()
            self._said(lambda: self._stdin.write(steps))
            self._said(self._stdin.flush)

    def _said(self, write: Callable[[], object]) -> None:
        """A runner that ended early says why on standard error: that is worth more than a broken pipe."""
        try:
            write()
        except WireError as error:
            raise self._broken(str(error)) from error
        except HostError as error:
            if not self._greeted:
                self._greet()  # what came instead of a greeting says more
            raise self._broken(error.message.removeprefix(f"{self.host}: ")) from error

    def _greet(self) -> None:
        try:
            read_hello(self._stdout)
        except WireError as error:
            raise self._broken(str(error)) from error
        self._greeted = True

    def _read(self) -> dict[str, Any]:
        self._flush()
        self.greeted()
        try:
            frame = read_frame(self._stdout)
        except WireError as error:
            raise self._broken(str(error)) from error
        if frame is None:
            raise self._broken("the runner ended before it had done everything")
        return frame

    def _data(self, size: int) -> bytes:
        try:
            return read_data(self._stdout, size)
        except WireError as error:
            raise self._broken(str(error)) from error

    def _broken(self, what: str) -> HostError | ConnectionLost:
        try:
            status: int | None = self._stream.wait(BROKEN_SECONDS)
        except ConnectionTimeout:  # it goes on, and speaks another language
            status = None
        said = self._stream.stderr_tail(5).strip()
        line = said.splitlines()[-1].removeprefix("labctl: ") if said else ""
        if status == MISSING and line:
            return PythonMissing(self.host, line)
        if status == TOO_OLD and line:
            return HostError(self.host, line)
        return HostError(
            self.host,
            f"{what}{'' if status is None else f' (exit {status})'}.",
            f"It said: {line}" if line else None,
        )
