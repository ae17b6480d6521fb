# SPDX-License-Identifier: Apache-2.0
"""The same work on many hosts at once: capped, in the inventory's order, and never stopped by one host's failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from orchestrator.model.errors import LabctlError
from orchestrator.model.inventory import Host

T = TypeVar("T")

POLL_SECONDS = 0.2
"""How often the waiting main thread looks up, so that Ctrl-C is always heard."""


@dataclass(frozen=True, slots=True)
class Results(Generic[T]):
    """What each host gave, by its name; both in the order of the hosts that were asked."""

    succeeded: dict[str, T]
    failed: dict[str, LabctlError]


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    host: Host
    value: T | None = None
    error: BaseException | None = None


def fan_out(
    hosts: Iterable[Host],
    work: Callable[[Host], T],
    forks: int = 64,
    on_end: Callable[[Host, T | LabctlError], None] | None = None,
) -> Results[T]:
    """Do ``work`` on every host, at most ``forks`` at a time; ``on_end`` is called in this thread when a host ends.

    An error of our tree fails its host alone. Anything else is a defect and is raised here, as is KeyboardInterrupt:
    then no further host is begun, and what is under way is left to its daemon threads.
    """
    order = list(hosts)
    waiting: SimpleQueue[Host] = SimpleQueue()
    ended: SimpleQueue[_Ended[T]] = SimpleQueue()
    for host in order:
        waiting.put(host)
    stop = threading.Event()
    for number in range(min(max(forks, 1), len(order))):
        threading.Thread(
            target=_worker, args=(waiting, ended, work, stop), name=f"fan-out-{number}", daemon=True
        ).start()
    try:
        return _collect(order, ended, on_end)
    finally:
        stop.set()


def _worker(
    waiting: SimpleQueue[Host],
    ended: SimpleQueue[_Ended[T]],
    work: Callable[[Host], T],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            host = waiting.get_nowait()
        except Empty:
            return
        try:
            ended.put(_Ended(host, value=work(host)))
        except BaseException as error:  # noqa: BLE001  # nothing is swallowed: the thread that waits raises it
            ended.put(_Ended(host, error=error))


def _collect(
    order: list[Host],
    ended: SimpleQueue[_Ended[T]],
    on_end: Callable[[Host, T | LabctlError], None] | None,
) -> Results[T]:
    values: dict[str, T] = {}
    errors: dict[str, LabctlError] = {}
    for _ in order:
        end = _next(ended)
        name = end.host.name
        if isinstance(end.error, LabctlError):
            errors[name] = end.error
        elif end.error is not None:
            raise end.error
        else:
            values[name] = end.value  # type: ignore[assignment]  # T may itself be None
        if on_end is not None:
            on_end(end.host, errors[name] if name in errors else values[name])
    names = [host.name for host in order]
    return Results(
        {name: values[name] for name in names if name in values},
        {name: errors[name] for name in names if name in errors},
    )


def _next(ended: SimpleQueue[_Ended[T]]) -> _Ended[T]:
    while True:
        try:
            return ended.get(timeout=POLL_SECONDS)
        except Empty:
            continue
