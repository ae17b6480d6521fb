# SPDX-License-Identifier: Apache-2.0
"""``throttle: N`` at a task: at most N hosts carry it out at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.model.inventory import Origin
from orchestrator.model.playbook import Task


class Throttles:
    """Of one call, for all of its hosts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[Origin, threading.Semaphore] = {}

    @contextmanager
    def turn(self, task: Task) -> Iterator[None]:
        """Wait until fewer than ``task.throttle`` hosts are at it, and count among them until the end."""
        with self._lock:
            turns = self._turns.setdefault(task.origin, threading.Semaphore(task.throttle))
        with turns:
            yield
