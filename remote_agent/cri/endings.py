# SPDX-License-Identifier: Apache-2.0
"""The ends of containers, learnt from the runtime's events: a wait, not a poll.

A runtime that sends no events (containerd before 1.7, CRI-O without enable_pod_events) is asked for the container's status
instead, every few milliseconds; an answer says how it was learnt. An event may also be missed (it came before the runtime
had taken the subscription in), so a wait asks for the status once in `NET_S`: a net below the events, not a clock. An event
that is only late (on a slow host) has that time once more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import grpc

from remote_agent.benchmarks.reach import BenchError, Ended
from remote_agent.cri.client import Cri
from remote_agent.gen.runtime.v1 import cri_pb2 as pb

NET_S = 0.5
POLL_S = 0.005
STREAM_S = 86_400.0


class Endings:
    """Of one runtime. `watch` subscribes once; `close` ends the subscription. Methods may be called from any thread."""

    def __init__(self, cri: Cri, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._cri = cri
        self._clock = clock
        self._changed = threading.Condition()
        self._seen: dict[str, int] = {}
        self._stream: grpc.Call | None = None
        self._listening = False

    def watch(self) -> None:
        """From here on ends are heard of. Does nothing where it is watching already."""
        with self._changed:
            if self._listening:
                return
            self._listening = True
            stream = self._cri.runtime.GetContainerEvents(pb.GetEventsRequest(), timeout=STREAM_S)
            self._stream = stream
        threading.Thread(target=self._listen, args=(stream,), name="cri-events", daemon=True).start()

    def close(self) -> None:
        with self._changed:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()  # type: ignore[no-untyped-call]

    def of(self, container: str, timeout_s: float, checkpoint: Callable[[], None]) -> Ended:
        """Wait for the container's end. Raises BenchError after ``timeout_s``, CriError, and what ``checkpoint`` does."""
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self._wait(container, min(NET_S, max(deadline - time.monotonic(), 0)))
            checkpoint()
            ended = self._ended(container, seen)
            if ended is not None and seen is None and self._listening:
                late = self._wait(container, NET_S)
                ended = ended if late is None else replace(ended, seen_ns=late, how="event")
            if ended is not None:
                return ended
            if time.monotonic() >= deadline:
                raise BenchError(f"The container did not end within {timeout_s:g} s.")

    def _wait(self, container: str, seconds: float) -> int | None:
        """When its event came, if it has; without a subscription, after a short pause."""
        with self._changed:
            if self._listening:
                self._changed.wait_for(lambda: container in self._seen or not self._listening, seconds)
            if container in self._seen or self._listening:
                return self._seen.get(container)
        time.sleep(POLL_S)
        return None

    def _ended(self, container: str, seen: int | None) -> Ended | None:
        now = self._clock() if seen is None else seen
        status = self._cri.container_status(container)
        if status.state != pb.CONTAINER_EXITED:
            return None
        how = "status" if seen is None else "event"
        return Ended(status.exit_code, status.reason, status.finished_at - status.started_at, now, how)

    def _listen(self, stream: grpc.Call) -> None:
        try:
            for event in stream:  # type: ignore[attr-defined]  # a stream of replies is a Call and an iterator
                if event.container_event_type == pb.CONTAINER_STOPPED_EVENT:
                    with self._changed:
                        self._seen.setdefault(event.container_id, self._clock())
                        self._changed.notify_all()
        except grpc.RpcError:
            pass  # the runtime sends no events, went away, or nobody needs them any more: statuses are asked for
        finally:
            with self._changed:
                self._listening = False
                self._changed.notify_all()
