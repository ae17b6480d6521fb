# SPDX-License-Identifier: Apache-2.0
"""What a provider of lab hosts does. `lifecycle` says when; a provider says how, for one kind of host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from orchestrator.lab.state import StateFile
from orchestrator.lab.system import Progress, System
from orchestrator.model.errors import LabError
from orchestrator.model.lab import LabHost, LabSpec
from orchestrator.model.system_packages import NOTHING, Needs


@dataclass(frozen=True, slots=True)
class Site:
    """One lab as a provider gets it: what is asked, where its state is, and the machine."""

    lab: LabSpec
    state: StateFile
    system: System
    progress: Progress


class Provider(Protocol):
    """All methods raise LabError. All but `boot` may be called again, and then do only what is left to do.

    What a method makes is in the state file, or has a name that follows from the lab's and the host's, before it is made.
    """

    @property
    def name(self) -> str:
        """As an inventory names it."""
        ...

    @property
    def summary(self) -> str:
        """What kind of hosts, in the plural, and what they take."""
        ...

    @property
    def boot_seconds(self) -> float:
        """How long a host may take from its start until it is up, on a machine that is busy with others."""
        ...

    def problem(self, besides: Needs = NOTHING) -> LabError | None:
        """Why it does not work on this machine, with what mends it; None where it works.

        ``besides`` is what else somebody needs, so that one command brings everything.
        """
        ...

    def open(self, site: Site) -> None:
        """Make what the hosts share: network, image."""
        ...

    def make(self, site: Site, host: LabHost) -> bool:
        """Make the host, all that can be before it boots; False where it was there."""
        ...

    def boot(self, site: Site, host: LabHost) -> None:
        """Start it, and record that in its state: since when, how, and the process that it lives and ends with, if it has one here."""
        ...

    def alive(self, site: Site, name: str) -> bool:
        """Whether what `boot` started still runs, whatever state the system inside is in. Asked ten times a second."""
        ...

    def booting(self, site: Site, host: LabHost) -> str | None:
        """What it is still waiting for inside; None when it is up."""
        ...

    def address(self, host: LabHost) -> tuple[str, int]:
        """Where its SSH server answers."""
        ...

    def host_key(self, site: Site, host: LabHost) -> str:
        """Its public host key, known because it was made here: kind and key."""
        ...

    def stop(self, site: Site, name: str) -> None:
        """Shut it down; end it by force after a deadline."""
        ...

    def remove(self, site: Site, name: str) -> None:
        """Take away what `make` made, in whatever state it is."""
        ...

    def close(self, site: Site, *, last: bool) -> None:
        """Take away what `open` made; ``last``: no other lab is up on this machine. The image stays cached."""
        ...


def process_alive(site: Site, name: str) -> bool:
    """`alive` of hosts that are a process of this machine."""
    state = site.state.read()
    known = state.hosts.get(name) if state else None
    return bool(known and site.system.processes.alive(known.process))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A provider, and why it is this one."""

    provider: Provider
    why: str


Factory = Callable[[System], Provider]


def choose(
    asked: str | None, factories: Mapping[str, Factory], system: System, besides: Needs = NOTHING
) -> Chosen:
    """The provider that is asked for, else the first that works here: ``factories`` has the best first.

    ``besides`` is what else must be on this machine. Raises LabError with the reason of each that does not.
    """
    if asked is not None:
        if asked not in factories:
            raise LabError(f"There is no lab provider '{asked}'.", f"There is: {', '.join(factories)}.")
        provider = factories[asked](system)
        if problem := provider.problem(besides):
            raise problem
        return Chosen(provider, "as it was asked for")
    problems: list[LabError] = []
    for factory in factories.values():
        provider = factory(system)
        problem = provider.problem(besides)
        if problem is None:
            return Chosen(provider, f"{provider.summary} are the best that work here")
        problems.append(problem)
    raise LabError(
        "No kind of lab host works here: " + " ".join(problem.message for problem in problems),
        " ".join(problem.hint for problem in problems if problem.hint) or None,
    )
