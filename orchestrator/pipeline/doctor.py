# SPDX-License-Identifier: Apache-2.0
"""What every host can run: facts over SSH from all at the same time, judged by what has been built here, and by what the check before
provisioning says of the host."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.build.artifacts import entries_of
from orchestrator.load.component import debian_components, declared_handlers
from orchestrator.load.handlers import HostHandler, extra_handlers
from orchestrator.load.language import Language
from orchestrator.load.roles import read_vars_file
from orchestrator.model.artifact import Target
from orchestrator.model.component import Component, Handler
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host
from orchestrator.model.text import printable_line, printable_value
from orchestrator.pipeline.reach import Selection
from orchestrator.provision.apply import gather_facts
from orchestrator.provision.doctor import BuildState, Diagnosis, examine
from orchestrator.shipped import shipped
from orchestrator.ssh import Connection, Results

OWNERSHIP = shipped() / "playbooks/files/ownership.py"


def doctor(
    selection: Selection, artifacts: Path, folders: Sequence[Path], forks: int = 64
) -> Results[Diagnosis]:
    """``artifacts`` is the vars file that a build leaves; it need not be there. ``folders`` hold components.

    Raises ConfigError: the vars file, a component or an inventory's handler is wrong.
    """
    built = read_artifacts(artifacts) or {}
    components, declared = debian_components(folders), declared_handlers(folders)
    handlers = {host.name: handlers_of(host, declared) for host in selection.hosts}

    def diagnose(host: Host, connection: Connection) -> Diagnosis:
        facts = printable_value(gather_facts(connection))
        build = build_state(facts, built, components)
        return examine(facts, build, handlers[host.name], refusals(connection))

    return selection.on_each(diagnose, forks)


def build_state(
    facts: Mapping[str, Any], artifacts: Mapping[str, Any], components: Sequence[Component]
) -> BuildState:
    """Return what the vars file has for the target of the host with ``facts``, and what ``components`` say that it cannot have."""
    target = Target(str(facts.get("architecture")), str(facts.get("distribution_release")))
    entries = entries_of(artifacts, target)
    reasons = {component.name: component.for_release(target.release) for component in components}
    return BuildState(
        target=target.name,
        components=entries.get("components") or {},
        missing={
            **{name: reason for name, reason in reasons.items() if isinstance(reason, str)},
            **{name: entry["reason"] for name, entry in (entries.get("missing") or {}).items()},
        },
        elsewhere=tuple(name for name in artifacts.get("targets") or {} if name != target.name),
    )


def refusals(connection: Connection) -> Mapping[str, str]:
    """Return each CRI runtime, and why provisioning would not install it; "" where it would. Empty where the host cannot say it."""
    done = connection.run("python3 - examine", stdin=OWNERSHIP.read_bytes())
    try:
        answer = json.loads(done.stdout) if done.exit_status == 0 else {}
    except ValueError:
        return {}
    entries = answer.items() if isinstance(answer, dict) else ()
    return {str(name): printable_line(str(sentence)) for name, sentence in entries}


def handlers_of(host: Host, declared: Mapping[str, Handler]) -> tuple[HostHandler, ...]:
    """The handlers that components and the host's inventory declare, by name. Raises ConfigError.

    ``declared`` maps a component to its handler.
    """
    handlers = {
        handler.name: HostHandler(handler.name, handler.kind, component)
        for component, handler in declared.items()
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
