# SPDX-License-Identifier: Apache-2.0
"""OCI handlers that this host cannot have, as its provisioning wrote them down: a run calls them not supported, with the reason."""

from __future__ import annotations

import json
from pathlib import Path

FILE = "opt/labctl/missing.json"


def missing_handlers(root: Path = Path("/")) -> dict[str, str]:
    """Return each such handler with a sentence that says why; {} where the file is not there or cannot be read."""
    try:
        components = json.loads((root / FILE).read_text(encoding="utf-8"))
        return {entry["handler"]: entry["reason"] for entry in components.values() if entry.get("handler")}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}
