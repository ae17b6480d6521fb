# SPDX-License-Identifier: Apache-2.0
"""Which hosts of several runs are one host, what they are called together, and which stand on one machine. Pure.

A host is its name, its machine's name and what it recorded of itself (`orchestrator.results.identity`). Two of one name that are other
machines by any of these stay two: `NAME (MACHINE)`, and where the machines' names are one too, `NAME (MACHINE 3f2a91)` with six digits of
the identity.

Statistics count machines, so the machine's name is looked at apart. Inventories say what stands on what, and are believed but for this:
- a host that is a machine of its own (both have one name) is another machine where it is another host;
- containers of one machine's name whose hardware is known to be another stand on two machines;
- hosts of two runs that are known to be one machine under two names count as one: else it would be counted twice.
Where nothing tells, hosts of one name are one, which claims the least, and that is said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.model.estimates import Notice
from orchestrator.model.run import RunHost, RunSpec
from orchestrator.results.identity import Identities, Identity, Likeness, likeness


@dataclass(frozen=True, slots=True)
class Names:
    """``hosts`` are those of all runs under their new names; ``names`` maps, by a run's id, its hosts' names to these."""

    hosts: tuple[RunHost, ...]
    names: dict[str, dict[str, str]]
    notices: tuple[Notice, ...]


@dataclass(slots=True)
class _One:
    """A host of one or several runs. ``seen``: each run's id and what the host was there, None where it has not told."""

    host: RunHost
    name: str
    machine: str
    seen: list[tuple[str, Identity | None]] = field(default_factory=list)

    @property
    def identity(self) -> Identity | None:
        return next((identity for _, identity in self.seen if identity), None)

    @property
    def runs(self) -> set[str]:
        return {run for run, _ in self.seen}

    def likeness(self, identity: Identity | None) -> Likeness:
        """The same as any of its sightings, else another than any, else unknown."""
        said = {likeness(known, identity) for _, known in self.seen if known and identity}
        return next((each for each in (Likeness.SAME, Likeness.OTHER) if each in said), Likeness.UNKNOWN)


def named(runs: Sequence[RunSpec], identities: Identities) -> Names:
    """``runs`` in the order of their ids."""
    notices: list[Notice] = []
    ones = _told_apart(runs, identities, notices)
    _name(ones)
    notices += _split(ones)
    _name_machines(ones)
    notices += _unite_machines(ones)
    names: dict[str, dict[str, str]] = {}
    for one in ones:
        for run in one.runs:
            names.setdefault(run, {})[one.host.name] = one.name
    hosts = (replace(one.host, name=one.name, machine=one.machine, provenance={}) for one in ones)
    return Names(tuple(hosts), names, tuple(notices))


def _told_apart(runs: Sequence[RunSpec], identities: Identities, notices: list[Notice]) -> list[_One]:
    ones: list[_One] = []
    for spec in runs:
        for host in spec.hosts:
            identity = identities.get(spec.id, {}).get(host.name)
            key = (host.name, host.machine, host.imported)
            peers = [one for one in ones if (one.host.name, one.host.machine, one.host.imported) == key]
            one = _mine(peers, identity)
            if one is None:
                one = _One(host, host.name, host.machine)
                ones.append(one)
            elif identity and one.identity and one.likeness(identity) is Likeness.UNKNOWN:
                notices.append(_unknown(host.name, one.seen[0][0], spec.id))
            one.seen.append((spec.id, identity))
    return ones


def _mine(peers: Sequence[_One], identity: Identity | None) -> _One | None:
    for wanted in (Likeness.SAME, Likeness.UNKNOWN):
        for one in peers:
            if one.likeness(identity) is wanted:
                return one
    return None


def _name(ones: Sequence[_One]) -> None:
    for one in ones:
        alike = [other for other in ones if other.host.name == one.host.name]
        label = one.host.imported or one.host.machine
        twins = [other for other in alike if (other.host.imported or other.host.machine) == label]
        if len(twins) > 1:
            own = "" if label == one.host.name else f"{label} "
            one.name = f"{one.host.name} ({own}{_token(one.identity)})"
        elif len(alike) > 1:
            one.name = f"{one.host.name} ({label})"


def _name_machines(ones: Sequence[_One]) -> None:
    for one in ones:
        host = one.host
        alike = [other for other in ones if other.host.machine == host.machine]
        if host.machine == host.name:
            own = [other for other in alike if other.host.name == host.name]
            one.machine = one.name if len(own) > 1 else host.machine
            continue
        hardware = {hard for other in alike if (hard := _hardware(other))}
        if len(hardware) > 1 and (mine := _hardware(one)):
            one.machine = f"{host.machine} {_digits(mine)}"


def _hardware(one: _One) -> str:
    """Of the machine that a container stands on; "" where it is not known, and of a virtual machine, which has its own."""
    return one.identity.hardware if one.identity and one.identity.container else ""


def _split(ones: Sequence[_One]) -> Iterator[Notice]:
    told: set[tuple[str, str]] = set()
    for one in ones:
        key = (one.host.name, one.host.machine)
        twins = [other for other in ones if (other.host.name, other.host.machine) == key]
        if len(twins) > 1 and not one.host.imported and key not in told:
            told.add(key)
            listed = "; ".join(f"{twin.name} in {', '.join(sorted(twin.runs))}" for twin in twins)
            yield Notice(
                None,
                f"Hosts of the name {one.host.name} are not one machine, by what they recorded of themselves: {listed}.",
                "They stand side by side. Names of their own in their inventories are easier to read.",
            )


def _unite_machines(ones: Sequence[_One]) -> Iterator[Notice]:
    """The later takes the earlier one's machine; what one run's inventory calls two machines stays two."""
    for index, one in enumerate(ones):
        for other in ones[:index]:
            if one.machine == other.machine or one.runs & other.runs or one.host.seat or other.host.seat:
                continue
            if _known_same(one, other):
                was, one.machine = one.machine, other.machine
                yield Notice(
                    None,
                    f"The machine {was} of {one.name} is {other.machine} of {other.name}, by what they recorded of themselves.",
                    "They count as one machine.",
                )
                break


def _known_same(one: _One, other: _One) -> bool:
    return any(other.likeness(identity) is Likeness.SAME for _, identity in one.seen)


def _unknown(name: str, run: str, other: str) -> Notice:
    return Notice(
        None,
        f"Nothing that was recorded tells whether {name} of run {other} is the {name} of run {run}: it is taken for it.",
        "If they are two machines, report these runs one by one. Newer runs record which machine they ran on.",
    )


def _token(identity: Identity | None) -> str:
    return _digits(identity.key) if identity and identity.key else "unknown"


def _digits(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:6]
