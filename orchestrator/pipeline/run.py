# SPDX-License-Identifier: Apache-2.0
"""A run, from the suite that is asked for to the digest of its journals. Read top to bottom.

plan_run     suite + inventory -> what will be executed where (RunSpec), everything checked that can be checked at once
start_run    a folder with run.json, and a conductor of its own that outlives the terminal
conduct_run  the conductor: reach every host, execute in turns, pull the journals, digest them
resume_run   a conductor again, where the last one is gone
cancel_run   the conductor (the one there is, or a new one) ends the run and cleans up
fetch_run    pull the journals once more, without a conductor
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.load.become import OF_THIS_CALL
from orchestrator.load.inventory import load_inventory, select_hosts
from orchestrator.load.suite import find_suite, list_suites, load_suite
from orchestrator.model.errors import RunError, UsageError
from orchestrator.model.inventory import BUILDERS, Host, Inventory
from orchestrator.model.run import BenchmarkPlan, Profile, RunHost, RunSpec, RunState, Suite
from orchestrator.model.stopping import MOST
from orchestrator.results.store import RunFolder, RunStore, new_run_id
from orchestrator.runs.process import owned, owning, start_detached
from orchestrator.runs.sockets import socket_of
from orchestrator.ssh import Results
from remote_agent.benchmarks.registry import catalogue, find

if TYPE_CHECKING:
    from orchestrator.runs.session import Patience


LOCAL_LAB = "the local lab"
"""What the hosts of a local lab take turns on where they are declared as several machines."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody typed. None leaves it to the suite, ``seed`` to chance.

    ``precision`` is a share (0.03), ``budget`` seconds of work on each host.
    """

    suite: str
    inventory: Path
    limit: str | None = None
    runs: int | None = None
    precision: float | None = None
    budget: float | None = None
    seed: int | None = None
    baseline: str | None = None
    profile: Profile | None = None


def plan_run(wanted: Wanted, suites: Sequence[Path], now: datetime | None = None) -> RunSpec:
    """``suites``: the folders in which a suite's name is looked for. Raises UsageError and ConfigError."""
    suite = load_suite(find_suite(wanted.suite, suites), catalogue(), find, wanted.profile)
    plans, budget = _stopping(suite, wanted)
    inventory = load_inventory(wanted.inventory)
    hosts = _benched(inventory, wanted.limit)
    _check_sockets(suite, hosts)
    now = now or datetime.now(UTC)
    return RunSpec(
        id=new_run_id(suite.name, now),
        suite=suite.name,
        inventory=str(wanted.inventory.absolute()),
        created=now.isoformat(timespec="seconds"),
        seed=secrets.randbits(31) if wanted.seed is None else wanted.seed,
        hosts=_seated(hosts),
        combinations=suite.combinations,
        benchmarks=plans,
        baseline=_baseline(suite, wanted.baseline),
        labctl_version=version("labctl"),
        profile=suite.profile,
        budget=budget,
    )


def _benched(inventory: Inventory, limit: str | None) -> tuple[Host, ...]:
    """The hosts that are meant, without those that build: what a build leaves in caches and queues would be measured along."""
    hosts = select_hosts(inventory, limit)
    benched = tuple(host for host in hosts if not host.builds)
    if not benched:
        raise UsageError(
            f"{inventory.path}: {', '.join(host.name for host in hosts)} is of the group `{BUILDERS}`, and what builds is not benched.",
            "Name other hosts, or take it out of the group.",
        )
    return benched


def _seated(hosts: Sequence[Host]) -> tuple[RunHost, ...]:
    """Hosts of a local lab stand on this machine, whatever their inventory says: declared as several, they still take turns."""
    local = {host.machine for host in hosts if "labctl_lab" in host.vars}
    seat = LOCAL_LAB if len(local) > 1 else ""
    return tuple(
        RunHost(host.name, host.machine, seat=seat if "labctl_lab" in host.vars else "") for host in hosts
    )


def known_suites(folders: Sequence[Path]) -> list[Suite]:
    """Every suite in ``folders``, checked. Raises ConfigError."""
    return [load_suite(path, catalogue(), find) for path in list_suites(folders).values()]


def start_run(spec: RunSpec, store: RunStore) -> RunFolder:
    """Raises ResultError (no folder) and RunError (no conductor)."""
    folder = store.create(spec)
    _launch(folder)
    return folder


def conduct_run(folder: RunFolder, patience: Patience | None = None) -> int:
    """Own the run until its end; gives its exit code. Somebody else owns it, or it has ended: 0, and nothing is done."""
    with owning(folder.lock) as mine:
        if not mine or ended(folder) is not None:
            return 0
        # Behind the lock, for which whoever started this process waits, and before anything is measured.
        from orchestrator.pipeline.agents import Agents
        from orchestrator.pipeline.report import catalogue as catalogue_of
        from orchestrator.pipeline.report import digest, primaries
        from orchestrator.runs.conductor import conduct

        spec = folder.read_spec()
        agents = Agents(load_inventory(Path(spec.inventory)), spec)
        metrics = primaries(catalogue_of(spec))
        return conduct(spec, folder, agents.reach, lambda: digest(folder.path), patience, metrics)


def resume_run(folder: RunFolder) -> None:
    """See that somebody owns the run, if it has not ended. Raises RunError."""
    if ended(folder) is None and not owned(folder.lock):
        _launch(folder)


def cancel_run(folder: RunFolder) -> None:
    """Ask for the run's end; who follows its events sees it come. Raises RunError: it has ended."""
    state = ended(folder)
    if state is not None:
        raise RunError(f"The run {folder.id} has ended already ({state.status}).")
    folder.ask_to_cancel()
    resume_run(folder)


def fetch_run(folder: RunFolder) -> Results[int]:
    """Pull what the hosts have of the run, and digest it. Gives each host's new bytes, or its error.

    Raises RunError (a conductor owns the run), ResultError.
    """
    from orchestrator.pipeline.agents import Agents
    from orchestrator.pipeline.fleet import conclude
    from orchestrator.pipeline.report import digest

    with owning(folder.lock, patience=0.2) as mine:
        if not mine:
            raise RunError(f"The run {folder.id} is under way.", f"`labctl attach {folder.id}` follows it.")
        spec = folder.read_spec()
        if any(host.imported for host in spec.hosts):
            raise RunError(f"The run {folder.id} was imported: there is no host to fetch it from.")
        pulled = Agents(load_inventory(Path(spec.inventory)), spec).fetch(folder.journal)
        digest(folder.path)
    conclude(folder)
    return pulled


def ended(folder: RunFolder) -> RunState | None:
    """The run's last state, if it has ended."""
    state = folder.read_state()
    return state if state is not None and state.exit_code is not None else None


def _launch(folder: RunFolder) -> None:
    arguments = ["conduct", str(folder.path.absolute())]
    start_detached(arguments, folder.lock, folder.log, secret=OF_THIS_CALL.given)


def _check_sockets(suite: Suite, hosts: Sequence[Host]) -> None:
    for host in hosts:
        for cri in suite.cri:
            socket_of(cri, host.vars)


def _stopping(suite: Suite, wanted: Wanted) -> tuple[tuple[BenchmarkPlan, ...], float | None]:
    """The plans and the shared budget: what is typed holds for every benchmark, and goes before what the suite says.

    Raises UsageError for two rules at once, and for a budget that no rule uses.
    """
    if wanted.runs is not None and wanted.precision is not None:
        raise UsageError(
            "--runs and --precision exclude each other.",
            "--runs asks for so many blocks, --precision for as many as it takes.",
        )
    plans, budget = suite.benchmarks, suite.budget if wanted.budget is None else wanted.budget
    if wanted.runs is not None:
        plans = tuple(replace(plan, blocks=wanted.runs, precision=None, budget=None) for plan in plans)
    if wanted.precision is not None:
        plans = tuple(replace(plan, blocks=MOST, precision=wanted.precision) for plan in plans)
    if wanted.budget is not None:
        plans = tuple(replace(plan, budget=None) for plan in plans)
    ruled = any(plan.precision is not None for plan in plans)
    if wanted.budget is not None and not ruled:
        raise UsageError(
            "--budget needs a precision target.", "Add --precision 3%; a fixed count of blocks has no budget."
        )
    return plans, budget if ruled else None


def _baseline(suite: Suite, wanted: str | None) -> str:
    names = [combination.name for combination in suite.combinations]
    if wanted is not None and wanted not in names:
        raise UsageError(
            f"The baseline {wanted!r} is not in the suite {suite.name}.", f"It has: {', '.join(names)}."
        )
    return wanted or suite.baseline or names[0]
