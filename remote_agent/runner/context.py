# SPDX-License-Identifier: Apache-2.0
"""What a module is given (Context) and what it gives back (ModuleResult, or raises ModuleFailure)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from remote_agent.contract.lean import dataclass, field
from remote_agent.contract.steps import BlobRef
from remote_agent.runner.completed import Completed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from remote_agent.runner.foresight import Foresight, Predicted

    class Blobs(Protocol):
        def path(self, ref: BlobRef) -> Path:
            """Where the blob lies on this host, verified; waits until it has come. Raises ModuleFailure."""

    class RunCommand(Protocol):
        def __call__(
            self,
            argv: list[str],
            *,
            stdin: bytes | None,
            chdir: str | None,
            environment: Mapping[str, str],
            timeout: float,
        ) -> Completed: ...


TAIL_LINES = 10


class ModuleFailure(Exception):
    """The step failed. ``msg`` is one sentence; ``result`` holds Ansible's return values as far as there are any."""

    def __init__(self, msg: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.result = dict(result or {})


@dataclass(frozen=True, slots=True)
class ModuleResult:
    """``result``: Ansible's return values without changed, failed, skipped and msg, which are added from here."""

    changed: bool
    result: Mapping[str, Any] = field(default_factory=dict)
    msg: str = ""
    diff: str | None = None
    skipped: bool = False


def _execute(argv: list[str], **rest: Any) -> Completed:
    from remote_agent.runner.commands import (
        run_command,  # whoever starts nothing need not wait until all that it takes is imported
    )

    return run_command(argv, **rest)


@dataclass(frozen=True, slots=True)
class Context:
    """Everything outside a module that it may touch. ``root`` stands for / in the paths that a module knows by itself (not in those
    of its arguments), so that a test need not be the machine. ``now`` is Unix time, ``timeout`` seconds for each command. ``foresight`` has
    what earlier steps of this session were predicted to make; it is there in check mode."""

    blobs: Blobs
    check: bool = False
    diff: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 1800.0
    root: Path = Path("/")
    progress: Callable[[str], None] = lambda message: None
    deliver: Callable[[bytes], None] = lambda data: None  # the next part of a file, to the controller
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    execute: RunCommand = _execute
    foresight: Foresight | None = None

    def will_exist(self, path: Path | str) -> bool:
        """Is it there, links followed, or where nothing is changed predicted to be?"""
        return os.path.exists(path) if self.foresight is None else self.foresight.exists(path)

    def predicted(self, path: Path | str) -> Predicted | None:
        """What earlier steps were predicted to make of the path; None where it is as it is on disk."""
        return None if self.foresight is None else self.foresight.of(path)

    def predicts(self, path: Path | str, predicted: Predicted) -> None:
        """In check mode: what comes later may count on this."""
        if self.foresight is not None:
            self.foresight.will_be(path, predicted)

    def run_command(
        self,
        argv: list[str],
        *,
        stdin: bytes | None = None,
        chdir: str | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Run it to its end in its own process group. Raises ModuleFailure where it cannot start or takes too long."""
        seconds = self.timeout if timeout is None else timeout
        merged = {**self.environment, **(environment or {})}
        try:
            done = self.execute(argv, stdin=stdin, chdir=chdir, environment=merged, timeout=seconds)
        except FileNotFoundError as error:
            raise ModuleFailure(
                f"{error.filename or argv[0]} does not exist on this host.", {"rc": 2, "cmd": argv}
            ) from error
        except OSError as error:
            raise ModuleFailure(
                f"{argv[0]} could not be started: {error.strerror}.", {"rc": error.errno, "cmd": argv}
            ) from error
        if done.timed_out:
            raise ModuleFailure(
                f"{argv[0]} was stopped after its {seconds:g} s.",
                {**done.to_result(), "stderr": tail(done.stderr)},
            )
        return done


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a text."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def last_line(text: str) -> str:
    """The last line that says something, or "no output"."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")


def first_line(text: str) -> str:
    """The first line that says something, or "no output"."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no output")
