# SPDX-License-Identifier: Apache-2.0
"""From an inventory and a playbook to hosts that are as the playbook wants them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.files import cache_folder
from orchestrator.load.handlers import extra_handlers
from orchestrator.load.inventory import endpoint_of, load_inventory, select_hosts
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.artifact import ARTIFACTS, Target
from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ConfigError, UsageError
from orchestrator.model.inventory import Host, Inventory
from orchestrator.model.playbook import Play, Playbook
from orchestrator.pipeline.host_targets import HeldConnections
from orchestrator.provision.events import EventSink, HostReport
from orchestrator.provision.host import Settings, Visit, carry_out_plays
from orchestrator.provision.retry import Failed
from orchestrator.provision.selection import tags_of
from orchestrator.shipped import PROJECT, shipped
from orchestrator.ssh import Connection, connect, fan_out

if TYPE_CHECKING:
    from orchestrator.pipeline.build import Asked, View

TURN_SECONDS = 0.02
_ELSEWHERE = {"labctl_artifacts", "labctl_artifacts_file", PROJECT}
"""Extra variables with which the artifacts of the playbook are not those that a build leaves here."""
DEFAULT_PLAYBOOK = shipped() / "playbooks/site.yaml"


@dataclass(frozen=True, slots=True)
class Request:
    """What `labctl provision` was asked for. ``artifacts`` says what is built first for the targets of the hosts, where the playbook
    wants it; None: nothing is.

    ``state`` is the folder for what labctl remembers (.labctl), ``cache`` for
    what it can make again."""

    inventory: Path
    playbook: Path = DEFAULT_PLAYBOOK
    limit: str | None = None
    tags: Sequence[str] = ()
    skip_tags: Sequence[str] = ()
    extra_vars: Mapping[str, Any] = field(default_factory=dict)
    check: bool = False
    diff: bool = False
    forks: int = 64
    retry_failed: bool = False
    artifacts: Callable[[tuple[Target, ...]], Asked] | None = None
    state: Path = Path(".labctl")
    cache: Path = field(default_factory=cache_folder)


@dataclass(frozen=True, slots=True)
class Recap:
    """A report a host, in the inventory's order. ``seconds`` from the first thing that was loaded."""

    hosts: tuple[HostReport, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        return max((host.exit_code for host in self.hosts), default=0)


def provision(request: Request, sink: EventSink, view: View | None = None) -> Recap:
    """Artifacts, inventory, playbook, then every host at the same time; each one's failure is its own.

    Raises ConfigError, UsageError before any host is reached, and BuildError before any host is changed.
    """
    began = time.monotonic()
    inventory = load_inventory(request.inventory, request.playbook.parent)
    language = Language()
    playbook = load_playbook(request.playbook, language)
    tags = tags_of(request.tags, request.skip_tags, playbook)
    settings = Settings(
        language,
        inventory,
        extra=request.extra_vars,
        tags=tags,
        check=request.check,
        diff=request.diff,
        command=_special(request),
    )
    failed = Failed(request.state)
    hosts = _hosts(request, inventory, failed)
    for host in hosts:
        extra_handlers(host)  # what is wrong in the inventory is said before a host is reached
    plays = _plays_of(hosts, inventory, playbook)

    connections = HeldConnections(lambda host: connect(_endpoint(request, host, inventory, plays[host.name])))
    benched = tuple(host for host in hosts if plays[host.name])

    def reach(host: Host) -> Callable[[], Connection]:
        return lambda: connections.take(host)

    visits = {host.name: Visit(host, plays[host.name], settings, sink, reach(host)) for host in benched}
    with closing(connections), _long_turns():
        _prepare_artifacts(request, connections, benched, view)
        _visit(visits, playbook, hosts, request.forks)
    reports = (visit.report for visit in visits.values())
    recap = Recap(tuple(report for report in reports if report), time.monotonic() - began)
    if not request.check:
        failed.remember(request.inventory, {report.host: report.exit_code != 0 for report in recap.hosts})
    return recap


def _prepare_artifacts(
    request: Request, connections: HeldConnections, hosts: Sequence[Host], view: View | None
) -> None:
    """See that what the playbook installs is there for the releases that the hosts have: built, or at least demanded.

    Raises ConfigError, BuildError.
    """
    if not _wants_artifacts(request):
        return
    # Whoever provisions from a playbook without artifacts need not wait until all that builds is imported.
    from orchestrator.pipeline.artifacts import build_artifacts, demand_artifacts

    if request.check:
        demand_artifacts(request.state)
        return

    def targets() -> tuple[Target, ...]:
        return connections.targets(hosts, request.forks)

    build_artifacts(request.artifacts, targets, view, request.state, request.cache)


def _visit(
    visits: Mapping[str, Visit],
    playbook: Playbook,
    hosts: Sequence[Host],
    forks: int,
) -> None:
    by_name = {host.name: host for host in hosts}

    def at_once(names: Sequence[str], work: Callable[[str], None]) -> None:
        fan_out([by_name[name] for name in names], lambda host: work(host.name), forks)

    carry_out_plays(playbook.plays, visits, at_once)


@contextmanager
def _long_turns() -> Iterator[None]:
    """A thread a host, each of which has little to do before it waits again: to let another one in before that costs both more."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _wants_artifacts(request: Request) -> bool:
    """Whether the playbook names the vars file of builds; one that cannot be read is refused later, with its reason."""
    playbook = request.playbook
    if _ELSEWHERE & request.extra_vars.keys() or not playbook.is_file():
        return False
    return ARTIFACTS in playbook.read_text(encoding="utf-8", errors="replace")


def _special(request: Request) -> dict[str, Any]:
    """Ansible's special variables that the command line decides."""
    return {
        "ansible_forks": request.forks,
        "ansible_run_tags": list(request.tags) or ["all"],
        "ansible_skip_tags": list(request.skip_tags),
        **({} if request.limit is None else {"ansible_limit": request.limit}),
    }


def _hosts(request: Request, inventory: Inventory, failed: Failed) -> tuple[Host, ...]:
    hosts = select_hosts(inventory, request.limit)
    if not request.retry_failed:
        return hosts
    names = failed.of(request.inventory)
    again = tuple(host for host in hosts if host.name in names)
    if not again:
        raise UsageError(
            f"No host of {request.inventory} failed the last time.",
            "Leave --retry-failed out to provision all of them.",
        )
    return again


def _plays_of(hosts: Sequence[Host], inventory: Inventory, playbook: Playbook) -> dict[str, tuple[Play, ...]]:
    """Each host's plays, in order. Raises ConfigError for a pattern that names nothing, UsageError where no host has a play."""
    members = {id(play): _members(play, inventory) for play in playbook.plays}
    plays = {
        host.name: tuple(play for play in playbook.plays if host.name in members[id(play)]) for host in hosts
    }
    if not any(plays.values()):
        raise UsageError(
            f"No play of {playbook.path} is for any of {', '.join(plays)}.", "Look at `hosts:` of its plays."
        )
    return plays


def _members(play: Play, inventory: Inventory) -> frozenset[str]:
    try:
        return frozenset(host.name for host in select_hosts(inventory, str(play.hosts.value), of_play=True))
    except UsageError as error:
        origin = play.hosts.origin
        raise ConfigError(
            f"no host of {inventory.path} is meant by '{play.hosts.value}'.",
            file=origin.file,
            line=origin.line,
            column=origin.column,
            key="hosts",
            hint=error.hint,
        ) from error


def _endpoint(request: Request, host: Host, inventory: Inventory, plays: Sequence[Play]) -> Endpoint:
    """All of a host's plays go over one channel, as one user. Raises ConfigError where they want different ones.

    Extra variables win over the inventory's, those of the connection too.
    """
    endpoint = endpoint_of(replace(host, vars={**host.vars, **request.extra_vars}), inventory)
    if endpoint.become or not any(play.become for play in plays):
        return endpoint
    other = next((play for play in plays if not play.become), None)
    if other is not None:
        origin = other.origin
        message = "other plays for the same host become root, and this one does not: labctl does all of them as one user."
        raise ConfigError(
            message,
            file=origin.file,
            line=origin.line,
            column=origin.column,
            key="become",
            hint="Add `become: true`.",
        )
    return replace(endpoint, become=True, become_user="root")


def as_json_line(recap: Recap) -> str:
    """One line: the reports of all hosts."""
    return json.dumps(
        {
            "kind": "recap",
            "seconds": round(recap.seconds, 3),
            "hosts": [host.to_json() for host in recap.hosts],
        }
    )
