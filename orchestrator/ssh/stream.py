# SPDX-License-Identifier: Apache-2.0
"""One program on a host, spoken to both ways over one exec channel."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orchestrator.model.errors import ConnectionLost, HostError

if TYPE_CHECKING:
    from paramiko import Channel

    from orchestrator.ssh.failures import Where

SLICE = 32 * 1024
"""paramiko copies what is left with every packet: one big buffer would cost quadratic time."""
TAIL_BYTES = 64 * 1024
READ_BYTES = 64 * 1024
MOST_NOISE = 1024 * 1024
"""A login shell that prints more than this before the program begins has run wild."""


class Stream:
    """``stdin`` takes bytes, ``stdout`` gives them; standard error is drained aside, so that it can never block the program.

    ``mark``: the line behind which the program's own output begins. What a login shell prints before it (a talkative .bashrc, a
    message of the day) is no output of the program.

    A context manager: leaving it closes the channel. Errors: ConnectionLost, and HostError
    where the program makes no progress within its deadline.
    """

    def __init__(self, channel: Channel, where: Where, mark: bytes, already_said: bytes = b"") -> None:
        self._channel = channel
        self._where = where
        self.stdin = _Writer(channel, where)
        self._reader = _Reader(channel, where, mark)
        self.stdout = io.BufferedReader(self._reader, READ_BYTES)
        self._stderr = _Drain(channel, already_said)

    @property
    def host(self) -> str:
        return self._where.host

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stderr_tail(self, lines: int = 10) -> str:
        """The last lines of standard error so far, without the final newline."""
        return "\n".join(self._stderr.text().rstrip("\n").splitlines()[-lines:])

    def shell_tail(self, lines: int = 3) -> str:
        """The last lines of what the login shell printed before the program began, as far as output was read."""
        return "\n".join(self._reader.noise.decode("utf-8", "replace").rstrip("\n").splitlines()[-lines:])

    def wait(self, timeout: float) -> int:
        """The program's exit status, which comes when it has ended. Raises ConnectionLost; HostError: not in time, by a signal."""
        deadline = time.monotonic() + timeout
        if not self._channel.status_event.wait(timeout):
            raise HostError(self._where.host, f"the program did not end within {timeout:g} s.")
        status = self._channel.recv_exit_status()
        self._stderr.join(max(0.1, min(2.0, deadline - time.monotonic())))
        if status >= 0:
            return status
        if not self._channel.eof_received:
            raise lost(self._where, self._channel)
        raise HostError(self._where.host, "the program was ended by a signal.", self.stderr_tail(3) or None)

    def read_all(self, deadline: float) -> bytes:
        """Standard output to its end, which must come before ``deadline`` (of the monotonic clock)."""
        said = bytearray()
        while True:
            self._channel.settimeout(max(0.01, deadline - time.monotonic()))
            data = self.stdout.read1()
            if not data:
                return bytes(said)
            said += data

    def close(self) -> None:
        """Close the channel; the program sees the end of its input, and a hang-up. May be called twice."""
        self._channel.close()
        self._stderr.join(1.0)


class _Writer:
    """Bytes to the program's standard input."""

    def __init__(self, channel: Channel, where: Where) -> None:
        self._channel, self._where = channel, where

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """All of it, in slices; returns how many bytes. Raises ConnectionLost, HostError."""
        view = memoryview(data).cast("B")
        with _speaking(self._channel, self._where):
            for start in range(0, len(view), SLICE):
                self._channel.sendall(bytes(view[start : start + SLICE]))
        return len(view)

    def flush(self) -> None:
        """Nothing is held back: this is here for those who expect a file."""

    def close(self) -> None:
        """The program reads the end of its input; what it says can still be read."""
        if not self._channel.closed:
            with _speaking(self._channel, self._where):
                self._channel.shutdown_write()


class _Reader(io.RawIOBase):
    """The program's standard output as a raw file, for io.BufferedReader: what follows the line ``mark``."""

    def __init__(self, channel: Channel, where: Where, mark: bytes) -> None:
        self._channel, self._where, self._mark = channel, where, mark
        self._pending = b""
        self._begun = False
        self.noise = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._begun:
            self._begin()
        data = self._pending[: len(buffer)] or self._received(len(buffer))
        self._pending = self._pending[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def _begin(self) -> None:
        """Read up to the mark, or to the end of a shell that does not start the program."""
        while not self._begun:
            data = self._received(READ_BYTES)
            self.noise += data
            if len(self.noise) > MOST_NOISE:
                message = f"its login shell prints more than {MOST_NOISE} bytes before any program begins."
                raise HostError(self._where.host, message, "Let .bashrc or .profile print nothing there.")
            before, mark, behind = self.noise.partition(self._mark)
            if mark or not data:
                self._begun, self.noise, self._pending = True, before, behind

    def _received(self, most: int) -> bytes:
        with _speaking(self._channel, self._where):
            data = self._channel.recv(most)
        if not data and not self._channel.eof_received:
            raise lost(self._where, self._channel)
        return data


class _Drain:
    """Reads standard error in a thread and keeps its end."""

    def __init__(self, channel: Channel, already_said: bytes) -> None:
        self._channel = channel
        self._kept = bytearray(already_said)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ssh-stderr", daemon=True)
        self._thread.start()

    def text(self) -> str:
        with self._lock:
            return self._kept.decode("utf-8", "replace")

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            try:
                data = self._channel.recv_stderr(READ_BYTES)
            except TimeoutError:
                continue
            if not data:
                return
            with self._lock:
                self._kept += data
                del self._kept[:-TAIL_BYTES]


def lost(where: Where, channel: Channel) -> ConnectionLost:
    """For an end that nobody announced."""
    from orchestrator.ssh.alive import HostSilent  # it imports paramiko: only who has a connection does

    why = channel.get_transport().saved_exception
    reason = f": {why}" if isinstance(why, HostSilent) else ""
    return ConnectionLost(
        where.host, f"the connection to {where.target} broke{reason}.", "Is the host up? Then do it again."
    )


@contextmanager
def _speaking(channel: Channel, where: Where) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        seconds = channel.gettimeout() or 0.0
        raise HostError(
            where.host, f"the program neither read nor said anything for {seconds:g} s."
        ) from error
    except OSError as error:
        if channel.eof_received:
            raise HostError(where.host, "the program ended before it had read its input.") from error
        raise lost(where, channel) from error
