# SPDX-License-Identifier: Apache-2.0
"""One connection's work: steps in, outcomes out, in order."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from remote_agent.contract.lean import dataclass, field, replace
from remote_agent.contract.steps import BlobRef, Outcome, Status, Step
from remote_agent.contract.wire import write_data, write_frame
from remote_agent.runner.blobs import BlobError, BlobStore
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.environment import task_environment
from remote_agent.runner.foresight import Foresight
from remote_agent.runner.inbox import Inbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

    Module = Callable[[Mapping[str, Any], Context], ModuleResult]


QUICK = frozenset(("copy", "file", "lineinfile", "replace", "stat", "template"))
"""Modules that start no program and wait for nothing but the disk: an outcome may travel with that of the next of these."""
TOGETHER_S = 0.5
"""But not later than that."""

WITHHELD = "The step failed; what it said is withheld (no_log)."


def find_module(name: str) -> Module:
    """The module's function. Raises ModuleFailure where this runner has no such module."""
    path = f"remote_agent.runner.modules.{name}"
    try:
        if not name.isidentifier():
            raise ModuleNotFoundError(name=path)
        module: Module = importlib.import_module(path).run
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        raise ModuleFailure(f"The runner has no module {name!r}.") from error
    return module


@dataclass(frozen=True, slots=True)
class SessionBlobs:
    """Blobs from the cache, else from the controller, for one step."""

    store: BlobStore
    inbox: Inbox
    output: IO[bytes]
    progress: Callable[[str], None]
    used: set[str] = field(default_factory=set)

    def path(self, ref: BlobRef) -> Path:
        self.used.add(ref.sha256)
        found, spoilt = self.store.find(ref)
        if found is not None:
            return found
        if spoilt:
            self.progress(f"The cached copy of {ref.sha256[:12]} was damaged; it is fetched again.")
        write_frame(self.output, {"type": "need", "sha256": ref.sha256})
        try:
            self.inbox.wait_for_blob(ref)
        except BlobError as error:
            raise ModuleFailure(str(error)) from error
        found, _ = self.store.find(ref)
        if found is None:
            raise ModuleFailure(f"Blob {ref.sha256[:12]} has not the {ref.size} bytes that the step names.")
        return found


class Session:
    """Takes frames until `end`; after a failed step with ``stop_on_failure`` it drops the later ones without a word."""

    def __init__(
        self, inbox: Inbox, output: IO[bytes], store: BlobStore, facts: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._inbox, self._output, self._store, self._facts = inbox, output, store, facts
        self._stopped = False
        self._flushed = 0.0
        self._foresight = Foresight()

    def serve(self) -> None:
        """Carry out whatever comes."""
        while (frame := self._next())["type"] != "end":
            if frame["type"] == "facts":
                write_frame(self._output, {"type": "facts", "facts": dict(self._facts())})
            elif frame["type"] == "step" and not self._stopped:
                step = Step.from_json(frame["step"])
                outcome = self._carry_out(step)
                self._stopped = outcome.status is Status.FAILED and step.stop_on_failure
                write_frame(self._output, {"type": "outcome", "outcome": outcome.to_json()}, flush=False)
        write_frame(self._output, {"type": "bye"})

    def _next(self) -> dict[str, Any]:
        """The next frame. What happened so far is told first, unless a few moments more bring more to tell."""
        frame, now = self._inbox.next_if_there(), time.monotonic()
        quick = frame is not None and frame["type"] == "step" and frame["step"]["module"] in QUICK
        if not quick or now - self._flushed > TOGETHER_S:
            self._output.flush()
            self._flushed = now
        return self._inbox.next() if frame is None else frame

    def _carry_out(self, step: Step) -> Outcome:
        def progress(message: str) -> None:
            if not step.no_log:
                write_frame(self._output, {"type": "progress", "step": step.id, "message": message})

        started = time.monotonic()
        blobs = SessionBlobs(self._store, self._inbox, self._output, progress)
        context = Context(
            blobs=blobs,
            check=step.check,
            diff=step.diff and not step.no_log,
            deliver=lambda data: write_data(self._output, step.id, data),
            environment={name: str(value) for name, value in step.environment.items()},
            timeout=step.timeout,
            progress=progress,
            foresight=self._foresight if step.check and step.predicting else None,
        )
        try:
            outcome = execute(step, context)
        finally:
            for sha256 in blobs.used if step.no_log else ():
                self._store.forget(sha256)
        return replace(outcome, seconds=time.monotonic() - started)


def execute(step: Step, context: Context) -> Outcome:
    """What becomes of one step. A module's failure and the system's refusals are outcomes, never exceptions."""
    try:
        with task_environment(context.environment):
            done = find_module(step.module)(step.args, context)
    except ModuleFailure as failure:
        return _failed(step, failure.msg, failure.result)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(step, f"{where}{error.strerror or error}.", {})
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # a defect of ours, or an argument that no check foresaw: say where, keep the connection
        return _failed(step, f"{step.module}: unexpected {_where(error)}: please report this.", {})
    except Exception as error:
        if not step.no_log:
            raise
        # it ends the runner, which says on standard error why: a command line, or a value, may stand in the text
        raise RuntimeError(
            f"{step.module}: {type(error).__name__}; what it says is withheld (no_log)"
        ) from None
    status = Status.SKIPPED if done.skipped else Status.CHANGED if done.changed else Status.OK
    result = {"changed": done.changed, "failed": False, **done.result}
    if done.skipped:
        result["skipped"] = True
    if done.msg:
        result["msg"] = done.msg
    return Outcome(
        step.id, status, "" if step.no_log else done.msg, result, None if step.no_log else done.diff
    )


def _failed(step: Step, msg: str, result: Mapping[str, Any]) -> Outcome:
    said = {"changed": False, "failed": True, "msg": msg, **result}
    return Outcome(step.id, Status.FAILED, WITHHELD if step.no_log else msg, said)


def _where(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = (
        f" in {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame is not None else ""
    )
    return f"{type(error).__name__}{place} ({error})"
