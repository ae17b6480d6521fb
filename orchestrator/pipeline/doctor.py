# SPDX-License-Identifier: Apache-2.0
"""What every host can run: facts over SSH from all at the same time, judged by what has been built here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.load.component import declared_handlers
from orchestrator.load.handlers import HostHandler, extra_handlers
from orchestrator.load.language import Language
from orchestrator.load.roles import read_vars_file
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host
from orchestrator.pipeline.reach import Selection
from orchestrator.provision.apply import gather_facts
from orchestrator.provision.doctor import Diagnosis, examine
from orchestrator.ssh import Connection, Results


def doctor(
    selection: Selection, artifacts: Path, folders: Sequence[Path], forks: int = 64
) -> Results[Diagnosis]:
    """``artifacts`` is the vars file that a build leaves; it need not be there. ``folders`` hold components.

    Raises ConfigError: the vars file, a component or an inventory's handler is wrong.
    """
    built = read_artifacts(artifacts)
    handlers = {host.name: handlers_of(host, folders) for host in selection.hosts}

    def look(host: Host, connection: Connection) -> Diagnosis:
        return examine(gather_facts(connection), built, handlers[host.name])

    return selection.on_each(look, forks)


def handlers_of(host: Host, folders: Sequence[Path]) -> tuple[HostHandler, ...]:
    """The handlers that components in ``folders`` and the host's inventory declare, by name. Raises ConfigError."""
    handlers = {
        handler.name: HostHandler(handler.name, handler.kind, component)
        for component, handler in declared_handlers(folders).items()
    }
    for name, handler in extra_handlers(host).items():
        handlers[name] = HostHandler(name, handler.kind)
    return tuple(handlers.values())


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
