# SPDX-License-Identifier: Apache-2.0
"""What every host can run: facts over SSH from all at the same time, judged by what has been built here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.load.language import Language
from orchestrator.load.roles import read_vars_file
from orchestrator.model.errors import ConfigError
from orchestrator.model.text import printable_value
from orchestrator.pipeline.reach import Selection
from orchestrator.provision.apply import gather_facts
from orchestrator.provision.doctor import Diagnosis, examine
from orchestrator.ssh import Results


def doctor(selection: Selection, artifacts: Path, forks: int = 64) -> Results[Diagnosis]:
    """``artifacts`` is the vars file that a build leaves; it need not be there. Raises ConfigError: it is wrong."""
    built = read_artifacts(artifacts)
    return selection.on_each(
        lambda _, connection: examine(printable_value(gather_facts(connection)), built), forks
    )


def read_artifacts(path: Path) -> Mapping[str, Any] | None:
    """Its `labctl_artifacts`, or None where there is no such file. Raises ConfigError."""
    if not path.exists():
        return None
    found = read_vars_file(path, Language()).get("labctl_artifacts")
    if not isinstance(found, Mapping):
        raise ConfigError(
            "labctl_artifacts is missing.", file=path, hint="`labctl build` writes this file anew."
        )
    return found
