# SPDX-License-Identifier: Apache-2.0
"""What a prediction says of each host, as data: what would change, what cannot be known beforehand, what is as it should be."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from orchestrator.model.text import printable, printable_line
from orchestrator.provision.events import Event, HostReport, Kind
from remote_agent.contract.steps import UNFORESEEN, Status


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One task, or one item of its loop. ``known`` is False for a command: that it would run is all that can be said."""

    play: str
    task: str
    module: str
    place: str
    label: str | None = None
    diff: str | None = None
    known: bool = True

    def printable(self) -> Foreseen:
        """As `Event.printable`."""
        label, diff = self.label, self.diff
        return replace(
            self,
            task=printable_line(self.task),
            place=printable_line(self.place),
            label=None if label is None else printable_line(label),
            diff=None if diff is None else printable(diff),
        )


@dataclass(frozen=True, slots=True)
class HostPlan:
    """``fine`` tasks need nothing done. ``error`` where the prediction did not come to its end: then more may follow.

    ``messages`` are those of the playbook's `debug` tasks.
    """

    host: str
    foreseen: tuple[Foreseen, ...]
    fine: int
    error: str | None = None
    hint: str | None = None
    messages: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Foreseen, ...]:
        return tuple(entry for entry in self.foreseen if entry.known)

    @property
    def unknown(self) -> tuple[Foreseen, ...]:
        return tuple(entry for entry in self.foreseen if not entry.known)

    def printable(self) -> HostPlan:
        """As `Event.printable`."""
        error, hint = (None if text is None else printable(text) for text in (self.error, self.hint))
        foreseen = tuple(entry.printable() for entry in self.foreseen)
        return replace(self, foreseen=foreseen, error=error, hint=hint)

    def to_json(self) -> dict[str, Any]:
        """Schema: host, changes and unknown (lists of tasks, without what is empty), fine, error, hint, messages."""
        return {
            "host": self.host,
            "changes": [_json(entry) for entry in self.changes],
            "unknown": [_json(entry) for entry in self.unknown],
            "fine": self.fine,
            "error": self.error,
            "hint": self.hint,
            "messages": list(self.messages),
        }


class Foresight:
    """A sink for the events of a prediction, of many hosts at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._foreseen: dict[str, list[Foreseen]] = defaultdict(list)
        self._fine: dict[str, int] = defaultdict(int)
        self._messages: dict[str, list[str]] = defaultdict(list)

    def emit(self, event: Event) -> None:
        if event.kind not in (Kind.ITEM, Kind.RESULT) or event.items:  # a loop's items have said it
            return
        unknown = event.status is Status.SKIPPED and event.msg == UNFORESEEN
        with self._lock:
            if event.status is Status.CHANGED or unknown:
                self._foreseen[event.host].append(_foreseen(event, known=not unknown))
            elif event.status is Status.OK:
                self._fine[event.host] += 1
                if event.module == "debug" and event.msg:
                    self._messages[event.host].append(event.msg)

    def plans(self, reports: Sequence[HostReport]) -> tuple[HostPlan, ...]:
        """In the order of ``reports``."""
        return tuple(
            HostPlan(
                report.host,
                tuple(self._foreseen[report.host]),
                self._fine[report.host],
                report.error,
                report.hint,
                tuple(self._messages[report.host]),
            )
            for report in reports
        )


def _foreseen(event: Event, known: bool) -> Foreseen:
    return Foreseen(event.play, event.task, event.module, event.place, event.label, event.diff, known)


def _json(entry: Foreseen) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if value is not None and name != "known"}


def alike(plans: Sequence[HostPlan]) -> tuple[tuple[HostPlan, ...], ...]:
    """Hosts for which the very same is foreseen, together, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[HostPlan]] = {}
    for plan in plans:
        groups.setdefault((plan.foreseen, plan.fine, plan.error, plan.messages), []).append(plan)
    return tuple(tuple(group) for group in groups.values())
