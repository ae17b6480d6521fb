# SPDX-License-Identifier: Apache-2.0
"""Runs that another engine executes (Ansible's, with playbooks/run.yaml): handed over, and concluded from what it brought."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import remote_agent
from orchestrator.files import cache_folder, write_text
from orchestrator.load.inventory import load_inventory
from orchestrator.model.errors import ResultError
from orchestrator.model.run import HostState, RunSpec, RunState, RunStatus
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs.bundle import Bundle, Bundles
from orchestrator.runs.fleet import VARIABLES, demand_fixed_counts, host_json, targets, texts, variables
from orchestrator.runs.process import owned
from orchestrator.runs.sockets import socket_of
from orchestrator.runs.tally import Tally

_STATUS = {"complete": RunStatus.COMPLETE, "cancelled": RunStatus.CANCELLED}


def prepare_run(
    spec: RunSpec, store: RunStore, architectures: Sequence[str], bundles: Bundles | None = None
) -> RunFolder:
    """A run's folder with all that its hosts need. No host is contacted.

    Raises UsageError (a stopping rule), RunError (no wheels for such hosts), ResultError (the folder cannot be written).
    """
    demand_fixed_counts(spec)
    bundles = bundles or Bundles(cache_folder(os.environ), Path(remote_agent.__path__[0]))
    made = {kind: bundles.bundle(target) for kind, target in targets(architectures).items()}
    return store.create(spec, lambda folder: _hand_over(folder, spec, made))


def _hand_over(folder: RunFolder, spec: RunSpec, bundles: Mapping[str, Bundle]) -> None:
    """Raises OSError."""
    inventory = load_inventory(Path(spec.inventory))
    for host in spec.hosts:
        known = inventory.host(host.name).vars
        sockets = {item.cri: socket_of(item.cri, known) for item in spec.combinations}
        _write_json(folder.fleet / "hosts" / f"{host.name}.json", host_json(spec, host.name, sockets))
        # Where nothing is brought from a host, it is one that has told nothing: as with a conductor that never reached it.
        folder.journal(host.name).touch()
    for kind, bundle in bundles.items():
        archive = folder.fleet / "agent" / f"{kind}.tar.gz"
        archive.parent.mkdir(exist_ok=True)
        shutil.copyfile(bundle.path, archive)
    for name, text in texts().items():
        write_text(folder.fleet / name, text)
    _write_json(folder.fleet / VARIABLES, variables(spec, bundles))


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


def conclude(folder: RunFolder) -> RunState | None:
    """How the run stands. Once every journal of a prepared run that is here has come to its end, that is written to state.json.

    None: not even begun, or nobody has brought its end. Raises ResultError.
    """
    state = folder.read_state()
    if state is not None or not folder.fleet.is_dir() or owned(folder.lock):
        return state
    spec = folder.read_spec()
    journals = {host.name: folder.journal(host.name) for host in spec.hosts}
    if not all(map(_has_ended, journals.values())):
        return None
    hosts = tuple(_host_state(name, path) for name, path in journals.items())
    state = _state(spec, hosts)
    folder.write_state(state)
    return state


def _has_ended(journal: Path) -> bool:
    """By its last line, behind which an agent writes nothing."""
    try:
        last = journal.read_bytes().splitlines()[-1:]
        return bool(last) and json.loads(last[0])["type"] == "ended"
    except (OSError, ValueError, KeyError, TypeError):
        return False  # missing, torn or no journal: whoever reads it as a whole says so


def _host_state(name: str, journal: Path) -> HostState:
    tally = Tally()
    try:
        with journal.open("rb") as lines:
            tally.add_all(json.loads(line) for line in lines)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{journal}: is not a journal ({error}).", "Fetch it again.") from error
    return HostState(name, _STATUS[str(tally.ended)], tally.done, tally.failed, tally.leaked)


def _state(spec: RunSpec, hosts: tuple[HostState, ...]) -> RunState:
    """As a conductor would have judged it."""
    cancelled = any(host.status is RunStatus.CANCELLED for host in hosts)
    failed = any(host.trials_failed for host in hosts)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if cancelled:
        return RunState(spec.id, RunStatus.CANCELLED, hosts, now, exit_code=130)
    return RunState(spec.id, RunStatus.COMPLETE, hosts, now, exit_code=int(failed))
