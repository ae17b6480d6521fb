# SPDX-License-Identifier: Apache-2.0
"""The controller is gone, or somebody tells us to end: what is going on is unwound, except where that would lose a process."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """Unwind, remove what is half-written, and go."""


class _State:
    holding = False
    came = False


def listen() -> None:
    """From now on each of SIGNALS raises Interrupted in the main thread, once."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)


class Held:
    """A context manager, for the main thread: a signal that comes in it raises Interrupted at its end.

    Around the start of a process and the making of a file: one that nobody knows of yet could not be ended, or removed.
    """

    def __enter__(self) -> None:
        _State.holding = True

    def __exit__(self, *_: object) -> None:
        _State.holding = False
        if _State.came:
            raise Interrupted


def _interrupt(number: int, frame: FrameType | None) -> None:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)  # the clean-up itself is not interrupted
    if _State.holding:
        _State.came = True
        return
    raise Interrupted
