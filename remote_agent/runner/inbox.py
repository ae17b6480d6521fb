# SPDX-License-Identifier: Apache-2.0
"""What comes from the controller, read ahead by a thread of its own, so that neither side ever waits for the other's writing.

The same thread notices that the controller is gone: while the main thread is in the middle of a step, nobody else would.
"""

from __future__ import annotations

import queue
import select
import threading
from collections import deque
from collections.abc import Callable
from io import BufferedReader

from remote_agent.contract.steps import BlobRef
from remote_agent.contract.wire import WireError, read_frame
from remote_agent.runner.blobs import BlobError, BlobStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE = 600.0
"""Seconds without a single frame or byte of a blob after which a needed blob is given up."""


class Inbox:
    """Frames in order; a blob is stored as it arrives, and only the news of it is queued."""

    def __init__(
        self,
        stream: BufferedReader,
        store: BlobStore,
        lost: Callable[[str], None],
        output: int,
        patience: float = PATIENCE,
    ) -> None:
        """``lost`` is called on the reading thread, with the reason, when the controller is gone or broke the protocol: it must
        interrupt the main thread. ``output`` is the descriptor to watch after `end`."""
        self._stream, self._store, self._lost, self._output = stream, store, lost, output
        self._patience = patience
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._ahead: deque[dict[str, Any]] = deque()

    def start(self, first: dict[str, Any] | None = None) -> None:
        """Begin to read; ``first`` is a frame that somebody has read already."""
        if first is not None:
            self._queue.put(self._digest(first))
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def next(self) -> dict[str, Any]:
        """The next frame that is no news of a blob."""
        while True:
            frame = self._ahead.popleft() if self._ahead else self._queue.get()
            if frame["type"] != "blob_news":
                return frame

    def next_if_there(self) -> dict[str, Any] | None:
        """The same, or None where one would have to wait."""
        while self._ahead or not self._queue.empty():
            frame = self._ahead.popleft() if self._ahead else self._queue.get()
            if frame["type"] != "blob_news":
                return frame
        return None

    def wait_for_blob(self, ref: BlobRef) -> None:
        """Until news of that blob comes; other frames are kept for later. Raises BlobError."""
        while True:
            frame = self._get(ref)
            if frame["type"] != "blob_news":
                self._ahead.append(frame)
            elif frame["sha256"] == ref.sha256:
                if frame["problem"]:
                    raise BlobError(frame["problem"])
                return

    def _get(self, ref: BlobRef) -> dict[str, Any]:
        """The next frame, however long a blob takes that is arriving meanwhile."""
        while True:
            received = self._store.received
            try:
                return self._queue.get(timeout=self._patience)
            except queue.Empty:
                if self._store.received == received:
                    silence = f"The controller sent nothing for {self._patience:g} s"
                    raise BlobError(f"{silence}, and blob {ref.sha256[:12]} is missing.") from None

    def _read(self) -> None:
        try:
            while (frame := read_frame(self._stream)) is not None:
                self._queue.put(self._digest(frame))
                if frame["type"] == "end":
                    self._watch_output()
                    return
            reason = "the connection ended before the last step was sent"
        except (WireError, OSError, KeyError, TypeError, ValueError) as error:
            reason = str(error)
        self._lost(reason)

    def _digest(self, frame: dict[str, Any]) -> dict[str, Any]:
        if frame["type"] == "no_blob":
            return {"type": "blob_news", "sha256": frame["sha256"], "problem": str(frame["reason"])}
        if frame["type"] != "blob":
            return frame
        problem = None
        try:
            self._store.receive(self._stream, str(frame["sha256"]), int(frame["size"]))
        except BlobError as error:
            problem = str(error)
        return {"type": "blob_news", "sha256": frame["sha256"], "problem": problem}

    def _watch_output(self) -> None:
        """After `end` the input may rightly be closed; that nobody reads our output any more shows there."""
        poll = select.poll()
        poll.register(self._output, 0)  # errors and hang-ups are always reported
        poll.poll()
        self._lost("nobody listens any more")
