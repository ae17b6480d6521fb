# SPDX-License-Identifier: Apache-2.0
"""What happens while hosts are provisioned, as data: for the terminal, the logs and `--json` alike. No secret is in it (no_log)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from orchestrator.model.text import printable, printable_line
from remote_agent.contract.steps import Status

TAIL_LINES = 10


class Kind(StrEnum):
    CONNECTED = "connected"
    PLAY = "play"
    TASK = "task"
    PROGRESS = "progress"
    ITEM = "item"
    RESULT = "result"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Event:
    """``task`` events say that it is this task's turn, ``item`` events end one item of its loop, ``result`` events the task.

    ``place`` is ``file:line`` of the task, ``items`` how many a loop's result joins, ``detail`` the last lines of what a failed
    command said. ``number`` counts the host's tasks from 1, ``total`` is how many are selected for it (without handlers).
    """

    kind: Kind
    host: str
    play: str = ""
    task: str = ""
    module: str = ""
    place: str = ""
    status: Status | None = None
    ignored: bool = False
    label: str | None = None
    msg: str = ""
    detail: str = ""
    diff: str | None = None
    seconds: float = 0.0
    items: int = 0
    number: int = 0
    total: int = 0

    def printable(self) -> Event:
        """The event as people may read it: what it quotes from a host cannot drive their terminal. `to_json` has the exact text."""
        texts = (self.play, self.task, self.place, self.label or "", self.msg, self.detail, self.diff or "")
        if all(text.isprintable() for text in texts):  # nearly every event, and there are many
            return self
        return replace(
            self,
            play=printable_line(self.play),
            task=printable_line(self.task),
            place=printable_line(self.place),
            label=None if self.label is None else printable_line(self.label),
            msg=printable_line(self.msg) if self.kind is Kind.PROGRESS else printable(self.msg),
            detail=printable(self.detail),
            diff=None if self.diff is None else printable(self.diff),
        )

    def to_json(self) -> dict[str, Any]:
        """Without what is empty."""
        return {
            name: value
            for name, value in asdict(self).items()
            if value not in (None, "", False) or name == "host"
        }


class EventSink(Protocol):
    """Called from many threads, one a host."""

    def emit(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class HostReport:
    """How many tasks of a host ended how; ``ok`` counts the changed ones too, as Ansible's recap does.

    ``error`` is one sentence where the host failed or was lost; ``exit_code`` is 0, or that of its error. ``seconds`` from the first
    attempt to connect.
    """

    host: str
    ok: int = 0
    changed: int = 0
    skipped: int = 0
    failed: int = 0
    ignored: int = 0
    unreachable: int = 0
    error: str | None = None
    hint: str | None = None
    exit_code: int = 0
    seconds: float = 0.0

    def printable(self) -> HostReport:
        """As `Event.printable`."""
        error, hint = (None if text is None else printable(text) for text in (self.error, self.hint))
        return replace(self, error=error, hint=hint)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
