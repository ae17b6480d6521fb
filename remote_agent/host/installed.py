# SPDX-License-Identifier: Apache-2.0
"""What labctl has installed on this host, as /opt/labctl tells it: the artifacts in use, and the adapters in place."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PREFIX = "opt/labctl"
_TOLD = ("version", "source", "key", "files")


def installed(root: str = "/", prefix: str = PREFIX) -> dict[str, Any]:
    """``components``: name -> version, source, key and files (name -> sha256, as built) of what its link `current` names, each
    None where the artifact does not tell it. ``adapters``: the names of the programs that stand in for real ones here.

    Nothing is verified: the hashes are those of the build, not of what lies there now.
    """
    top = os.path.join(root, prefix.lstrip("/"))
    found = {name: _artifact(os.path.join(top, name, "current")) for name in _names(top)}
    return {
        "components": {name: told for name, told in found.items() if told is not None},
        "adapters": _names(os.path.join(top, "adapters")),
    }


def _artifact(folder: str) -> dict[str, Any] | None:
    """None where there is no artifact: nothing switched to it, or it is something else (the agent)."""
    try:
        with open(os.path.join(folder, "artifact.json"), encoding="utf-8") as stream:
            told = json.load(stream)
    except (OSError, ValueError):
        return None
    return _chosen(told) if isinstance(told, dict) else None


def _chosen(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told.get(name) for name in _TOLD}


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
