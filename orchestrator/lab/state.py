# SPDX-License-Identifier: Apache-2.0
"""The lab's state file: what was made, written before it is made, so that `down` finds all of it whatever happened to `up`."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.files import write_text
from orchestrator.lab.system import Identity
from orchestrator.model.errors import LabError

SCHEMA = 1


def labs_folder(root: bool, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the labs of a user are: those of root with the system's state, else by the XDG base directory specification."""
    if root:
        return Path("/var/lib/labctl/lab")
    given = environ.get("XDG_STATE_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".local/state") / "labctl/lab"


LABS = labs_folder(os.geteuid() == 0)


@dataclass(frozen=True, slots=True)
class HostState:
    """A host that was made, or begun. ``made``: its folder is complete. ``host_key`` is its public key; ``how`` it runs."""

    address: str
    port: int
    release: str
    made: bool = False
    host_key: str | None = None
    process: Identity | None = None
    since: str | None = None
    how: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkState:
    """``forward_before``: /proc/sys/net/ipv4/ip_forward as the first lab found it."""

    bridge: str
    subnet: str
    gateway: str
    table: str
    forward_before: str


@dataclass(frozen=True, slots=True)
class LabState:
    """``key_made``: the lab's user key is ours, to be removed with it."""

    name: str
    inventory: str
    provider: str
    network: NetworkState | None = None
    key_file: str | None = None
    key_made: bool = False
    known_hosts: str | None = None
    hosts: Mapping[str, HostState] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class StateFile:
    """state.json of one lab. `update` reads, changes and replaces it whole, one thread at a time."""

    path: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, name: str, labs: Path = LABS) -> StateFile:
        return cls(labs / name / "state.json")

    def read(self) -> LabState | None:
        """None where there is no such lab. Raises LabError: torn, or of another schema version."""
        try:
            return _state(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except _OtherSchema as error:
            raise LabError(
                f"{self.path} was written by another version of labctl (schema {error}, this is {SCHEMA}).",
                "Take the lab down with that version.",
            ) from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise LabError(f"{self.path} cannot be read: {error}.") from error

    def write(self, state: LabState) -> None:
        write_text(self.path, json.dumps(asdict(state), indent=2) + "\n", 0o600)

    def update(self, change: Callable[[LabState], LabState]) -> LabState:
        """Raises LabError where there is no state to change."""
        with self._lock:
            state = self.read()
            if state is None:
                raise LabError(
                    f"{self.path} is gone while it was worked with.", "Start over with `labctl lab up`."
                )
            state = change(state)
            self.write(state)
            return state

    def update_host(self, name: str, change: Callable[[HostState], HostState]) -> HostState:
        """As `update`, of one host that is there."""
        return self.update(lambda lab: with_host(lab, name, change(lab.hosts[name]))).hosts[name]


def with_host(state: LabState, name: str, host: HostState | None) -> LabState:
    """``state`` with that host, or (None) without it."""
    others = {other: value for other, value in state.hosts.items() if other != name}
    return replace(state, hosts=others if host is None else {**others, name: host})


class _OtherSchema(Exception):
    pass


def _state(data: dict[str, Any]) -> LabState:
    if data.get("schema") != SCHEMA:
        raise _OtherSchema(data.get("schema"))
    network = data.pop("network")
    hosts = {name: _host(host) for name, host in data.pop("hosts").items()}
    return LabState(**data, network=NetworkState(**network) if network else None, hosts=hosts)


def _host(data: dict[str, Any]) -> HostState:
    process = data.pop("process")
    return HostState(**data, process=Identity(**process) if process else None)
