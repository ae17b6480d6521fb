# SPDX-License-Identifier: Apache-2.0
"""What this machine has of what labctl needs: the commands and files of `orchestrator.model.system_packages`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator.lab.system import find_tool
from orchestrator.model.errors import LabError
from orchestrator.model.system_packages import Needs, install_hint

AS_ROOT = 'Run labctl as root: sudo "$(command -v labctl)" ...'
Which = Callable[[str], str | None]


def missing(needs: Needs, which: Which = find_tool) -> Needs:
    """Return the part of ``needs`` that this machine lacks."""
    return {proof: package for proof, package in needs.items() if not _is_there(proof, which)}


def cannot_begin(what: str, lacking: Needs, root: bool = False) -> LabError:
    """Return the error that says all that ``what`` (a plural) needs and does not have: root's rights, commands, files."""
    needed = ["root"] if root else []
    needed += [f"{', '.join(lacking)}, which this machine lacks"] if lacking else []
    hints = [install_hint(lacking.values())] if lacking else []
    hints += [AS_ROOT] if root else []
    return LabError(f"{what} need {', and '.join(needed)}.", " ".join(hints))


def _is_there(proof: str, which: Which) -> bool:
    return Path(proof).exists() if proof.startswith("/") else which(proof) is not None
