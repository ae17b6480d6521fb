# SPDX-License-Identifier: Apache-2.0
"""A step is one task, compiled for one host; an outcome is what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from remote_agent.contract.lean import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Status(StrEnum):
    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


UNFORESEEN = "Command would have run if not in check mode"
"""The message of a skipped step that would have run a command: what it would have done cannot be known."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A file of the controller's, named by its content. It travels only if the host asks for it.

    In a step's arguments it stands as ``{"$blob": sha256, "size": bytes}``.
    """

    sha256: str
    size: int

    def to_json(self) -> dict[str, Any]:
        return {"$blob": self.sha256, "size": self.size}

    @classmethod
    def from_json(cls, value: Any) -> BlobRef | None:
        """The reference that ``value`` is, or None if it is something else."""
        if isinstance(value, Mapping) and "$blob" in value:
            return cls(str(value["$blob"]), int(value["size"]))
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """One compiled task. ``module`` is the short name (``copy``); ``args`` hold no template any more.

    ``check`` predicts and changes nothing. ``stop_on_failure`` makes the runner drop every later step;
    where the controller itself must judge the result (failed_when, ignore_errors) it is False. ``no_log``: no argument and no
    return value gets into a message; ``result`` still comes back, for ``register``. ``timeout`` is in seconds, for each command
    that the step runs. ``predicting``: the whole call changes nothing, so a step counts on what earlier ones were predicted to do.
    """

    id: int
    name: str
    module: str
    args: Mapping[str, Any]
    check: bool = False
    diff: bool = False
    no_log: bool = False
    stop_on_failure: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 1800.0
    predicting: bool = False

    def to_json(self) -> dict[str, Any]:
        return _fields(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Step:
        return cls(**{name: value[name] for name in cls.__slots__ if name in value})


@dataclass(frozen=True, slots=True)
class Outcome:
    """``result`` carries Ansible's return values (changed, rc, stdout, stat, ...); ``msg`` is one sentence.

    ``diff`` is a unified diff or None; ``seconds`` is what the step took on the host.
    """

    step: int
    status: Status
    msg: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    diff: str | None = None
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return _fields(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Outcome:
        known = {name: value[name] for name in cls.__slots__ if name in value}
        return cls(**{**known, "status": Status(known["status"])})


def _fields(of: Step | Outcome) -> dict[str, Any]:
    """For JSON at once: dataclasses.asdict would copy every value in it, however deep, which took longer than to write them."""
    return {name: getattr(of, name) for name in of.__slots__}
