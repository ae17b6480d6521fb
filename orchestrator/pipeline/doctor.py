# SPDX-License-Identifier: Apache-2.0
"""What every host can run: facts over SSH from all at the same time, judged by what has been built here, and by what the check before
provisioning says of the host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.load.language import Language
from orchestrator.load.roles import read_vars_file
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host
from orchestrator.pipeline.reach import Selection
from orchestrator.provision.apply import gather_facts
from orchestrator.provision.doctor import Diagnosis, examine
from orchestrator.shipped import shipped
from orchestrator.ssh import Connection, Results

OWNERSHIP = shipped() / "playbooks/files/ownership.py"


def doctor(selection: Selection, artifacts: Path, forks: int = 64) -> Results[Diagnosis]:
    """``artifacts`` is the vars file that a build leaves; it need not be there. Raises ConfigError: it is wrong."""
    built = read_artifacts(artifacts)

    def diagnose(_: Host, connection: Connection) -> Diagnosis:
        return examine(gather_facts(connection), built, refusals(connection))

    return selection.on_each(diagnose, forks)


def refusals(connection: Connection) -> Mapping[str, str]:
    """Each CRI runtime, and why provisioning would not install it; "" where it would. Empty where the host cannot say it."""
    done = connection.run("python3 - examine", stdin=OWNERSHIP.read_bytes())
    answer = json.loads(done.stdout) if done.exit_status == 0 else {}
    return {str(name): str(sentence) for name, sentence in answer.items()}


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
