# SPDX-License-Identifier: Apache-2.0
"""The controller's side of `ansible.builtin.fetch`: where a host's file goes, and how it is written there, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from orchestrator.files import aside
from remote_agent.contract.digests import digest_of, new_digest
from remote_agent.contract.lean import replace
from remote_agent.contract.steps import Outcome, Status
from remote_agent.contract.truth import truth_of


class DestinationProblem(ValueError):
    """The file cannot go where the task says. The text is one sentence."""


def fetch_arguments(args: Mapping[str, Any], host: str, directory: Path) -> dict[str, Any]:
    """The arguments for the runner: ``dest`` in full, and ``_have``, the SHA-1 of what is there (None: no file).

    ``directory`` is the playbook's, where a relative ``dest`` begins. Raises DestinationProblem, OSError.
    """
    dest = _destination(
        str(args["src"]), str(args["dest"]), host, directory, bool(truth_of(args.get("flat")))
    )
    if dest.is_dir():
        raise DestinationProblem(f"{dest} is a folder: end it with a slash, or name the file in it.")
    have = None
    if dest.is_file():
        have = digest_of(dest, "sha1")
    return {**args, "dest": str(dest), "_have": have}


def _destination(src: str, dest: str, host: str, directory: Path, flat: bool) -> Path:
    """As in Ansible: DEST/HOST/SRC; with ``flat`` DEST itself, or in it where it ends with a slash."""
    top = directory / Path(dest).expanduser()
    if flat:
        return top / Path(src).name if dest.endswith("/") else top
    path = Path(os.path.normpath(f"{top}/{host}/{src}"))
    if not path.is_relative_to(os.path.normpath(top / host)):
        raise DestinationProblem(f"src leaves {top / host} by its '..': write it without.")
    return path


class Incoming:
    """A file on its way: its bytes go aside, and take their place in `settle`. A context manager; at its end nothing half is left.

    A local error is remembered and told by `settle`: the bytes have to be taken off the channel all the same.
    """

    def __init__(self, args: Mapping[str, Any]) -> None:
        """``args`` are those of the step."""
        self._dest = Path(str(args["dest"]))
        self._validate = args.get("validate_checksum") is None or bool(truth_of(args["validate_checksum"]))
        self._aside = ExitStack()
        self._file: IO[bytes] | None = None
        self._digest = new_digest("sha1")
        self._problem: OSError | None = None

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whatever has not taken its place by now does not take it any more: `aside` removes it for any exception.
        abandoned = error or DestinationProblem("abandoned")
        self._aside.__exit__(type(abandoned), abandoned, trace)

    def take(self, data: bytes) -> None:
        self._digest.update(data)
        try:
            if self._problem is None:
                self._open().write(data)
        except OSError as error:
            self._problem = error

    def settle(self, outcome: Outcome, check: bool) -> Outcome:
        """What became of the step, now that the file is here, or is not."""
        if outcome.status is not Status.CHANGED or check:
            return outcome
        if self._validate and self._digest.hexdigest() != outcome.result.get("checksum"):
            return _failed(
                outcome, f"checksum mismatch: what came for {self._dest} is not what the host sent."
            )
        try:
            if self._problem is not None:
                raise self._problem
            self._open().flush()
            self._aside.close()
        except OSError as error:
            return _failed(outcome, f"{self._dest} cannot be written here: {error.strerror}.")
        return outcome

    def _open(self) -> IO[bytes]:
        if self._file is None:
            beside = self._aside.enter_context(aside(self._dest))
            self._file = self._aside.enter_context(beside.open("wb"))
        return self._file


def _failed(outcome: Outcome, message: str) -> Outcome:
    result = {**outcome.result, "changed": False, "failed": True, "msg": message}
    return replace(outcome, status=Status.FAILED, msg=message, result=result)
