# SPDX-License-Identifier: Apache-2.0
"""Which machine a host of a run was, by what its journal recorded: so that two controllers' hosts of one name are told apart.

likeness, the first that holds:
- one boot of one kernel: the same
- the hardware's UUID (DMI), where both tell it: the same, or another
- the installation (/etc/machine-id), where both tell it: another, or, on a CPU of the same kind, the same. A copied disk image has its
  original's, so that alone says nothing.
- another CPU: another
- else nothing recorded tells: journals from before these were recorded, of two boots.

A container has the hardware and the boot of the machine that it stands on: of two of them only the machine is known to be the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchestrator.model.errors import ResultError
from orchestrator.model.run import RunSpec
from orchestrator.model.text import printable_value
from orchestrator.results.journals import BULK
from orchestrator.results.store import RunFolder

CONTAINERS = frozenset(("systemd-nspawn", "docker", "podman", "lxc", "lxc-libvirt", "container-other", "wsl"))
"""What systemd-detect-virt says where the kernel is another's."""
TRAITS = (("cpu", "model"), ("cpu", "count"), ("kernel", "architecture"))


@dataclass(frozen=True, slots=True)
class Identity:
    """``boots`` are the kernel's boot ids that were seen; ``traits`` the CPU's, where they are known; hashes are "" where they are not."""

    boots: frozenset[str] = frozenset()
    installation: str = ""
    hardware: str = ""
    traits: tuple[str, ...] = ()
    container: bool = False

    @property
    def key(self) -> str:
        """The best that tells it from others; "" where nothing does."""
        return self.installation or self.hardware or min(self.boots, default="")


class Likeness(StrEnum):
    SAME = "the same"
    OTHER = "another"
    UNKNOWN = "unknown"


Identities = Mapping[str, Mapping[str, Identity]]
"""Of a run's id and a host's name; a host without a journal is not there."""


def likeness(one: Identity, other: Identity) -> Likeness:
    if one.boots & other.boots:
        return Likeness.SAME
    if one.hardware and other.hardware:
        return Likeness.SAME if one.hardware == other.hardware else Likeness.OTHER
    unlike = one.traits != other.traits and bool(one.traits and other.traits)
    if one.installation and other.installation:
        alike = one.installation == other.installation and not unlike
        return Likeness.SAME if alike else Likeness.OTHER
    return Likeness.OTHER if unlike else Likeness.UNKNOWN


def identity_of(*fingerprints: Mapping[str, Any]) -> Identity:
    """Of one host's fingerprints in one run, the first of which says what it is."""
    boots = (_fact(facts, "kernel", "boot_id") for facts in fingerprints)
    first = fingerprints[0] if fingerprints else {}
    traits = tuple(str(_fact(first, *name) or "") for name in TRAITS)
    return Identity(
        boots=frozenset(str(boot) for boot in boots if boot),
        installation=str(_fact(first, "identity", "installation") or ""),
        hardware=str(_fact(first, "identity", "hardware") or ""),
        traits=traits if any(traits) else (),
        container=_fact(first, "virtualisation", "kind") in CONTAINERS,
    )


def read_identities(folder: Path, spec: RunSpec) -> Mapping[str, Identity]:
    """Of the run's hosts that have a journal with a fingerprint. Raises ResultError: one cannot be read."""
    found = {}
    for host in spec.hosts:
        path = RunFolder(folder).journal(host.name)
        fingerprints = list(_fingerprints(path)) if not host.imported and path.exists() else []
        if fingerprints:
            found[host.name] = identity_of(*fingerprints)
    return found


def _fingerprints(path: Path) -> Iterator[Mapping[str, Any]]:
    """A line that is no record is passed over: the merge says what is wrong with it."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                if BULK.match(line) or b"fingerprint" not in line[:80]:
                    continue
                try:
                    facts = printable_value(json.loads(line).get("facts"))
                except (ValueError, AttributeError):
                    continue
                if isinstance(facts, dict):
                    yield facts
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}.") from error


def _fact(facts: Mapping[str, Any], group: str, name: str) -> Any:
    found = facts.get(group)
    return found.get(name) if isinstance(found, Mapping) else None
