# SPDX-License-Identifier: Apache-2.0
"""A machine that only remembers what it was asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.lab.system import Done, System
from orchestrator.model.errors import LabError

Answer = Callable[[Sequence[str]], Done | None]


@dataclass
class FakeExecutor:
    """``answers`` are asked in turn for a command; what none knows succeeds silently."""

    answers: list[Answer] = field(default_factory=list)
    ran: list[list[str]] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        stdin: str | None = None,
        timeout: float = 0,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        keep_open: Sequence[int] = (),
    ) -> Done:
        self.ran.append(list(argv))
        if stdin is not None:
            self.inputs[" ".join(argv)] = stdin
        done = next((found for answer in self.answers if (found := answer(argv))), Done(0, "", ""))
        if check and done.code != 0:
            raise LabError(f"`{' '.join(argv)}` ended with {done.code}: {done.stderr}")
        return done

    def when(self, start: str, stdout: str = "", code: int = 0) -> None:
        """Commands that begin with ``start`` answer so; the newest rule wins."""
        self.answers.insert(
            0, lambda argv: Done(code, stdout, "no") if " ".join(argv).startswith(start) else None
        )


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor()


@pytest.fixture
def system(executor: FakeExecutor) -> System:
    return System(executor=executor)
