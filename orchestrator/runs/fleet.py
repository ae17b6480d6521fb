# SPDX-License-Identifier: Apache-2.0
"""What an engine other than labctl's conductor needs to execute a run: playbooks/run.yaml reads it. Pure.

RUN/fleet/
    vars.json                the run, its hosts, and which archive is for which kind of host
    hosts/NAME.json          what NAME's agent is asked, in the agent's own form
    agent/PYTHON-ARCH.tar.gz the agent with its wheels, for each kind of host
    labctl-agent, labctl-agent.service

No path in it is absolute but those on hosts, so that the run's folder may be taken anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.errors import UsageError
from orchestrator.model.run import RunSpec
from orchestrator.runs.bundle import MARKER, Bundle, Target
from orchestrator.runs.deploy import BASE, COMMAND, SERVICE, UNIT, WRAPPER

DEBIAN = {"12": ("3.11", "2.36"), "13": ("3.13", "2.41")}
"""Of each release that hosts may have: its Python and its C library, which decide what wheels fit."""

VARIABLES = "vars.json"


def targets(architectures: Sequence[str]) -> dict[str, Target]:
    """Every kind of host that there may be, by the name that the playbook makes of a host's facts."""
    return {
        f"{python}-{arch}": Target(python, "glibc", libc, arch)
        for arch in architectures
        for python, libc in DEBIAN.values()
    }


def neighbours(spec: RunSpec) -> dict[str, tuple[str, ...]]:
    """Machines on which several hosts of the run stand, and these hosts."""
    seats = Counter(host.turns_on for host in spec.hosts)
    return {
        seat: tuple(host.name for host in spec.hosts if host.turns_on == seat)
        for seat, count in seats.items()
        if count > 1
    }


def demand_fixed_counts(spec: RunSpec) -> None:
    """Raises UsageError where a stopping rule would have to look at results: nobody does there."""
    ruled = [plan.name for plan in spec.benchmarks if plan.precision is not None]
    if ruled:
        raise UsageError(
            f"A prepared run has no conductor that could look at the precision of {ruled[0]}.",
            "Ask for a count of blocks: --runs 20.",
        )


def host_json(spec: RunSpec, host: str, sockets: Mapping[str, str]) -> dict[str, Any]:
    """What `labctl-agent start --grant-all` reads: `orchestrator.runs.agent.run_message`, and how many blocks."""
    return {
        "run_id": spec.id,
        "host": host,
        "seed": spec.seed,
        "combinations": [
            {"cri": item.cri, "handler": item.handler, "socket": sockets[item.cri]}
            for item in spec.combinations
        ],
        "benchmarks": [
            {"name": plan.name, "warmup": plan.warmup, "blocks": plan.blocks, "params": dict(plan.params)}
            for plan in spec.benchmarks
        ],
    }


def variables(spec: RunSpec, bundles: Mapping[str, Bundle]) -> dict[str, Any]:
    """The variable ``labctl_run`` of the playbook. ``takes_turns``: the host has a neighbour on its machine."""
    turns = {name for names in neighbours(spec).values() for name in names}
    return {
        "labctl_run": {
            "id": spec.id,
            "hosts": {host.name: {"takes_turns": host.name in turns} for host in spec.hosts},
            "agents": {
                kind: {"archive": f"agent/{kind}.tar.gz", "version": bundle.version}
                for kind, bundle in bundles.items()
            },
            "agent": {"base": BASE, "command": COMMAND, "unit": UNIT, "marker": MARKER},
        }
    }


def texts() -> dict[str, str]:
    """The command and the unit, by their files' names."""
    return {"labctl-agent": WRAPPER, UNIT: SERVICE}
