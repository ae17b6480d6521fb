# SPDX-License-Identifier: Apache-2.0
"""A Unix socket here, joined to a program there: so that a gRPC client can say ``unix:PATH`` and reach a host's agent."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from orchestrator.model.errors import HostError, LabctlError
from orchestrator.ssh.private import new_folder
from orchestrator.ssh.stream import Stream

MOST_CONNECTIONS = 8
"""sshd opens 10 sessions on a connection by default; the others are for those who own the connection."""
CHUNK = 64 * 1024
CLOSE_SECONDS = 2.0
LINGER_SECONDS = 3600.0
"""How long a program may still read after it has ended its output."""


class Relay:
    """A context manager: inside, ``path`` is a socket in a private folder (mode 700), and each connection to it gets its
    own run of the program. Outside, socket, folder, connections and threads are gone.
    """

    def __init__(self, open_stream: Callable[[], Stream], most: int = MOST_CONNECTIONS) -> None:
        self._open_stream = open_stream
        self._slots = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._joints: set[_Joint] = set()
        self._failure: LabctlError | None = None
        self._closing = False
        self._folder = Path()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    @property
    def path(self) -> Path:
        return self._folder / "socket"

    @property
    def failure(self) -> LabctlError | None:
        """Why the newest connection that failed did so: gRPC itself only says that its peer is unavailable."""
        return self._failure

    def __enter__(self) -> Relay:
        self._folder = new_folder()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(16)
        self._acceptor = threading.Thread(
            target=self._accept, args=(self._listener,), name="relay", daemon=True
        )
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closing = True
            joints = tuple(self._joints)
        if self._listener is not None:
            _shut(self._listener, socket.SHUT_RDWR)  # wakes the thread in accept()
            self._listener.close()
        for joint in joints:
            joint.close()
        for joint in joints:
            joint.join(CLOSE_SECONDS)
        if self._acceptor is not None:
            self._acceptor.join(CLOSE_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            if self._slots.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(near,), name="relay-open", daemon=True).start()
            else:
                near.close()

    def _serve(self, near: socket.socket) -> None:
        """One connection, from its beginning to its end."""
        try:
            self._join(near)
        except LabctlError as error:
            self._failure = error
        finally:
            near.close()
            self._slots.release()

    def _join(self, near: socket.socket) -> None:
        stream = self._open_stream()
        joint = _Joint(near, stream)
        with self._lock:
            self._joints.add(joint)
            closing = self._closing
        try:
            if not closing:
                joint.run()
        finally:
            joint.close()
            with self._lock:
                self._joints.discard(joint)


class _Joint:
    """Both directions between a socket here and a program there. Each side may end its own direction first."""

    def __init__(self, near: socket.socket, far: Stream) -> None:
        self._near, self._far = near, far
        self._ended = threading.Event()
        self._closed = False

    def run(self) -> None:
        """Until the program has ended its output. Raises HostError where it failed, ConnectionLost."""
        upwards = threading.Thread(target=self._upwards, name="relay-up", daemon=True)
        upwards.start()
        try:
            self._downwards()
            self._check()
        except LabctlError:
            if not self._closed:
                raise
        finally:
            _shut(self._near, socket.SHUT_RDWR)  # wakes the other direction
            upwards.join(CLOSE_SECONDS)
            self._ended.set()

    def close(self) -> None:
        """From any thread, more than once."""
        self._closed = True
        _shut(self._near, socket.SHUT_RDWR)
        self._far.close()

    def join(self, timeout: float) -> None:
        self._ended.wait(timeout)

    def _upwards(self) -> None:
        try:
            while data := self._near.recv(CHUNK):
                self._far.stdin.write(data)
            self._far.stdin.close()
        except OSError:
            self._far.close()  # the near side is gone
        except LabctlError:
            _shut(self._near, socket.SHUT_RD)  # the far side reads no more; what it says still comes

    def _downwards(self) -> None:
        while data := self._far.stdout.read1(CHUNK):
            try:
                self._near.sendall(data)
            except OSError:
                return
        _shut(self._near, socket.SHUT_WR)

    def _check(self) -> None:
        """A program that ended by itself and not well says why on its standard error."""
        status = self._far.wait(LINGER_SECONDS)
        if status != 0:
            raise HostError(
                self._far.host,
                f"the program behind the relay ended with status {status}.",
                self._far.stderr_tail(3) or None,
            )


def _shut(near: socket.socket, how: int) -> None:
    try:
        near.shutdown(how)
    except OSError:
        return  # it was not connected any more
