# SPDX-License-Identifier: Apache-2.0
"""What a command was, and said."""

from __future__ import annotations

from remote_agent.contract.lean import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True)
class Completed:
    """``stdout`` and ``stderr`` are text: what is not UTF-8 is replaced."""

    argv: list[str]
    rc: int
    stdout: str
    stderr: str
    timed_out: bool = False

    def to_result(self) -> dict[str, Any]:
        return {"cmd": self.argv, "rc": self.rc, "stdout": self.stdout, "stderr": self.stderr}
